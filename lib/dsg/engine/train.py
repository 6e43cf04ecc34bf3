"""Training, from a configuration and a data set's name to snapshots: a loop over epochs and steps.

Where it begins: a finished run says so and ends; an interrupted one goes on after its last step
(`<name>_last.npz`), else after its last epoch (`<name>_iter_N.npz`); a new one with the trunk's weights.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from dsg.config import Config, dump_yaml
from dsg.datasets import Dataset
from dsg.engine.average import WeightAverage
from dsg.engine.messages import bad_step_line, epoch_line, progress_brief, progress_line
from dsg.engine.optimizers import build_optimizer
from dsg.engine.profile import StepProfile
from dsg.engine.runs import Run
from dsg.engine.schedule import learning_rate
from dsg.engine.session import add_session, this_session
from dsg.engine.setup import check_same_run, describe, restore
from dsg.engine.snapshots import Snapshot, save_snapshot
from dsg.engine.state import TrainState
from dsg.engine.step import StepReport
from dsg.engine.summaries import Summaries
from dsg.engine.task import Task
from dsg.errors import UserError
from dsg.metrics.results import EvaluationResults
from dsg.pipeline.batches import BadRecords, iterate
from dsg.runtime.devices import warn_of_slow_precision
from dsg.runtime.files import write_text
from dsg.runtime.interrupt import Interrupted, interruptible
from dsg.runtime.logs import log_file
from dsg.runtime.progress import Progress
from dsg.visualize.curves import training_curves
from dsg.visualize.iou_curves import draw_iou_curves

LOG = logging.getLogger("dsg")

AfterStep = Callable[[int], None]


def train(
    task: Task,
    config: Config,
    training: Dataset,
    validation: Dataset,
    run: Run,
    *,
    strategy: Any = None,
    after_step: AfterStep = lambda step: None,
    finished: Callable[[Path], None] = lambda folder: None,
    command: str = "",
) -> TrainState:
    """Train, or go on training, a run; afterwards its `snapshot(0)` is the best on validation.

    Args:
        task: the kind of network, from `dsg.models.registry.task_of`.
        config: the whole configuration.
        training: what to learn from, see `load_splits`.
        validation: what the best snapshot is chosen by.
        run: where all files go.
        strategy: devices, from `select_devices`; default the one that TensorFlow takes.
        after_step: called with the number of steps made.
        finished: called with the run's folder when all is written, such as for a report.
        command: what started this, for the report.

    Raises:
        UserError: the folder cannot be written, the run there is another one, or losses stay not finite.
        Interrupted: SIGINT or SIGTERM came; the state is saved, and the same call goes on from there.

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
        about = describe(config, training, config.train.ims_per_batch * strategy.num_replicas_in_sync)
        saved = run.resume()
        if saved is not None:
            check_same_run(saved, about)
        else:
            run.check_new(config.train.snapshot_iters)
        write_text(run.folder / "config.yml", dump_yaml(config))
        state = TrainState() if saved is None else state_of(saved, run)
        if state.epoch < config.train.epochs:
            place = {"epoch": state.epoch, "step": state.step, "images_per_step": about["images_per_step"]}
            add_session(run.folder, {**this_session(command), **place, **data})
            trainer = Trainer(config, task, run, training, validation, strategy, state, about, saved, check)
            trainer.train(after_step)
            LOG.info("trained %d epochs", state.epoch)
        else:
            LOG.info("%s is done already: %d epochs; raise TRAIN.EPOCHS to go on", run.name, state.epoch)
            write_history(run.folder, state.history)  # killed behind its last snapshot, a run has not done so
        best = task.score_text(math.nan if state.best_score is None else state.best_score)
        LOG.info("best on validation: epoch %d, %s, %s", state.best_epoch, best, run.snapshot(0))
        finished(run.folder)
    return state


def state_of(saved: Snapshot, run: Run) -> TrainState:
    """Where a saved run stands; what it has to beat is the score of the best snapshot that is there.

    A run that was killed may have written that in an epoch which the saved state does not know yet.
    """
    state, there = TrainState.from_meta(saved.meta), run.best()
    best = state if there is None else TrainState.from_meta(there)
    if best.best_epoch != state.best_epoch:
        LOG.warning(
            "%s is of epoch %d instead of %d: what is better than that replaces it",
            run.snapshot(0).name,
            best.best_epoch,
            state.best_epoch,
        )
        state.best_epoch, state.best_score = best.best_epoch, best.best_score
    return state


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """`history.jsonl` and `curves.png` of all epochs so far."""
    write_text(folder / "history.jsonl", "".join(json.dumps(one) + "\n" for one in history))
    training_curves(history, folder / "curves.png")


