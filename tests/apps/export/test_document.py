"""docs/export.md, typed from beginning to end: its commands, and its programs as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsg
from dsg.api import Model
from tests.apps.export.conftest import DOCUMENT, ONNX, blocks, commands

QUERY = (0, 2, 5)  # as in the document


def program(word: str) -> str:
    """The one program with a word in it."""
    (found,) = (block for block in blocks() if word in block and block.startswith("import"))
    return found


def run(source: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(source, DOCUMENT.name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def library(exported: Path) -> Model:
    """The model that was exported, loaded once, so that its answers are traced once."""
    return dsg.load(exported / "data" / "demo" / "mini.npz")


def check(boxes: np.ndarray, scores: np.ndarray, library: Model, decoded: np.ndarray) -> None:
    """They are the library's, of the pixels that the program's own decoder gave."""
    expected = library.ask(decoded, [QUERY])[0].subject
    np.testing.assert_allclose(boxes[0], expected.box, atol=2e-3)
    assert scores[0] == pytest.approx(expected.score, abs=1e-4)


def test_commands(exported: Path) -> None:
    assert len(commands()) == 3
    dsg.load(exported / "output" / "mini.npz")
    assert (exported / "output" / "mini" / "saved_model.pb").is_file()
    assert (exported / "output" / "mini.onnx").is_file() == ONNX


def test_tensorflow(exported: Path, library: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)
    names = run(program("tf.saved_model"), {})
    answers = names["answers"]
    check(answers["subject_box"].numpy(), answers["subject_score"].numpy(), library, names["image"].numpy())


@pytest.mark.skipif(
    not ONNX, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)
@pytest.mark.parametrize("before", [False, True], ids=["alone", "after the one of TensorFlow"])
def test_onnx(exported: Path, library: Model, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)
    names = run(program("tf.saved_model"), {}) if before else {}
    names = run(program("onnxruntime"), names)
    check(names["boxes"], names["scores"], library, names["image"])
    assert names["objects"][0] == "blue_metal_cube"
