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
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.shared import ROOT

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
EXTRAS = {
    "cpu": "tensorflow",
    "serve": "gradio",
    "export": "tf2onnx",
    "docs": "mkdocs-material",
    "coco": "pycocotools",
}
PLAIN = {
    "numpy",
    "opencv-python-headless",
    "pyyaml",
    "tqdm",
    "matplotlib",
    "pillow",
    "h5py",
    "jinja2",
    "shtab",
}
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}


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
    shutil.copytree(ROOT / "experiments" / "cfgs", folder / "clone" / "experiments" / "cfgs")
    for other in ("benchmarks", "crash", "tests"):  # which must stay outside
        (folder / "clone" / other).mkdir()
        (folder / "clone" / other / "__init__.py").touch()
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
    assert {f"dsg/boxes/_nms{SUFFIX}", f"dsg/boxes/_overlaps{SUFFIX}", "dsg/apps/fetch/mirrors.yml"} <= names
    assert {f"dsg/apps/{name}.html" for name in ("report/page", "report/parts", "failures/objects")} <= names
    modules = {path.relative_to(ROOT / "lib").as_posix() for path in (ROOT / "lib" / "dsg").rglob("*.py")}
    assert modules <= names
    cfgs = ROOT / "experiments" / "cfgs"
    assert {f"dsg/cfgs/{path.relative_to(cfgs)}" for path in cfgs.rglob("*.yml")} <= names
    outside = ("tests/", "tools/", "benchmarks/", "crash/")
    assert not [name for name in names if name.startswith(outside) or name.endswith(".c")]


def test_extras_are_those_of_the_requirements(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert set(EXTRAS) == set(metadata.get_all("Provides-Extra", []))
    required = metadata.get_all("Requires-Dist", [])
    for extra, package in EXTRAS.items():
        assert [line for line in required if line.startswith(package) and f'"{extra}"' in line], extra


def plain_requirements(lines: list[str], python: str) -> dict[str, SpecifierSet]:
    """What is installed without extras on a machine: package -> versions."""
    chosen = {}
    for one in map(Requirement, lines):
        if one.marker is None or one.marker.evaluate({**LINUX, "python_version": python, "extra": ""}):
            assert one.name not in chosen, "each package once"
            chosen[one.name] = one.specifier
    return chosen


@pytest.mark.parametrize("python", ["3.9", "3.11", "3.12", "3.13"])
def test_all_but_tensorflow_is_required_without_an_extra(wheel: Path, python: str) -> None:
    """With the oldest versions of requirements.txt, and open to what the newest TensorFlow needs."""
    ours = plain_requirements(metadata_of(wheel).get_all("Requires-Dist", []), python)
    assert set(ours) == PLAIN
    files = {name: requirement_lines(ROOT / name) for name in ("requirements.txt", "requirements-latest.txt")}
    pinned = plain_requirements(files["requirements.txt"], python)
    for name, versions in ours.items():
        oldest = [str(one) for one in pinned[name] if one.operator == ">="]
        assert [str(one) for one in versions] == oldest, name
    newest = plain_requirements(files["requirements-latest.txt"], python)
    for name in PLAIN & set(newest):
        assert all(one.version in ours[name] for one in newest[name] if one.operator == ">="), name


def requirement_lines(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def test_without_tensorflow_one_line_says_what_to_install(wheel: Path, tmp_path: Path) -> None:
    """Nor is there a traceback of a missing module where the plain requirements lack."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    script = (
        "import sys, dsg\n"
        "from dsg.errors import UserError\n"
        "sys.modules[sys.argv[1]] = None\n"  # how Python marks what cannot be imported
        "try:\n"
        "    dsg.load(sys.argv[2])\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    for name, package in (
        ("tensorflow", "TensorFlow"),
        ("numpy", "numpy"),
        ("cv2", "opencv-python-headless"),
    ):
        command = [sys.executable, "-c", script, name, str(ROOT / "data" / "demo" / "mini.npz")]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-2000:]
        (line,) = result.stdout.splitlines()
        assert line.startswith(f"{package} is not installed") and 'pip install ".[cpu]"' in line


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_works_without_the_clone(wheel: Path, tmp_path: Path) -> None:
    """The operations agree with NumPy, the list of mirrors is read, a question is answered."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    script = (
        "import sys, dsg, dsg.boxes.selfcheck, dsg.apps.fetch\n"
        "from importlib.resources import files\n"
        "assert dsg.__file__.startswith(sys.argv[1]), dsg.__file__\n"
        "assert files('dsg.apps.fetch').joinpath('mirrors.yml').read_text(encoding='utf-8')\n"
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


def test_the_program_is_installed(wheel: Path, tmp_path: Path) -> None:
    """The script `dsg` finds the configurations that the wheel carries; what only a clone has is said."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert "dsg = dsg.apps.main:console" in archive.read(name).decode()
        archive.extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}

    def dsg(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dsg", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert dsg("--version").stdout == f"dsg {metadata_of(wheel)['Version']}\n"
    checked = dsg("train", "--dataset", "shapes", "--net", "mini_best", "--check")
    assert checked.returncode == 0, checked.stderr
    refused = dsg("train", "--dataset", "shapes", "--net", "mini_bset", "--check")
    assert refused.returncode == 2 and "did you mean mini_best?" in refused.stderr
    for words in (["demo"], ["ask", "a.png", "a, b, c"], ["options", "--write"]):
        told = dsg(*words)
        assert told.returncode == 2 and "clone" in told.stderr and told.stderr.count("\n") == 1, told.stderr