class Trainer:
    """A run in progress: the model, its optimiser, and how far it got (`state`).

    `check` raises `Interrupted` when the run is to stop.
    """

    def __init__(
        self,
        config: Config,
        task: Task,
        run: Run,
        training: Dataset,
        validation: Dataset,
        strategy: Any,
        state: TrainState,
        about: dict[str, Any],
        saved: Snapshot | None,
        check: Callable[[], None],
    ) -> None:
        self._config, self._task, self._run = config, task, run
        self._state, self._about, self._check = state, about, check
        self._training, self._validation = training, validation
        if config.train.deterministic:
            tf.config.experimental.enable_op_determinism()
        with strategy.scope():
            self._model = task.build_model(len(about["objects"]), len(about["predicates"]))
            variables = self._model.named_variables()
            trained = {name: variables[name] for name in self._model.trainable_names()}
            self._optimizer = build_optimizer(config, trained)
            decay = config.train.average
            self._average = WeightAverage(trained, decay) if decay else None
        if saved is None:
            LOG.info("%s", task.initial_weights(self._model, training))
            if self._average is not None:
                self._average.start()
        else:
            restore(saved, self._model, self._slots())
            LOG.info("going on from %s: epoch %d, step %d", saved.path.name, state.epoch + 1, state.step)
        task.prepare(self._model, (training, validation), check)
        self._validate = task.validator(self._model)
        self._step = task.train_step(self._model, self._optimizer, strategy, training)
        self._images_per_step = about["images_per_step"]  # one pipeline feeds all devices
        self._steps_per_epoch = task.steps_in_epoch(training, self._images_per_step)
        if config.train.steps_per_epoch:
            self._steps_per_epoch = min(self._steps_per_epoch, config.train.steps_per_epoch)
        self._profile = StepProfile(run.folder / "tensorboard", config.train.profile)
        self._unreadable = BadRecords(reasons=state.unreadable)
        self._validation_seconds = 0.0
        self._graph_built = False
        self._saved_at = time.monotonic()

    def train(self, after_step: AfterStep) -> None:
        """All epochs that are left."""
        config, state, check = self._config, self._state, self._check
        progress = Progress(
            "train",
            config.train.epochs * self._steps_per_epoch,
            done=state.epoch * self._steps_per_epoch + state.current.position,
            every=config.train.display,
        )
        with progress, contextlib.closing(Summaries(self._run.folder / "tensorboard")) as summaries:
            try:
                while state.epoch < config.train.epochs:
                    self._train_epoch(progress, summaries, check, after_step)
                    with self._keeping_the_epoch():
                        self._finish_epoch(summaries, check)
                    progress.restart()
            except Interrupted:
                self._save(self._run.last)
                LOG.info("interrupted; the same command goes on from %s", self._run.last)
                raise

    @contextlib.contextmanager
    def _keeping_the_epoch(self) -> Iterator[None]:
        """A validation that fails costs no training."""
        try:
            yield
        except Exception:
            if self._state.current.position >= self._steps_per_epoch:  # it has not been counted yet
                self._save(self._run.last)
                LOG.info("validation failed; the epoch's training is kept in %s", self._run.last)
            raise

    def _train_epoch(
        self, progress: Progress, summaries: Summaries, check: Callable[[], None], after_step: AfterStep
    ) -> None:
        """The steps that are left of the epoch."""
        state, epoch, options = self._state, self._state.epoch, self._config.train
        if state.current.position >= self._steps_per_epoch:
            return
        batches = self._task.training_batches(
            self._training,
            self._images_per_step,
            epoch=epoch,
            start_step=state.current.position,
            bad=self._unreadable,
        )
        started = time.monotonic()
        usable = iterate(batches, self._unreadable, whole=not state.current.position)
        with contextlib.closing(self._profile.watch(usable, state.step)) as watched:
            for batch in watched:
                rate = self._learning_rate(state.step)
                report = self._step(batch, rate)
                if self._average is not None and report.finite:
                    self._average.update()
                now = time.monotonic()
                position = self._task.next_step(batch, self._training, self._images_per_step, epoch)
                advanced = position - state.current.position
                images = int(batch["index"].shape[0])
                state.add(report, images, position, now - started if self._graph_built else None)
                started, self._graph_built = now, True
                if not report.finite:
                    self._report_bad_step(batch, report)
                after_step(state.step)
                if options.summary_interval and state.step % options.summary_interval == 0:
                    summaries.add_step(state.step, report, rate, state.current.speed)
                progress.advance(
                    advanced,
                    progress_line(report, state),
                    brief=progress_brief(report, state),
                    also=self._validations_left(),
                )
                check()
                if options.save_minutes and time.monotonic() - self._saved_at > 60 * options.save_minutes:
                    self._save(self._run.last)
                if position >= self._steps_per_epoch:
                    break
        state.current.position = self._steps_per_epoch  # also where the last images could not be read

    def _finish_epoch(self, summaries: Summaries, check: Callable[[], None]) -> None:
        """Validation, history, snapshots."""
        state, run, options = self._state, self._run, self._config.train
        started = time.monotonic()
        with self._average.in_place() if self._average is not None else contextlib.nullcontext():
            results, pictures = self._validate(self._validation, check)
            self._validation_seconds = time.monotonic() - started
            entry = self._history_entry(results)
            best = state.finish_epoch(entry, results.score)
            LOG.info("%s%s", epoch_line(entry), "  best so far" if best else "")
            if len(self._unreadable):
                LOG.warning("%s", self._unreadable.summary())
            pictures["validation_iou_curves"] = draw_iou_curves(results.iou_curves())
            summaries.add_validation(state.step, results.summary(), pictures)
            if best:  # before the epoch's own snapshot, which counts it as written
                self._save(run.snapshot(0), slots=False)
        if state.epoch % options.snapshot_iters == 0 or state.epoch == options.epochs:
            self._save(run.snapshot(state.epoch))
            run.prune(options.snapshot_kept)
            run.last.unlink(missing_ok=True)
        write_history(run.folder, state.history)

    def _learning_rate(self, step: int) -> float:
        """The rate of the step after `step` steps, which belongs to the current epoch."""
        state = self._state
        validation = [_to_be_lowered(entry["validation"]) for entry in state.history]
        return learning_rate(self._config, step, state.epoch + 1, self._steps_per_epoch, validation)

    def _history_entry(self, results: EvaluationResults) -> dict[str, Any]:
        state, current = self._state, self._state.current
        losses = current.means()
        return {
            "epoch": state.epoch + 1,
            "step": state.step,
            "learning_rate": self._learning_rate(max(state.step - 1, 0)),
            "total": losses.pop("total", None),
            "losses": losses,
            "validation": results.summary(),
            "bad_steps": current.bad_steps,
            "unreadable_images": len(self._unreadable),
            "images_per_second": round(current.speed, 3),
            "seconds": round(current.seconds, 1),
        }

    def _save(self, path: Path, *, slots: bool = True) -> None:
        named_slots = self._slots() if slots else {}
        save_snapshot(path, self._model.named_variables(), named_slots, self._state.to_meta(self._about))
        self._saved_at = time.monotonic()

    def _slots(self) -> dict[str, tf.Variable]:
        """What an epoch's snapshot keeps besides the model's variables."""
        average = self._average.named_slots() if self._average is not None else {}
        return {**self._optimizer.named_slots(), **average}

    def _report_bad_step(self, batch: Any, report: StepReport) -> None:
        """Name the images of a step that was not taken; stop where this happens again and again."""
        names = [name.decode("utf-8", "replace") for name in batch["name"].numpy()]
        message = bad_step_line(report, names)
        LOG.warning("step %d skipped, %s", self._state.step, message)
        if self._state.bad_in_row >= self._config.train.max_bad_steps:
            raise UserError(
                f"{self._run.folder}: stopped after {self._state.bad_in_row} steps in a row {message}; train "
                "under another name with a lower TRAIN.LEARNING_RATE, or with TRAIN.CLIP_NORM; the snapshots "
                "are intact"
            )

    def _validations_left(self) -> float:
        """Seconds that the validations to come will take."""
        return (self._config.train.epochs - self._state.epoch) * self._validation_seconds


def _to_be_lowered(validation: dict[str, float]) -> float:
    """What the plateau watches of an epoch's validation: the loss, or the lack of IoU where there is none."""
    if "loss" in validation:
        return validation["loss"]
    return 1.0 - (validation.get("subject_iou", 0.0) + validation.get("object_iou", 0.0)) / 2
