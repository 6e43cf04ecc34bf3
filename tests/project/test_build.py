"""The build as a user meets it: a copy of the project, machines that lack something, the requirements."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.shared import ROOT

FILES = (
    "Makefile",
    "setup.py",
    "pyproject.toml",
    "requirements.txt",
    "requirements-latest.txt",
    "requirements-dev.txt",
    "tools/check_machine.py",
    "tools/install.py",
    "lib/Makefile",
    "lib/dsg/__init__.py",
    "lib/dsg/version.py",
)
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
MAKE = shutil.which("make")
IN_ENVIRONMENT = (Path(sys.executable).parents[1] / "pyvenv.cfg").exists()

needs_make = pytest.mark.skipif(MAKE is None, reason="there is no make")
needs_environment = pytest.mark.skipif(
    MAKE is None or not IN_ENVIRONMENT, reason="needs make, and to run inside a virtual environment"
)


def make(folder, *arguments, **environment):
    """Run make as from a shell of its own, whatever make this test may run under."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("MAKEFLAGS", "MAKELEVEL", "PYTHON", "TF")
    }
    return subprocess.run(
        [MAKE, *arguments],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def copy_project(folder):
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    unbuilt = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    shutil.copytree(ROOT / "lib" / "dsg" / "boxes", folder / "lib" / "dsg" / "boxes", ignore=unbuilt)
    return folder


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path):
    return copy_project(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy that was built with the interpreter of the tests; and what make said."""
    if MAKE is None or not IN_ENVIRONMENT:
        pytest.skip("needs make, and to run inside a virtual environment")
    folder = copy_project(tmp_path_factory.mktemp("built"))
    return folder, make(folder, f"PYTHON={sys.executable}")


def test_build_from_nothing(built):
    folder, result = built
    assert result.returncode == 0, result.stdout + result.stderr
    assert (folder / "lib" / "dsg" / "boxes" / f"_nms{SUFFIX}").exists()
    assert (folder / "lib" / "dsg" / "boxes" / f"_overlaps{SUFFIX}").exists()
    assert "agree with NumPy" in result.stdout and "ready" in result.stdout
    assert result.stderr == "" and len(result.stdout.splitlines()) <= 6


def test_built_already_is_silent_for_scripts(built):
    folder, _ = built
    result = make(folder, "-s", "build", f"PYTHON={sys.executable}")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_lib_makefile_builds_too(built):
    folder, _ = built
    result = make(folder / "lib", f"PYTHON={sys.executable}")
    assert result.returncode == 0 and "ready" in result.stdout


def test_the_interpreter_is_printed_for_scripts(built):
    folder, _ = built
    assert make(folder, "-s", "python", f"PYTHON={sys.executable}").stdout.strip() == sys.executable
    assert make(folder, "-s", "python").stdout.strip() == str(folder / ".venv" / "bin" / "python")


def test_lost_files_and_new_sources_are_noticed(built, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(built[0], folder)

    def plan(*arguments):
        return make(folder, "-n", f"PYTHON={sys.executable}", *arguments).stdout

    # The state belongs to the folder, and this is another: all is to do again. Say that it was done here.
    boxes = folder / "lib" / "dsg" / "boxes"
    state = folder / "build" / "state"
    old = next(path for path in (folder / "build").iterdir() if path.name.startswith("environment-"))
    old.rename(state)
    assert "build_ext" not in plan(f"STATE={state}")
    os.utime(boxes / "nms.py", (2e9, 2e9))
    assert "selfcheck" in plan(f"STATE={state}") and "build_ext" not in plan(f"STATE={state}")
    (boxes / f"_nms{SUFFIX}").unlink()
    assert "build_ext" in plan(f"STATE={state}")


@needs_environment
@pytest.mark.skipif(MAKE is None, reason="needs make")
def test_a_folder_with_a_blank(tmp_path):
    folder = copy_project(tmp_path / "my clone")
    assert make(folder, "-s", "python").stdout.strip() == str(folder / ".venv" / "bin" / "python")
    dry = make(folder, "-n", "build", f"PYTHON={sys.executable}")
    assert dry.returncode == 0 and dry.stderr == "", dry.stderr


def test_wrong_source_fails_loudly(project):
    (project / "lib" / "dsg" / "boxes" / "_nms.pyx").write_text("def select(:\n")
    result = make(project, f"PYTHON={sys.executable}")
    assert result.returncode == 2
    assert "the build failed" in result.stderr and "build.log" in result.stderr


@needs_make
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("exit 127", "no working"),
        ("3, 8, 18", "Python 3.8, too old"),
        ("2, 7, 18", "Python 2.7, too old"),
        ("4, 1, 0", "Python 4.1, newer than"),
    ],
)
def test_unsuitable_interpreter(project, answer, words):
    if answer.startswith("exit"):
        fake = script(project / "fakepython", answer)
    else:
        start = f"import runpy, sys; sys.version_info = ({answer}); sys.argv = sys.argv[1:]; "
        start += "runpy.run_path(sys.argv[0], run_name='__main__')"
        fake = script(
            project / "fakepython", f'[ "$1" = -c ] && exit 0\nexec {sys.executable} -c "{start}" "$@"'
        )
    assert_refused(make(project, f"PYTHON={fake}"), words)


@needs_make
def test_no_interpreter_at_all(project):
    assert_refused(make(project, "PYTHON=no-such-python"), "no working no-such-python", "make PYTHON=")


@needs_make
def test_interpreter_that_cannot_make_environments(project):
    hide = "import runpy, sys, importlib.util as u; find = u.find_spec; "
    hide += (
        "u.find_spec = lambda name: None if name == 'ensurepip' else find(name); sys.argv = sys.argv[1:]; "
    )
    hide += "runpy.run_path(sys.argv[0], run_name='__main__')"
    fake = script(project / "fakepython", f'[ "$1" = -c ] && exit 0\nexec {sys.executable} -c "{hide}" "$@"')
    assert_refused(make(project, f"PYTHON={fake}"), "no venv module", "python3-venv")


@needs_environment
def test_no_compiler(project):
    python = f"PYTHON={sys.executable}"
    assert_refused(make(project, python, "CC=no-such-compiler"), "no C compiler (no-such-compiler)")
    assert_refused(make(project, python, CC="no-such-compiler"), "no C compiler (no-such-compiler)")


@needs_make
def test_environment_that_lacks_something(project):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / "bare"], check=True)
    result = make(project, f"PYTHON={project / 'bare' / 'bin' / 'python'}")
    assert_refused(result, "lacks tensorflow", "requirements.txt")


@needs_make
def test_unknown_tensorflow(project):
    assert_refused(make(project, "TF=newest"), "TF is 'latest' or left out, not 'newest'")


@needs_make
def test_help_and_clean_need_nothing(project):
    result = make(project, "help", "PYTHON=no-such-python")
    assert result.returncode == 0
    for target in ("env", "test", "test-latest", "demo", "bench", "lint", "typecheck", "format", "clean"):
        assert f"make {target}" in result.stdout, target
    (project / "lib" / "dsg" / "boxes" / "_nms.old.so").write_text("")
    assert make(project, "clean", "PYTHON=no-such-python").returncode == 0
    assert not list(project.rglob("*.so"))


def assert_refused(result, *words):
    """One line, status 2, and nothing begun."""
    assert result.returncode == 2
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1, result.stdout + result.stderr
    for word in words:
        assert word in result.stderr


LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}
MACHINES = [
    LINUX,
    {"sys_platform": "linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_machine": "AMD64"},
]


def requirements(name, python, machine):
    """What a machine installs: package -> version specifier."""
    packaging = pytest.importorskip("packaging.requirements")
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    wanted = [packaging.Requirement(line) for line in lines if line]
    environment = {**machine, "python_version": python}
    chosen = [item for item in wanted if item.marker is None or item.marker.evaluate(environment)]
    names = [item.name for item in chosen]
    assert len(names) == len(set(names)), "each package once"
    return {item.name: item.specifier for item in chosen}


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: "-".join(machine.values()))
@pytest.mark.parametrize("name", ["requirements.txt", "requirements-latest.txt"])
def test_requirements(name, machine, python):
    wanted = requirements(name, python, machine)
    flavours = {"tensorflow", "tensorflow-cpu"} & set(wanted)
    assert flavours == {"tensorflow-cpu" if machine is LINUX else "tensorflow"}
    pinned = name == "requirements.txt" and python in ("3.9", "3.10", "3.11")
    tensorflow = wanted[flavours.pop()]
    assert ("2.15.1" in tensorflow) == pinned and ("2.21.0" in tensorflow) != pinned
    assert ("1.26.4" in wanted["numpy"]) == pinned and ("2.1.0" in wanted["numpy"]) != pinned
    assert ("5.0.0.93" in wanted["opencv-python-headless"]) != pinned  # it demands numpy 2
    on_arm_linux = machine["sys_platform"] == "linux" and machine is not LINUX
    assert ("tensorflow-addons" in wanted) == (pinned and not on_arm_linux)
    assert {"tensorboard", "pyyaml", "tqdm", "matplotlib", "cython", "setuptools", "wheel"} <= set(wanted)


def test_requirements_name_no_server():
    for name in (
        "requirements.txt",
        "requirements-latest.txt",
        "requirements-dev.txt",
        "pyproject.toml",
        "Makefile",
    ):
        text = (ROOT / name).read_text()
        assert "://" not in text and "index-url" not in text and "find-links" not in text, name
