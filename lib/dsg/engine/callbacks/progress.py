"""What training says while it runs: a line or a bar for steps, a line for each epoch."""

from __future__ import annotations

import logging

from dsg.config import Config
from dsg.engine.callbacks.callback import Callback, Step, Validation
from dsg.engine.state import TrainState
from dsg.pipeline.bad_records import BadRecords
from dsg.runtime.progress import Progress, duration

LOG = logging.getLogger("dsg")


class ProgressLine(Callback):
    """Says how far the run is, and how long the rest of it will take.

    Args:
        config: TRAIN.EPOCHS and TRAIN.DISPLAY.
        state: where the run starts or resumes.
        steps_per_epoch: of a whole epoch.
    """

    def __init__(self, config: Config, state: TrainState, steps_per_epoch: int) -> None:
        self._epochs, self._steps_per_epoch = config.train.epochs, steps_per_epoch
        self._done = self._steps_done(state)
        total = self._epochs * steps_per_epoch
        self._progress = Progress("train", total, done=self._done, every=config.train.display)
        self._validation_seconds = 0.0

    def on_epoch_start(self, state: TrainState) -> None:
        self._progress.restart()

    def on_step_end(self, state: TrainState, step: Step) -> None:
        done = self._steps_done(state)
        self._progress.advance(
            done - self._done,
            step_line(step, state),
            brief=step_brief(step, state),
            also=(self._epochs - state.epoch) * self._validation_seconds,
        )
        self._done = done

    def on_validation_end(self, state: TrainState, validation: Validation) -> None:
        self._validation_seconds = validation.seconds
        LOG.info("%s", epoch_line(state, validation))
        if state.unreadable:
            LOG.warning("%s", BadRecords(reasons=state.unreadable).summary())

    def close(self) -> None:
        self._progress.close()

    def _steps_done(self, state: TrainState) -> int:
        """Steps of the run's plan that are over, those without a usable image included."""
        return state.epoch * self._steps_per_epoch + state.current.position


def step_line(step: Step, state: TrainState) -> str:
    """The losses of a step and the speed of its epoch."""
    losses = step.report.losses
    terms = " ".join(f"{name} {value:.3g}" for name, value in losses.items() if name != "total")
    speed = f" {state.current.speed:.2f} images/s" if state.current.speed else ""
    return f"epoch {state.epoch + 1} total {losses['total']:.4g} ({terms}){speed}"


def step_brief(step: Step, state: TrainState) -> str:
    """The same beside a progress bar."""
    speed = f" {state.current.speed:.1f} images/s" if state.current.speed else ""
    return f"epoch {state.epoch + 1} loss {step.report.losses['total']:.3g}{speed}"


def epoch_line(state: TrainState, validation: Validation) -> str:
    """The loss of the epoch that was just validated, its scores and its speed."""
    entry = state.history[-1]
    parts = [f"epoch {entry['epoch']}:"]
    if entry["total"] is not None:
        parts.append(f"loss {entry['total']:.4g}")
    parts += [validation.results.headline()]
    parts.append(f"({entry['images_per_second']:.2f} images/s, {duration(entry['seconds'])})")
    parts += ["best so far"] * validation.best
    return "  ".join(filter(None, parts))
