"""docs/export.md, typed from beginning to end: its commands, and its programs as they are written."""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dsg
from dsg.apps.main import main
from tests.shared import ROOT
from tests.small_trained import write_snapshot

DOCUMENT = ROOT / "docs" / "export.md"
ONNX = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
QUERY = (0, 2, 5)  # as in the document


def blocks() -> list[str]:
    """The indented blocks, in order; an empty line between two indented ones belongs to both."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def commands() -> list[str]:
    """What is typed to export."""
    lines = [line for block in blocks() for line in block.splitlines()]
    return [line for line in lines if line.startswith("dsg export ")]


def program(word: str) -> str:
    """The one program with a word in it."""
    (found,) = (block for block in blocks() if word in block and block.startswith("import"))
    return found


def run(source: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(source, DOCUMENT.name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose bundled model is a very small one, after all commands; and a photograph."""
    folder = tmp_path_factory.mktemp("document")
    (folder / "data" / "demo").mkdir(parents=True)
    write_snapshot(folder / "data" / "demo" / "mini.npz")
    picture = cv2.imread(str(ROOT / "data" / "demo" / "images" / "demo_0.png"))
    cv2.imwrite(str(folder / "photo.jpg"), picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands():
            program, *words = shlex.split(command)
            assert program == "dsg"
            if ONNX or "--onnx" not in words:
                assert main(words) == 0, command
    return folder


def check(boxes: np.ndarray, scores: np.ndarray, folder: Path, decoded: np.ndarray) -> None:
    """They are the library's, of the pixels that the program's own decoder gave."""
    expected = dsg.load(folder / "data" / "demo" / "mini.npz").ask(decoded, [QUERY])[0].subject
    np.testing.assert_allclose(boxes[0], expected.box, atol=2e-3)
    assert scores[0] == pytest.approx(expected.score, abs=1e-4)


def test_commands(folder: Path) -> None:
    assert len(commands()) == 3
    dsg.load(folder / "output" / "mini.npz")
    assert (folder / "output" / "mini" / "saved_model.pb").is_file()
    assert (folder / "output" / "mini.onnx").is_file() == ONNX


def test_tensorflow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = run(program("tf.saved_model"), {})
    answers = names["answers"]
    check(answers["subject_box"].numpy(), answers["subject_score"].numpy(), folder, names["image"].numpy())


@pytest.mark.skipif(
    not ONNX, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)
@pytest.mark.parametrize("before", [False, True], ids=["alone", "after the one of TensorFlow"])
def test_onnx(folder: Path, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = run(program("tf.saved_model"), {}) if before else {}
    names = run(program("onnxruntime"), names)
    check(names["boxes"], names["scores"], folder, names["image"])
    assert names["objects"][0] == "blue_metal_cube"
