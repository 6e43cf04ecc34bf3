"""The bundled model, exported as docs/export.md does it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from pathlib import Path

import cv2
import pytest

from dsg.apps.main import main
from tests.once import made_once
from tests.shared import ROOT

DOCUMENT = ROOT / "docs" / "export.md"
ONNX = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))


def blocks() -> list[str]:
    """The document's indented blocks, in order; an empty line between two indented ones belongs to both."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def commands() -> list[str]:
    """What is typed to export."""
    lines = [line for block in blocks() for line in block.splitlines()]
    return [line for line in lines if line.startswith("dsg export ")]


def _export(folder: Path) -> None:
    (folder / "data").symlink_to(ROOT / "data")
    picture = cv2.imread(str(ROOT / "data" / "demo" / "images" / "demo_0.png"))
    cv2.imwrite(str(folder / "photo.jpg"), picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands():
            program, *words = shlex.split(command)
            assert program == "dsg"
            if ONNX or "--onnx" not in words:
                assert main(words) == 0, command


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after all commands of the document, its models in `output`; and a photograph."""
    return made_once(tmp_path_factory, "exported", _export)
