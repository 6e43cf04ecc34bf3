"""The check after every build: passes a right one, names a missing or wrong one; and work without a build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.shared import ROOT

LIB = ROOT / "lib"
SELFCHECK = ["-m", "dsg.boxes.selfcheck"]


def run(lib, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(lib), "PYTHONNOUSERSITE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, cwd=lib
    )


@pytest.fixture
def unbuilt(tmp_path):
    """A copy of the part of the package in question, without its extensions."""
    package = tmp_path / "lib" / "dsg"
    shutil.copytree(
        LIB / "dsg" / "boxes",
        package / "boxes",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"),
    )
    for name in ("__init__.py", "version.py"):
        shutil.copy(LIB / "dsg" / name, package)
    return tmp_path / "lib"


def assert_refused(result, *words):
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def test_right_build():
    result = run(LIB, *SELFCHECK)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1


def test_missing_build(unbuilt):
    assert_refused(run(unbuilt, *SELFCHECK), "missing", "make")


def test_file_that_is_no_extension(unbuilt):
    import sysconfig

    (unbuilt / "dsg" / "boxes" / f"_nms{sysconfig.get_config_var('EXT_SUFFIX')}").write_bytes(
        b"not a library"
    )
    assert_refused(run(unbuilt, *SELFCHECK), "missing")


@pytest.mark.parametrize(
    ("overlap", "threshold", "words"),
    [("iou * 1.001", "threshold", "overlaps of"), ("iou", "threshold + 0.1", "NMS of")],
)
def test_wrong_build(unbuilt, overlap, threshold, words):
    """Modules that compute a little off stand in for a miscompiled extension."""
    boxes = unbuilt / "dsg" / "boxes"
    (boxes / "_overlaps.py").write_text(
        "from dsg.boxes.overlaps import overlaps_np\n"
        "def overlaps(boxes, query, dtype):\n"
        "    iou = overlaps_np(boxes, query, dtype)\n"
        f"    return ({overlap}).astype(dtype)\n"
    )
    (boxes / "_nms.py").write_text(
        "from dsg.boxes.nms import nms_np\n"
        "def select(dets, scores, order, is_sorted, threshold, kept, chosen):\n"
        f"    found = nms_np(dets, {threshold}, len(chosen), order=order if is_sorted else None)\n"
        "    chosen[: len(found)] = found\n"
        "    return len(found)\n"
    )
    assert_refused(run(unbuilt, *SELFCHECK), "wrong", words)


def test_the_library_works_unbuilt_and_says_so_once(unbuilt):
    code = (
        "import numpy as np\n"
        "from dsg.boxes.nms import nms\n"
        "from dsg.boxes.overlaps import overlaps\n"
        "boxes = np.float32([[0, 0, 9, 9, 0.5], [1, 1, 9, 9, 0.9], [50, 50, 60, 60, 0.1]])\n"
        "assert list(nms(boxes, 0.5)) == [1, 2]\n"
        "assert overlaps(boxes[:, :4], boxes[:, :4]).shape == (3, 3)\n"
    )
    result = run(unbuilt, "-c", code)
    assert result.returncode == 0, result.stderr
    assert len(result.stderr.splitlines()) == 1 and "run make" in result.stderr
