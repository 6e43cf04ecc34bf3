"""TRAIN.PROFILE: some training steps under TensorFlow's profiler, for TensorBoard's page Profile.

The first step of a process builds the graph and the next ones fill caches, so that neither tells what a step
costs; they pass before the profiler starts. What it saw lies in `plugins/profile/` of the folder.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, TypeVar

import tensorflow as tf

from dsg.engine.callbacks.callback import Batches, Callback
from dsg.engine.state import TrainState

LOG = logging.getLogger("dsg")
WARM_UP = 3  # steps of a process before the profiler starts

Batch = TypeVar("Batch")


class StepProfile(Callback):
    """Watches `wanted` training steps of a process, once, and never across the end of an epoch.

    A profiler that cannot start or write costs one warning and no training.

    Args:
        folder: where TensorBoard looks.
        wanted: steps; 0 or less for none.
        warm_up: steps that pass before.

    Example:

        profile = StepProfile(run.folder / "tensorboard", 5)
        with contextlib.closing(profile.watch(batches, state.step)) as watched:
            for batch in watched:
                step(batch)
    """

    def __init__(self, folder: Path, wanted: int, warm_up: int = WARM_UP) -> None:
        self._folder, self._left, self._warm_up = folder, wanted, warm_up
        self._running = False
        self._passed = 0  # steps of the process
        self._seen = 0  # steps that the running profiler saw
        self._mark: Any = None  # around the step in progress

    def around_steps(self, state: TrainState, batches: Batches) -> Batches:
        return self.watch(batches, state.step)

    def watch(self, batches: Iterable[Batch], step: int = 0) -> Generator[Batch, None, None]:
        """The batches; from asking for one to asking for the next counts as a step, numbered from `step`.

        Close it after the loop, however that ended: this stops the profiler.
        """
        source = iter(batches)
        try:
            while True:
                self._begin_step(step)
                try:
                    batch = next(source)
                except StopIteration:
                    return
                self._passed, self._seen = self._passed + 1, self._seen + self._running
                yield batch
                step += 1
                self._end_mark()
                if self._seen >= self._left:
                    self._stop()
        finally:
            self._stop()

    def _begin_step(self, step: int) -> None:
        """Before a batch is requested: waiting for it is a part of the step."""
        if self._left > 0 and self._passed >= self._warm_up and not self._running:
            self._seen = 0
            self._running = self._try("start", lambda: tf.profiler.experimental.start(str(self._folder)))
        if self._running:
            self._mark = tf.profiler.experimental.Trace("train", step_num=step, _r=1)
            self._mark.__enter__()

    def _stop(self) -> None:
        """Write what the profiler saw; where it saw no step, the next epoch has another go."""
        if not self._running:
            return
        self._running = False
        self._end_mark()
        seen, wanted = self._seen, self._left
        if self._try("write", lambda: tf.profiler.experimental.stop(save=seen > 0)) and seen:
            self._left = 0
            LOG.info("profiled %d of %d steps: %s", seen, wanted, self._folder)

    def _try(self, what: str, action: Callable[[], None]) -> bool:
        """Whether the action went well; if not, this is said and there is no further attempt."""
        try:
            action()
        except Exception as error:  # whatever it is, training is worth more than its profile
            self._left = 0
            reason = str(getattr(error, "message", error)).split("\n")[0]
            LOG.warning("no profile of the training, the profiler cannot %s: %s", what, reason)
            return False
        return True

    def _end_mark(self) -> None:
        if self._mark is not None:
            self._mark.__exit__(None, None, None)
            self._mark = None
