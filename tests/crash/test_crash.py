"""A few of the kills of `make crash-test`, of the quickest commands, and what it makes of their ends."""

from __future__ import annotations

import random
import signal

import numpy as np
import pytest

from crash.cases import WEIGHTS, differences, faults_of, killed_runs, plan, undisturbed
from crash.files import CONVERSION, FETCH, GENERATOR
from crash.process import Ended
from crash.report import table
from crash.subject import snapshot_content
from dsg.engine.snapshots import Meta, save_snapshot


@pytest.mark.parametrize("subject", [GENERATOR, CONVERSION, FETCH], ids=lambda subject: subject.name)
def test_a_killed_command_goes_on(subject, tmp_path):
    """By SIGKILL, which leaves it no time to put anything in order."""
    whole = undisturbed(subject, tmp_path)
    assert whole.content
    ((case,),) = killed_runs(subject, whole, 1, random.Random(0), tmp_path, disks=False)
    assert case.blow == "SIGKILL" and (case.struck or case.moment == "at random")
    assert case.faults == []
    assert table([case]).splitlines()[-1].split()[:3] == ["all", str(int(case.struck)), str(int(case.struck))]


def test_kills_are_shared_out():
    assert plan(30, list(WEIGHTS)) == WEIGHTS
    assert plan(3, ["dsg", "fetch", "cache"]) == {"dsg": 1, "fetch": 1, "cache": 1}
    assert sum(plan(100, list(WEIGHTS)).values()) == 100


def test_every_difference_is_named():
    found = differences({"a": "1", "b": "1", "c": "1"}, {"b": "1", "c": "2", "d": "1"})
    assert found == ["missing: a", "superfluous: d", "other: c"]
    assert differences({"a": "1"}, {"a": "1"}) == []


def test_ends_that_are_faults():
    def faults(status, errors="", orphans=0, expected=(0,)):
        return faults_of(Ended(True, status, "", errors, 1.0, orphans), expected)

    assert faults(0) == [] and faults(2, "error: no room\n", expected=(2,)) == []
    assert faults(-signal.SIGKILL, expected=(-signal.SIGKILL,)) == []
    assert faults(1, "Traceback (most recent call last)\nKeyError: 3") == [
        "status 1: KeyError: 3",
        "a traceback",
    ]
    assert faults(2, "hm\n", expected=(2,)) == ["no line that says what to do"]
    assert faults(0, orphans=2) == ["2 processes went on"]


def test_snapshots_are_the_same_bit_for_bit_and_but_for_times(tmp_path):
    def content(weight, seconds, total=1.5):
        entry = {"epoch": 1, "total": total, "seconds": seconds, "images_per_second": seconds}
        path = tmp_path / "run_iter_1.npz"
        save_snapshot(path, {"w": np.float32([weight])}, {}, Meta("mini", 1, 10, history=[entry]))
        return snapshot_content(path)

    assert content(0.0, 1.0) == content(0.0, 2.0)
    assert differences(content(0.0, 1.0), content(-0.0, 1.0)) == ["other: run_iter_1.npz: variables/w"]
    assert differences(content(0.0, 1.0), content(0.0, 1.0, total=1.25)) == ["other: run_iter_1.npz: meta"]
