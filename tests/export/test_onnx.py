"""The ONNX file answers like the library under onnxruntime."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from dsg.ask import answer, load_trained
from dsg.errors import UserError
from dsg.export.onnx_file import export_onnx
from tests.export.test_saved_model import MINI, QUERIES, check, pictures

INSTALLED = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))


@pytest.mark.skipif(
    not INSTALLED, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)
def test_answers_under_onnxruntime(tmp_path: Path) -> None:
    import onnxruntime

    trained = load_trained(MINI)
    export_onnx(trained, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for image in pictures().values():
        values = session.run(None, {"image": image, "queries": QUERIES})
        expected = answer(trained.model, [image[:, :, ::-1]], [QUERIES], trained.config)[0]
        check({f"a/{key}": value for key, value in zip(names, values)}, "a", expected)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["objects"]) == list(trained.vocabulary.objects)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_without_tf2onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # how Python marks what cannot be imported
    with pytest.raises(UserError, match="pip install -r requirements-export.txt"):
        export_onnx(load_trained(MINI), tmp_path / "model.onnx")
