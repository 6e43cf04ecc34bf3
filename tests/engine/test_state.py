"""What a snapshot keeps of a run besides arrays."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dsg.engine.snapshots import Meta, load_snapshot, save_snapshot
from dsg.engine.state import TrainState
from dsg.engine.step import StepReport


def finished(*scores: float) -> TrainState:
    state = TrainState()
    for score in scores:
        state.finish_epoch({}, score)
    return state


@pytest.mark.parametrize(
    "scores, best",
    [
        ((-0.3, -0.2, -0.4), 2),
        ((math.nan, -0.3), 2),
        ((math.nan, -0.3, math.nan, -0.4), 2),
        ((math.nan, math.nan), 2),  # no epoch is known to be better: the one that learned most
    ],
)
def test_a_score_that_is_no_number_is_never_the_best_of_numbers(scores: tuple[float, ...], best: int) -> None:
    state = finished(*scores)
    numbers = [score for score in scores if not math.isnan(score)]
    assert state.best_epoch == best and state.best_score == (max(numbers) if numbers else None)


def test_an_older_snapshot_may_have_no_number_for_its_best_score() -> None:
    state = TrainState.from_meta(Meta(net="co", epoch=1, step=5, best_score=math.nan, best_epoch=1))
    assert state.best_score is None and state.best_epoch == 1
    assert state.finish_epoch({}, -0.3) and state.best_epoch == 2


def test_an_unfinished_epoch_comes_back_from_a_file(tmp_path: Path) -> None:
    state = finished(0.1)
    state.unreadable["a.png"] = "no such image"
    state.add(StepReport({"total": 0.5}, 1.0, True), 4, 1, None)
    state.add(StepReport({"total": math.nan}, math.nan, False), 4, 2, 0.25)
    save_snapshot(tmp_path / "a.npz", {}, {}, state.to_meta({"net": "co"}))
    again = TrainState.from_meta(load_snapshot(tmp_path / "a.npz").meta)
    assert again.current == state.current and again.bad_in_row == 1 and list(again.unreadable) == ["a.png"]
    assert (again.epoch, again.step, again.best_score) == (1, 2, 0.1)


def test_a_snapshot_names_the_images_that_were_skipped() -> None:
    state = TrainState(unreadable={"a.png": "/home/me/a.png: no such image", "b.png": "b.png: empty"})
    again = TrainState.from_meta(state.to_meta({"net": "co"}))
    assert list(again.unreadable) == ["a.png", "b.png"]
    assert "/home/me" not in json.dumps(state.to_meta({"net": "co"}).epoch_state)
    assert TrainState.from_meta(Meta(net="co", epoch=1, step=5)).unreadable == {}
