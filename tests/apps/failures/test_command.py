"""The program that reports failed answers, on a network that knows nothing."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from dsg.apps.failures.classes import CLASSES, failure_classes
from dsg.apps.failures.command import side_of
from tests.programs import run_program
from tests.small_trained import write_snapshot
from tests.tiny import make_tiny_shapes


def program(place, *words: str) -> subprocess.CompletedProcess:
    return run_program("failures", *words, cwd=place)


@pytest.mark.parametrize("variant", ["dsg", "two_step"])
def test_every_failed_answer_is_in_a_class(tmp_path, variant, untraced):
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


def test_a_failure_is_judged_by_the_truth_of_its_iou():
    # A - next - B - next - A, all of one category: as released, a box has the role that was written last.
    roles, both = np.array([[2, 1]]), np.array([[True, True]])
    boxes = np.array([[0, 0, 100, 100], [120, 0, 150, 40]], np.float32)
    chosen = np.array([[True, True]])
    answer = SimpleNamespace(
        record=SimpleNamespace(
            roles=roles,
            subject_masks=both,
            object_masks=both,
            queries=np.zeros((1, 3), int),
            entities=np.zeros(2, int),
        ),
        gt_boxes=boxes,
        prediction=SimpleNamespace(
            proposals=boxes,
            boxes=boxes,
            subjects=chosen,
            objects=chosen,
            probabilities=np.array([[[0.1, 0.7, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]]]),
            entities=np.array([[0.9, 0.1], [0.9, 0.1]]),
        ),
    )
    assert side_of(answer, 0, 0).true.tolist() == [False, True]
    assert failure_classes(side_of(answer, 0, 0))[0] == "multiplicity"
    assert side_of(answer, 0, 0, "both").true.tolist() == [True, True]


def test_mistakes_are_one_line(tmp_path):
    done = program(tmp_path, "--imdb", "absent", "--model", "mine_iter_0", "--below", "2")
    assert done.returncode == 2 and "--below" in done.stderr and done.stderr.count("\n") == 1
