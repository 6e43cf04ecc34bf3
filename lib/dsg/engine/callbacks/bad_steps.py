"""Steps whose loss or gradient is not finite: they change nothing, and many in a row end the run."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from dsg.engine.callbacks.callback import Callback, Step
from dsg.engine.state import TrainState
from dsg.errors import UserError, some_of

LOG = logging.getLogger("dsg")
IMAGES_NAMED = 4


class BadSteps(Callback):
    """Names the images of such a step.

    Args:
        folder: of the run, for the message.
        most: TRAIN.MAX_BAD_STEPS; so many in a row raise `UserError`.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most

    def on_step_end(self, state: TrainState, step: Step) -> None:
        if step.report.finite:
            return
        message = bad_step_line(step)
        LOG.warning("step %d skipped, %s", state.step, message)
        if state.bad_in_row >= self._most:
            raise UserError(
                f"{self._folder}: stopped after {state.bad_in_row} steps in a row {message}; train under "
                "another name with a lower TRAIN.LEARNING_RATE, or with TRAIN.CLIP_NORM; the snapshots are "
                "intact"
            )


def bad_step_line(step: Step) -> str:
    """What of a step was not finite, and on which images."""
    losses = step.report.losses
    spoilt = [term for term, value in losses.items() if not math.isfinite(value)] or ["gradient"]
    names = [name.decode("utf-8", "replace") for name in step.batch["name"].numpy()]
    return f"not finite: {', '.join(spoilt)}; images: {some_of(names, IMAGES_NAMED, ', ')}"
