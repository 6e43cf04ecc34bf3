"""The comparison with torchvision: the same is compared with the same, in turns. No test looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers.__main__ import check_peer, measure
from benchmarks.peers.report import format_report, ratios
from benchmarks.peers.settings import CASES, Case, PeerSettings
from benchmarks.peers.subject import make_subject, masks_of, read_subject, write_subject
from benchmarks.peers.turns import (
    LIBRARY,
    TORCHVISION,
    Program,
    alike_losses,
    demand_equal_numbers,
    run_case,
    share_alike,
)
from dsg.errors import UserError
from tests.shared import ROOT

SETTINGS = PeerSettings(height=60, width=100, compared=(32, 64), threads=1, warm_up=1, repeats=3)
HERE = Program(sys.executable, "tests.benchmarks.peer_side")
BOTH = {LIBRARY: HERE, TORCHVISION: HERE}


def found(count: int = 4) -> dict[str, np.ndarray]:
    corners = np.arange(count, dtype=np.float32)[:, None] * [30.0, 20.0]
    masks = np.zeros((count, 40, 50), bool)
    masks[:, 5:25, 5:30] = True
    return {
        "boxes": np.concatenate([corners, corners + 25.0], 1),
        "classes": np.arange(1, count + 1),
        "scores": np.linspace(0.9, 0.3, count),
        "masks": masks,
    }


def test_cases_and_settings_travel_as_text() -> None:
    assert [Case.parse(name).name for name in CASES] == list(CASES)
    assert PeerSettings.from_json(SETTINGS.to_json()) == SETTINGS


def test_pictures_and_objects(tmp_path: Path) -> None:
    subject = make_subject(SETTINGS)
    assert subject.picture.shape == (60, 100, 3) and subject.compared.shape == (32, 64, 3)
    assert subject.picture.dtype == np.uint8 and subject.picture.std() > 10
    assert (subject.boxes[:, :2] >= 0).all() and (subject.boxes[:, 2:] <= [100, 60]).all()
    write_subject(subject, tmp_path)
    for first, second in zip(read_subject(tmp_path), make_subject(SETTINGS)):
        assert np.array_equal(first, second)
    sides = subject.boxes[:, 2:] - subject.boxes[:, :2]
    assert np.array_equal(masks_of(subject).sum((1, 2)), sides.prod(1))


def test_detections_that_are_alike_in_any_order() -> None:
    theirs, order = found(), [2, 0, 3, 1]
    ours = {name: values[order] for name, values in found().items()}
    assert share_alike(ours, theirs) == 1.0


@pytest.mark.parametrize(
    ("name", "change"), [("boxes", 5.0), ("classes", 1), ("scores", 0.01), ("masks", None)]
)
def test_detections_that_differ_are_told_apart(name: str, change: Any) -> None:
    ours = found()
    ours[name][1] = ~ours[name][1] if change is None else ours[name][1] + change
    assert share_alike(ours, found()) == 0.75


def test_more_detections_are_not_alike() -> None:
    first = {name: values[:4] for name, values in found(5).items()}
    assert share_alike(found(5), first) == share_alike(first, found(5)) == 0.8
    assert share_alike(found(0), found()) == share_alike(found(), found(0)) == 0.0


def test_sides_that_do_other_work_are_not_compared() -> None:
    with pytest.raises(AssertionError, match="the library detects 9 objects, torchvision 10"):
        demand_equal_numbers({LIBRARY: {"found": 9}, TORCHVISION: {"found": 10}})
    assert alike_losses(1.1, 1.0) == pytest.approx(0.1)
    for loss in (1.4, float("nan")):
        with pytest.raises(AssertionError, match="torchvision's 1.000"):
            alike_losses(loss, 1.0)


@pytest.mark.one_line
def test_two_processes_take_turns(tmp_path: Path) -> None:
    report = measure(SETTINGS, ["answer/res50_fpn/float32"], BOTH, lambda line: None)
    case = json.loads(json.dumps(report))["cases"]["answer/res50_fpn/float32"]
    assert case["agreement"] == 1.0 and report["versions"] == {"numpy": np.__version__}
    for name in (LIBRARY, TORCHVISION):
        assert case[name]["runs"] == 3 and case[name]["found"] == SETTINGS.objects
        assert case[name]["peak_mib"] > 5 and case[name]["seconds"] > 0
    table = format_report(report)
    assert "answer/res50_fpn/float32" in table and "at least 100%" in table
    write_subject(make_subject(SETTINGS), tmp_path)
    run_case(Case.parse("answer/res50_fpn/bfloat16"), SETTINGS, BOTH, tmp_path)
    assert len((tmp_path / "runs").read_text()) == 2 * (SETTINGS.warm_up + SETTINGS.repeats)
    with pytest.raises(RuntimeError, match="(?s)torchvision failed.*no steps here"):
        run_case(Case.parse("step/res50_fpn/float32"), SETTINGS, BOTH, tmp_path)


def test_ratios_say_how_many_times_faster_the_library_is() -> None:
    case = {
        TORCHVISION: {"seconds": 3.0, "processor_seconds": 4.0},
        LIBRARY: {"seconds": 1.5, "processor_seconds": 1.0},
    }
    assert ratios(case) == (2.0, 4.0)


@pytest.mark.one_line
def test_an_interpreter_without_torchvision(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be run"):
        check_peer(str(tmp_path / "python"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/bench_peers.py"), "--peer", sys.executable, "--only", "x"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "lib")},
    )
    assert done.returncode == 2 and "invalid choice" in done.stderr
