"""Variables that the user's environment has set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cases.inputs import coco, dataset, noise, relations, write
from tests.cases.programs import MAIN, ROOT

BASE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "lib"), "CUDA_VISIBLE_DEVICES": "-1"}
DRAW = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
from dsg.visualize.canvas import blank, draw_text, save_png
from dsg.visualize.curves import training_curves
image = blank(30, 100)
draw_text(image, (1, 1), "cup")
save_png(image, folder / "a.png")
training_curves([{"epoch": 1, "total": 1.0}, {"epoch": 2, "total": 0.5}], folder / "b.png")
import os
print(os.environ["MPLBACKEND"])
"""
BACKENDS = ["module://matplotlib_inline.backend_inline", "TkAgg", "nonsense", ""]


def run(code, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**BASE, **variables},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


# 1: what notebooks set for matplotlib


@pytest.mark.parametrize("backend", BACKENDS)
def test_files_are_drawn_with_any_backend(backend, tmp_path):
    """And the variable is left as it was."""
    done = run(DRAW, tmp_path, MPLBACKEND=backend, HOME=str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, backend), done.stderr
    assert (tmp_path / "a.png").stat().st_size and (tmp_path / "b.png").stat().st_size


# 19: names that the terminal's encoding lacks

C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def typed(tool, *arguments, **variables):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *map(os.fsencode, map(str, arguments))],
        env={**BASE, **variables},
        capture_output=True,
        cwd=ROOT,
    )


ENCODINGS = [C_LOCALE, {**C_LOCALE, "PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX"}]


@pytest.mark.parametrize(("encoding", "backend"), list(zip(ENCODINGS, BACKENDS)))
def test_names_that_are_not_ascii(encoding, backend, tmp_path):
    """The program draws, too, with any backend."""
    folder = dataset(tmp_path / "ma\u00eetre", objects=("杯子", "table", "ch\u00eane"))
    variables = {**encoding, "MPLBACKEND": backend, "HOME": str(tmp_path)}
    done = typed("check_dataset", folder, "--output", tmp_path / "out", **variables)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr and b"usable" in done.stdout
    assert (tmp_path / "out" / "check" / folder.name / "statistics.png").is_file()


def test_mistakes_with_names_that_are_not_ascii(tmp_path):
    done = typed(
        "check_dataset", tmp_path / "杯子", "--output", tmp_path / "out", HOME=str(tmp_path), **C_LOCALE
    )
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr and done.stderr.startswith(b"error: ")


def test_converting_names_that_are_not_ascii(tmp_path):
    boxes = coco(lambda content: content["categories"][0].update(name="杯子"))
    noise(tmp_path / "f\u00f6to" / "im1.jpg")
    given = (
        write(tmp_path / "k\u00e4sten.json", boxes),
        write(tmp_path / "r.csv", relations().replace("on", "在上")),
    )
    done = typed("convert", "coco", *given, tmp_path / "data-\u00e9", HOME=str(tmp_path), **C_LOCALE)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data-\u00e9" / "objects.json").is_file()


# 20: the level of TensorFlow's messages that the user has set

SUM = """
import gc
gc.disable()
def program(arguments):
    import tensorflow as tf
    print(float(tf.reduce_sum(tf.ones(3))))
"""
NOISE = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
NOISY = f"""
import os
def program(arguments):
    os.write(2, {NOISE.encode()!r})
    os.write(2, b"the end is near\\n")
"""


@pytest.mark.parametrize("level", [None, "3"])
def test_tensorflow_says_nothing(level, tmp_path):
    variables = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    done = run(f"{SUM}\n{MAIN}\nmain(program)", HOME=str(tmp_path), **variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0\n", "")


@pytest.mark.parametrize("level", [None, "2", "3", "1", "0"])
def test_who_wants_all_messages_gets_them(level, tmp_path):
    """What C++ writes, as TensorFlow does."""
    variables = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    done = run(f"{NOISY}\n{MAIN}\nmain(program)", HOME=str(tmp_path), **variables)
    assert done.returncode == 0
    assert done.stderr == (NOISE if level in ("0", "1") else "") + "the end is near\n"
