"""What `make` needs of an interpreter: prints the first thing that is wrong, in one line, or nothing.

`check_machine.py` judges an interpreter that a virtual environment is to be made with, with `--installed` an
environment that is to be used as it is. Written so that an old Python can run it far enough to be told so.
"""

# ruff: noqa: UP031
import os
import shutil
import sys

OLDEST, NEWEST = (3, 9), (3, 13)
MODULES = (
    ("tensorflow", "tensorflow"),
    ("tensorboard", "tensorboard"),
    ("numpy", "numpy"),
    ("cv2", "opencv-python-headless"),
    ("yaml", "pyyaml"),
    ("tqdm", "tqdm"),
    ("matplotlib", "matplotlib"),
    ("Cython", "cython"),
    ("setuptools", "setuptools"),
)


def main(installed):
    """The first problem, or None."""
    return _version() or (_lacks() if installed else _venv()) or _compiler()


def _version():
    found = sys.version_info[:2]
    if OLDEST <= found <= NEWEST:
        return None
    reason = "too old" if found < OLDEST else "newer than the TensorFlow releases that dsg knows"
    limits = OLDEST + NEWEST
    return "%s is Python %d.%d, %s: name one of %d.%d - %d.%d, e.g. make PYTHON=python3.11" % (
        (sys.executable,) + found + (reason,) + limits
    )


def _venv():
    from importlib.util import find_spec

    if find_spec("venv") and find_spec("ensurepip"):
        return None
    return (
        "%s has no venv module: install it (on Debian and Ubuntu: apt-get install python3-venv)"
        % sys.executable
    )


def _lacks():
    from importlib.util import find_spec

    missing = [package for module, package in MODULES if find_spec(module) is None]
    if not missing:
        return None
    return "%s lacks %s: install requirements.txt there, or leave PYTHON out and let make set up its own" % (
        sys.executable,
        ", ".join(missing),
    )


def _compiler():
    import sysconfig

    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(command) is None:
        return (
            "no C compiler (%s): install one (Debian, Ubuntu: apt-get install gcc), or name it in CC"
            % command
        )
    if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        return (
            "%s lacks its C headers: install them (on Debian and Ubuntu: apt-get install python3-dev)"
            % sys.executable
        )
    return None


if __name__ == "__main__":
    problem = main("--installed" in sys.argv)
    if problem:
        print(problem)
