"""When a run's state is saved: after epochs, where validation was best, and inside an epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dsg.config import Config
from dsg.engine.callbacks.callback import Callback, Step, Validation
from dsg.engine.runs import Run
from dsg.engine.snapshots import save_snapshot
from dsg.engine.state import TrainState

LOG = logging.getLogger("dsg")


class Snapshots(Callback):
    """Saves the run to `<name>_iter_N.npz`, `<name>_iter_0.npz` (the best) and `<name>_last.npz`.

    Args:
        run: where they go.
        config: TRAIN.SNAPSHOT_ITERS, TRAIN.SNAPSHOT_KEPT, TRAIN.SAVE_MINUTES and TRAIN.EPOCHS.
        about: what all of them say of the run, see `dsg.engine.resume.describe`.
        variables: of the model, by name.
        slots: what training needs besides, by name; the best snapshot does without.
    """

    def __init__(
        self,
        run: Run,
        config: Config,
        about: dict[str, Any],
        variables: Mapping[str, tf.Variable],
        slots: Mapping[str, tf.Variable],
    ) -> None:
        self._run, self._options, self._about = run, config.train, about
        self._variables, self._slots = variables, slots
        self._saved_at = time.monotonic()

    def on_step_end(self, state: TrainState, step: Step) -> None:
        seconds = 60 * self._options.save_minutes
        if seconds and time.monotonic() - self._saved_at > seconds:
            self._save(self._run.last, state)

    def on_validation_failed(self, state: TrainState) -> None:
        """A validation that fails costs no training."""
        self._save(self._run.last, state)
        LOG.info("validation failed; the epoch's training is kept in %s", self._run.last)

    def on_validation_end(self, state: TrainState, validation: Validation) -> None:
        """Before the epoch's own snapshot, which counts the best one as written."""
        if validation.best:
            self._save(self._run.snapshot(0), state, slots=False)

    def on_epoch_end(self, state: TrainState) -> None:
        if state.epoch % self._options.snapshot_iters == 0 or state.epoch == self._options.epochs:
            self._save(self._run.snapshot(state.epoch), state)
            self._run.prune(self._options.snapshot_kept)
            self._run.last.unlink(missing_ok=True)

    def on_interrupt(self, state: TrainState) -> None:
        self._save(self._run.last, state)
        LOG.info("interrupted; the same command resumes from %s", self._run.last)

    def _save(self, path: Path, state: TrainState, *, slots: bool = True) -> None:
        save_snapshot(path, self._variables, self._slots if slots else {}, state.to_meta(self._about))
        self._saved_at = time.monotonic()
