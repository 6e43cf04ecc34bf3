"""The hooks of a training run.

An epoch calls them in this order:

    on_epoch_start
    around_steps              may watch the batches on their way to the step
        on_step_end           after every step
    during_validation         a context
        on_validation_end     scored and counted; the weights are those that were validated
    on_validation_failed      instead, if it raised an error
    on_epoch_end

Where SIGINT or SIGTERM stops the run, `on_interrupt` follows, between two steps and with the trained
weights in place; `close` comes last, however the run ended. Each hook is called for all callbacks in the
order of their list. All they share is the run's `TrainState`, which the loop alone changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass

from dsg.engine.state import TrainState
from dsg.engine.step import StepReport
from dsg.engine.task import Batch, Pictures, Results

Batches = Generator[Batch, None, None]


@dataclass(frozen=True)
class Step:
    """A training step that was made."""

    batch: Batch
    report: StepReport
    learning_rate: float


@dataclass(frozen=True)
class Validation:
    """A validation that was made; its epoch is the last entry of the history."""

    results: Results
    pictures: Pictures
    seconds: float
    best: bool  # the best score so far


class Callback:
    """Does nothing at any of the hooks; a subclass overrides those it needs."""

    def on_epoch_start(self, state: TrainState) -> None:
        """Before the first step of an epoch, or the first one of its rest."""

    def around_steps(self, state: TrainState, batches: Batches) -> Batches:
        """The batches of an epoch, unchanged. What is returned is closed after the last step, however that
        came about.
        """
        return batches

    def on_step_end(self, state: TrainState, step: Step) -> None:
        """After a step, which `state` has counted."""

    def during_validation(self) -> contextlib.AbstractContextManager[None]:
        """Entered before a validation, left after `on_validation_end`."""
        return contextlib.nullcontext()

    def on_validation_failed(self, state: TrainState) -> None:
        """After an error in a validation; `state` has not counted the epoch. The error ends the run."""

    def on_validation_end(self, state: TrainState, validation: Validation) -> None:
        """After a validation; `state` has counted the epoch."""

    def on_epoch_end(self, state: TrainState) -> None:
        """After an epoch and its validation, with the trained weights in place."""

    def on_interrupt(self, state: TrainState) -> None:
        """The run was asked to stop, and does so."""

    def close(self) -> None:
        """The run is over."""


class AfterStep(Callback):
    """Calls a function with the number of steps made, after every step."""

    def __init__(self, function: Callable[[int], None]) -> None:
        self._function = function

    def on_step_end(self, state: TrainState, step: Step) -> None:
        self._function(state.step)
