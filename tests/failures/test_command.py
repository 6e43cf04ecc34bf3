"""The program that reports failed answers, on a network that knows nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dsg.failures.classes import CLASSES
from tests.small_trained import write_snapshot
from tests.tiny import ROOT, make_tiny_shapes


def program(place, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "tools/failures.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=place)


@pytest.mark.parametrize("variant", ["dsg", "two_step"])
def test_every_failed_answer_is_in_a_class(tmp_path, variant):
    make_tiny_shapes(tmp_path / "data", train=2, test=3)
    write_snapshot(tmp_path / "mine_iter_0.npz", "VARIANT", variant)
    done = program(tmp_path, "--imdb", "data/shapes", "--model", "mine_iter_0.npz", "--to", "out")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out/failures.json").read_text())
    failed = found["failed"]["all"]
    assert (
        0 < failed["count"] == sum(failed["by_class"].values()) == len(found["failures"]) <= found["answers"]
    )
    assert all(one["iou"] < 0.5 and set(one["classes"]) <= set(CLASSES) for one in found["failures"])
    assert (tmp_path / "out/failures.png").stat().st_size > 5000
    assert (tmp_path / "out/failures.md").read_text().strip() in done.stdout


def test_mistakes_are_one_line(tmp_path):
    done = program(tmp_path, "--imdb", "absent", "--model", "mine_iter_0", "--below", "2")
    assert done.returncode == 2 and "--below" in done.stderr and done.stderr.count("\n") == 1
