"""The recipe of the container, as far as it can be tested without building it: what it names is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest

from tests.shared import ROOT

# What `make` and the command that the container starts with read.
NEEDED = (
    *("Makefile", "setup.py", "pyproject.toml", "requirements.txt", "requirements-latest.txt"),
    *("lib/Makefile", "lib/dsg/__init__.py", "lib/dsg/boxes/_nms.pyx", "lib/dsg/apps/fetch/mirrors.yml"),
    *("tools/install.py", "tools/check_machine.py", "tools/demo.py", "experiments/scripts/train.sh"),
    *("data/README.md", "data/demo/mini.npz", "data/demo/images/demo_0.png"),
)
UNWANTED = (
    "data/shapes/images/a.png",
    "output/a.npz",
    ".venv/bin/python",
    ".venv-latest/bin/python",
    ".git/HEAD",
)


def instructions() -> list[list[str]]:
    """The words of each instruction, its lines joined, without comments."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def stages() -> dict[str, str]:
    """What each stage begins with."""
    return {words[3]: words[1] for words in instructions() if words[0] == "FROM" and words[2] == "AS"}


def excluded(path: str) -> bool:
    """Whether .dockerignore leaves a file out: the last line that names it or its folder decides."""
    left_out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.split("#")[0].strip()
        if pattern and re.fullmatch(_expression(pattern.lstrip("!").strip("/")), path):
            left_out = not pattern.startswith("!")
    return left_out


def _expression(pattern: str) -> str:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(piece, re.escape(piece)) for piece in pieces) + "(?:/.*)?"


def test_patterns_mean_what_docker_takes_them_for() -> None:
    assert all(excluded(path) for path in UNWANTED)
    assert excluded("lib/dsg/boxes/_nms.c") and excluded("lib/dsg/boxes/_nms.cpython-311-x86_64-linux-gnu.so")
    assert excluded("lib/dsg/__pycache__/api.pyc") and not excluded("lib/dsg/api.py")


def test_stages() -> None:
    known = stages()
    assert {"cpu", "gpu"} <= set(known)
    before: set[str] = set()
    for name, start in known.items():
        assert start in before or ":" in start, (
            f"{name} begins with {start}, which is neither a stage nor an image"
        )
        before.add(name)
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--target (\w+)", text)) == {"cpu", "gpu"}


def test_what_is_copied_is_there() -> None:
    sources = {word for words in instructions() if words[0] == "COPY" for word in words[1:-1]}
    assert sources == {"requirements.txt", "."}
    for source in sources:
        assert (ROOT / source).exists() and not excluded(source), source


@pytest.mark.parametrize("path", NEEDED)
def test_what_is_needed_is_copied(path: str) -> None:
    assert (ROOT / path).exists() and not excluded(path)


def test_requirements_are_there() -> None:
    text = " ".join(" ".join(words) for words in instructions())
    made = set(re.findall(r"> (requirements\S*\.txt)", text))
    named = set(re.findall(r"requirements\S*\.txt", text)) - made
    assert named and all((ROOT / name).is_file() for name in named)


@pytest.mark.skipif(shutil.which("sed") is None, reason="there is no sed")
def test_the_gpu_stage_installs_the_gpu_tensorflow() -> None:
    packaging = pytest.importorskip("packaging.requirements")
    (change,) = re.findall(
        r"sed '([^']+)' requirements\.txt", (ROOT / "Dockerfile").read_text(encoding="utf-8")
    )
    done = subprocess.run(
        ["sed", change, ROOT / "requirements.txt"], capture_output=True, text=True, check=True
    )
    lines = [line.split("#")[0].strip() for line in done.stdout.splitlines()]
    found = [packaging.Requirement(line) for line in lines if line]
    machine = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11"}
    chosen = [one for one in found if one.marker is None or one.marker.evaluate(machine)]
    assert [one.extras for one in chosen if one.name.startswith("tensorflow-cpu")] == []
    assert [one.extras for one in chosen if one.name == "tensorflow"] == [{"and-cuda"}]


def test_the_command_exists() -> None:
    """Of the form ["python", "tools/demo.py"], which shlex leaves its commas."""
    for words in instructions():
        if words[0] == "CMD":
            assert (ROOT / words[-1].strip("]")).is_file(), words
