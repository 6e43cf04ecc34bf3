"""Training, from a configuration and loaded splits to snapshots: a loop over epochs and steps.

Where it begins: a finished run says so and ends; an interrupted one resumes after its last step
(`<name>_last.npz`), else after its last epoch (`<name>_iter_N.npz`); a new one starts from the task's initial
weights. All that is done beside the steps is done by callbacks, see `dsg.engine.callbacks`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic

import tensorflow as tf

from dsg.config import Config, dump_yaml
from dsg.datasets import Dataset
from dsg.engine.callbacks.bad_steps import BadSteps
from dsg.engine.callbacks.callback import Batches, Callback, Step, Validation
from dsg.engine.callbacks.history import History, write_history
from dsg.engine.callbacks.profile import StepProfile
from dsg.engine.callbacks.progress import ProgressLine
from dsg.engine.callbacks.snapshots import Snapshots
from dsg.engine.callbacks.tensorboard import TensorBoard
from dsg.engine.learner import Learner
from dsg.engine.resume import check_same_run, describe, state_of
from dsg.engine.runs import Run
from dsg.engine.schedule import learning_rate
from dsg.engine.session import add_session, this_session
from dsg.engine.state import TrainState
from dsg.engine.task import Check, M, R, Task
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.runtime.devices import warn_of_slow_precision
from dsg.runtime.files import write_text
from dsg.runtime.interrupt import Interrupted, interruptible
from dsg.runtime.logs import log_file

LOG = logging.getLogger("dsg")


def train(
    task: Task[M, R],
    config: Config,
    training: Dataset,
    validation: Dataset,
    run: Run,
    *,
    strategy: tf.distribute.Strategy | None = None,
    callbacks: Sequence[Callback] = (),
    finished: Callable[[Path], None] = lambda folder: None,
    command: str = "",
    automatic: Mapping[str, str] = MappingProxyType({}),
) -> TrainState:
    """Train, or resume training, a run; afterwards its `snapshot(0)` is the best on validation.

    Args:
        task: the system, from `dsg.models.registry.task_of`.
        config: the whole configuration.
        training: what to learn from, see `dsg.pipeline.splits.load_splits`.
        validation: what the best snapshot is chosen by.
        run: where all files go.
        strategy: devices, from `select_devices`; default the one that TensorFlow takes.
        callbacks: called after those of the engine.
        finished: called with the run's folder when all is written, such as for a report.
        command: what started this, for the report.
        automatic: the options that were `auto` before their values in `config` were chosen, with these words.

    Raises:
        UserError: the folder cannot be written, the run there is another one, or losses stay not finite.
        Interrupted: SIGINT or SIGTERM came; the state is saved, and the same call resumes from there.

    Example:

        training, validation = load_splits(config, "shapes")
        run = Run.of(Path("output"), "mini", "shapes", "default")
        train(task_of(config), config, training, validation, run)
    """
    run.make_folder()
    with run.lock(), log_file(run.folder / "logs", "train"), interruptible() as check:
        data = {"training": training.summary(), "validation": validation.summary()}
        LOG.info("%s\n%s", *data.values())
        strategy = strategy or tf.distribute.get_strategy()
        warn_of_slow_precision("TRAIN.PRECISION", config.train.precision)
        images_per_step = config.train.ims_per_batch * strategy.num_replicas_in_sync
        about = describe(config, training, images_per_step, validation, automatic)
        saved = run.resume()
        if saved is not None:
            check_same_run(saved, about, task.free_options)
        else:
            run.check_new(config.train.snapshot_iters)
        write_text(run.folder / "config.yml", dump_yaml(config))
        state = TrainState() if saved is None else state_of(saved, run)
        if state.epoch < config.train.epochs:
            place = {"epoch": state.epoch, "step": state.step, "images_per_step": images_per_step}
            add_session(run.folder, {**this_session(command), **place, **data})
            learner = Learner(task, config, training, validation, strategy, saved, check)
            beside = engine_callbacks(config, run, learner, state, about)
            Trainer(config, learner, validation, state, [*beside, *callbacks], check).train()
            LOG.info("trained %d epochs", state.epoch)
        else:
            LOG.info("%s is finished: %d epochs; raise TRAIN.EPOCHS to train longer", run.name, state.epoch)
            # Killed behind its last snapshot, a run has done neither.
            if saved is not None and saved.path != run.last:
                run.last.unlink(missing_ok=True)
            write_history(run.folder, state.history)
        best = task.score_text(math.nan if state.best_score is None else state.best_score)
        LOG.info("best on validation: epoch %d, %s, %s", state.best_epoch, best, run.snapshot(0))
        finished(run.folder)
    return state


def engine_callbacks(
    config: Config, run: Run, learner: Learner[M, R], state: TrainState, about: dict[str, Any]
) -> list[Callback]:
    """Those of every run, in their order, see `dsg.engine.callbacks`."""
    options, tensorboard = config.train, run.folder / "tensorboard"
    return [
        *([learner.average] if learner.average else []),
        BadSteps(run.folder, options.max_bad_steps),
        ProgressLine(config, state, learner.steps_per_epoch),
        TensorBoard(tensorboard, options.summary_interval),
        StepProfile(tensorboard, options.profile),
        Snapshots(run, config, about, learner.variables, learner.slots),
        History(run.folder),
    ]


class Trainer(Generic[M, R]):
    """The loop of a run.

    Args:
        config: TRAIN.*.
        learner: what is trained.
        validation: what scores are taken on after every epoch.
        state: how far the run is; the loop counts on in it.
        callbacks: what is done beside, in this order.
        check: raises `Interrupted` when the run is to stop.
    """

    def __init__(
        self,
        config: Config,
        learner: Learner[M, R],
        validation: Dataset,
        state: TrainState,
        callbacks: Sequence[Callback],
        check: Check,
    ) -> None:
        self._config, self._learner, self._validation = config, learner, validation
        self._state, self._callbacks, self._check = state, callbacks, check
        self._unreadable = BadRecords(reasons=state.unreadable)
        self._graph_built = False

    def train(self) -> None:
        """All epochs that are left."""
        state = self._state
        with contextlib.ExitStack() as stack:
            for callback in reversed(self._callbacks):
                stack.callback(callback.close)
            try:
                while state.epoch < self._config.train.epochs:
                    self._make_steps()
                    self._validate()
                    for callback in self._callbacks:
                        callback.on_epoch_end(state)
            except Interrupted:
                for callback in self._callbacks:
                    callback.on_interrupt(state)
                raise

    def _make_steps(self) -> None:
        """The steps that are left of the epoch; none where only its validation failed."""
        state, learner = self._state, self._learner
        if state.current.position >= learner.steps_per_epoch:
            return
        for callback in self._callbacks:
            callback.on_epoch_start(state)
        started = time.monotonic()
        with contextlib.closing(self._batches()) as batches:
            for batch in batches:
                rate = self._learning_rate(state.step)
                report = learner.step(batch, rate)
                now = time.monotonic()
                position = learner.examples.next_step(batch, learner.images_per_step, state.epoch)
                seconds = now - started if self._graph_built else None
                state.add(report, int(batch["index"].shape[0]), position, seconds)
                started, self._graph_built = now, True
                for callback in self._callbacks:
                    callback.on_step_end(state, Step(batch, report, rate))
                self._check()
                if position >= learner.steps_per_epoch:
                    break
        state.current.position = learner.steps_per_epoch  # also where the last images could not be read

    def _validate(self) -> None:
        """Score the epoch, which counts as finished from here on."""
        state, started = self._state, time.monotonic()
        try:
            with contextlib.ExitStack() as stack:
                for callback in self._callbacks:
                    stack.enter_context(callback.during_validation())
                results, pictures = self._learner.validate(self._validation, self._check)
                seconds = time.monotonic() - started
                entry = state.entry(results.summary(), self._learning_rate(max(state.step - 1, 0)))
                best = state.finish_epoch(entry, results.score)
                for callback in self._callbacks:
                    callback.on_validation_end(state, Validation(results, pictures, seconds, best))
        except Exception:
            if state.current.position:  # the epoch has not been counted
                for callback in self._callbacks:
                    callback.on_validation_failed(state)
            raise

    def _batches(self) -> Batches:
        """The batches that are left of the epoch."""
        state, learner, start = self._state, self._learner, self._state.current.position
        batches = learner.examples.batches(learner.images_per_step, state.epoch, start, self._unreadable)
        usable = iterate(batches, self._unreadable, whole=not start)
        for callback in self._callbacks:
            usable = callback.around_steps(state, usable)
        return usable

    def _learning_rate(self, step: int) -> float:
        """The rate of the step after `step` steps, which belongs to the current epoch."""
        state, learner = self._state, self._learner
        validation = [learner.task.to_be_lowered(entry["validation"]) for entry in state.history]
        return learning_rate(self._config, step, state.epoch + 1, learner.steps_per_epoch, validation)
