"""`pip wheel .` gives a wheel that works without the clone: compiled operations, package data, extras."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
EXTRAS = {"cpu": "numpy", "serve": "gradio", "export": "tf2onnx", "docs": "mkdocs-material"}


def obstacle() -> str:
    """Why no wheel can be built here, or nothing."""
    missing = [
        name for name in ("pip", "Cython", "setuptools", "wheel") if importlib.util.find_spec(name) is None
    ]
    if missing:
        return f"{sys.executable} lacks {', '.join(missing)}"
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return "" if shutil.which(compiler.split()[0]) else f"there is no C compiler ({compiler})"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, with the build tools that are installed, so that nothing is fetched."""
    if obstacle():
        pytest.skip(f"a wheel cannot be built: {obstacle()}")
    folder = tmp_path_factory.mktemp("wheel")
    unbuilt = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "lib", folder / "clone" / "lib", ignore=unbuilt)
    for path in [ROOT / "setup.py", ROOT / "pyproject.toml", *ROOT.glob("requirements*.txt")]:
        shutil.copy(path, folder / "clone")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q"]
    result = subprocess.run(
        [*command, "--disable-pip-version-check", "-w", str(folder)],
        cwd=folder / "clone",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    (built,) = folder.glob("dsg-*.whl")
    return built


def test_everything_that_is_needed_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"dsg/boxes/_nms{SUFFIX}", f"dsg/boxes/_overlaps{SUFFIX}", "dsg/fetch/mirrors.yml"} <= names
    modules = {path.relative_to(ROOT / "lib").as_posix() for path in (ROOT / "lib" / "dsg").rglob("*.py")}
    assert modules <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/"))]


def test_extras_are_those_of_the_requirements(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert set(EXTRAS) == set(metadata.get_all("Provides-Extra", []))
    required = metadata.get_all("Requires-Dist", [])
    assert all("extra ==" in line for line in required)
    for extra, package in EXTRAS.items():
        assert [line for line in required if line.startswith(package) and f'"{extra}"' in line], extra


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_works_without_the_clone(wheel: Path, tmp_path: Path) -> None:
    """The operations agree with NumPy, the list of mirrors is read, a question is answered."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    script = (
        "import sys, dsg, dsg.boxes.selfcheck, dsg.fetch\n"
        "from importlib.resources import files\n"
        "assert dsg.__file__.startswith(sys.argv[1]), dsg.__file__\n"
        "assert files('dsg.fetch').joinpath('mirrors.yml').read_text(encoding='utf-8')\n"
        "model = dsg.load(sys.argv[2] + '/mini.npz')\n"
        "question = 'green metal cube, behind, yellow metal cylinder'\n"
        "print(model.ask(sys.argv[2] + '/images/demo_0.png', [question])[0].subject.rounded())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    check = [sys.executable, "-m", "dsg.boxes.selfcheck"]
    ask = [sys.executable, "-c", script, str(tmp_path / "installed"), str(ROOT / "data" / "demo")]
    for command, words in ((check, "agree with NumPy"), (ask, "(")):
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, result.stderr[-2000:]
        assert words in result.stdout
