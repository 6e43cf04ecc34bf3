"""The ONNX file answers like the library under onnxruntime."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.export.graph import exportable
from dsg.apps.export.onnx_file import export_onnx
from dsg.errors import UserError
from dsg.models.dsg.trained import Trained, load_trained
from tests.apps.export.conftest import ONNX
from tests.apps.export.test_saved_model import MINI, QUERIES, check, check_without_queries, pictures
from tests.small_trained import write_snapshot

OTHER_NETWORKS = {"res18, no graph": ("NET", "res18", "VARIANT", "no_dsg")}
needs_packages = pytest.mark.skipif(
    not ONNX, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)


def check_session(session: Any, trained: Trained, images: Iterable[np.ndarray]) -> None:
    """onnxruntime answers like the library, also where it is asked nothing."""
    names = [output.name for output in session.get_outputs()]
    for image in images:
        values = session.run(None, {"image": image, "queries": QUERIES})
        expected = trained.ask([image[:, :, ::-1]], [QUERIES])[0]
        check({f"a/{name}": value for name, value in zip(names, values)}, "a", expected)
    nothing = session.run(None, {"image": image, "queries": QUERIES[:0]})
    check_without_queries(dict(zip(names, nothing)), expected)


@needs_packages
def test_answers_under_onnxruntime(exported: Path) -> None:
    import onnxruntime

    trained = load_trained(MINI)
    path = exported / "output" / "mini.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    check_session(session, trained, pictures().values())
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["objects"]) == list(trained.vocabulary.objects)
    assert {each.name for each in path.parent.iterdir()} == {"mini", "mini.npz", "mini.onnx"}


@needs_packages
@pytest.mark.parametrize("overrides", OTHER_NETWORKS.values(), ids=OTHER_NETWORKS)
def test_other_networks(overrides: tuple[str, ...], tmp_path: Path) -> None:
    import onnxruntime

    trained = exportable(load_trained(write_snapshot(tmp_path / "small.npz", *overrides)))
    export_onnx(trained, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    # 56 pixels make a map of 7 cells, as wide as a crop: onnxruntime's own resizing goes wrong there.
    narrow = np.random.default_rng(1).integers(0, 256, (128, 56, 3), dtype=np.uint8)
    check_session(session, trained, [pictures()["twice"], narrow])


@needs_packages
def test_what_is_not_translated_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that ONNX lacks, such as Igamma, gives one line, and no file that nothing reads."""

    def outputs(*_: object, **__: object) -> Callable[..., dict[str, tf.Tensor]]:
        def answer(image: tf.Tensor, queries: tf.Tensor) -> dict[str, tf.Tensor]:
            value = tf.math.igamma(tf.cast(queries, tf.float32), tf.cast(image[0, 0], tf.float32))
            return {"boxes": tf.identity(value, name="boxes")}

        return answer

    monkeypatch.setattr("dsg.apps.export.graph.answering", outputs)
    with pytest.raises(
        UserError, match=r"model.onnx: .* cannot be translated to ONNX \(No Op registered for Igamma"
    ):
        export_onnx(load_trained(MINI), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_tf2onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # how Python marks what cannot be imported
    with pytest.raises(UserError, match="pip install -r requirements-export.txt"):
        export_onnx(load_trained(MINI), tmp_path / "model.onnx")
