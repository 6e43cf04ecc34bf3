"""A run calls its callbacks in the order that `callback` documents, with the weights that it promises."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from dsg.engine.callbacks.callback import Batches, Callback, Step, Validation
from dsg.engine.runs import Run
from dsg.engine.snapshots import load_snapshot
from dsg.engine.state import TrainState
from dsg.engine.train import train
from dsg.models.registry import task_of
from dsg.runtime.interrupt import Interrupted
from tests.models.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes

pytestmark = pytest.mark.usefixtures("untraced_module")


class Recorder(Callback):
    """Notes its hooks; sends SIGTERM after a step, of the whole run, or while a validation begins."""

    def __init__(self, stop_at: int | None = None, stop_validation: int | None = None) -> None:
        self.calls: list[str] = []
        self._stop_at, self._stop_validation = stop_at, stop_validation
        self._epoch = 0

    def on_epoch_start(self, state: TrainState) -> None:
        self.calls.append(f"start {state.epoch}")
        self._epoch = state.epoch

    def around_steps(self, state: TrainState, batches: Batches) -> Batches:
        self.calls.append("(")
        try:
            yield from batches
        finally:
            self.calls.append(")")

    def on_step_end(self, state: TrainState, step: Step) -> None:
        assert step.report.finite and len(step.batch["index"]) and step.learning_rate > 0
        self.calls.append(str(state.step))
        if state.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    @contextlib.contextmanager
    def during_validation(self) -> Iterator[None]:
        self.calls.append("[")
        if self._epoch == self._stop_validation:
            os.kill(os.getpid(), signal.SIGTERM)
        yield
        self.calls.append("]")

    def on_validation_failed(self, state: TrainState) -> None:
        self.calls.append("failed")

    def on_validation_end(self, state: TrainState, validation: Validation) -> None:
        assert len(state.history) == state.epoch and state.history[-1]["validation"]
        self.calls.append("validated, best" if validation.best else "validated")

    def on_epoch_end(self, state: TrainState) -> None:
        self.calls.append(f"end {state.epoch}")

    def on_interrupt(self, state: TrainState) -> None:
        self.calls.append("interrupt")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=14, test=3)


def options(data, *more: str):
    steps = ("TRAIN.IMS_PER_BATCH", "8", "TRAIN.STEPS_PER_EPOCH", "2")
    return settings("co", data, *steps, "TRAIN.AVERAGE", "0.5", *more)


def test_hooks_come_in_order_also_where_a_run_is_interrupted(data, tmp_path) -> None:
    config, *splits = options(data)
    run = Run.of(tmp_path, "co", "shapes", "run")

    def calls(recorder: Recorder, interrupted: bool) -> str:
        with pytest.raises(Interrupted) if interrupted else contextlib.nullcontext():
            train(task_of(config), config, *splits, run, callbacks=[recorder])
        return " ".join(recorder.calls)

    first = "start 0 ( 1 2 ) [ validated, best ] end 1"
    assert calls(Recorder(stop_at=3), True) == f"{first} start 1 ( 3 ) interrupt close"
    # What is left of the epoch is one step; its validation is interrupted, and repeated alone.
    assert calls(Recorder(stop_validation=1), True) == "start 1 ( 4 ) [ interrupt close"
    assert calls(Recorder(), False).replace(", best", "") == "[ validated ] end 2 close"


def test_an_error_in_a_validation_is_told_before_the_run_ends(data, tmp_path) -> None:
    class Failing(Recorder):
        @contextlib.contextmanager
        def during_validation(self) -> Iterator[None]:
            self.calls.append("[")
            raise MemoryError("no memory for so large an image")
            yield

    config, *splits = options(data)
    recorder = Failing()
    with pytest.raises(MemoryError):
        train(task_of(config), config, *splits, Run.of(tmp_path, "co", "shapes", "run"), callbacks=[recorder])
    assert " ".join(recorder.calls) == "start 0 ( 1 2 ) [ failed close"


def test_the_best_snapshot_holds_the_averages_and_the_epochs_the_weights(data, tmp_path) -> None:
    config, *splits = options(data, "TRAIN.EPOCHS", "1")
    run = Run.of(tmp_path, "co", "shapes", "run")
    train(task_of(config), config, *splits, run)
    best, epoch = load_snapshot(run.snapshot(0)), load_snapshot(run.snapshot(1))
    averages = {name: value for name, value in epoch.slots.items() if name.startswith("average/")}
    assert len(averages) > 1 and not best.slots
    different = 0
    for name, value in averages.items():
        if name != "average/steps":
            variable = name[len("average/") :]
            np.testing.assert_array_equal(best.variables[variable], value)
            different += bool((epoch.variables[variable] != value).any())
    assert different > 1
