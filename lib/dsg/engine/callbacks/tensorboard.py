"""TensorBoard: losses and learning rate while training, scores and pictures after each validation.

The entries are written with TensorFlow alone, because its newest versions come without the package
`tensorboard`; it is needed only to view them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.engine.callbacks.callback import Callback, Step, Validation
from dsg.engine.state import TrainState
from dsg.engine.step import StepReport

LOG = logging.getLogger("dsg")


class TensorBoard(Callback):
    """Writes summaries of steps and validations.

    Args:
        folder: where they go.
        interval: steps between two entries; 0 for none.
    """

    def __init__(self, folder: Path, interval: int) -> None:
        self._summaries, self._interval = Summaries(folder), interval

    def on_step_end(self, state: TrainState, step: Step) -> None:
        if self._interval and state.step % self._interval == 0:
            self._summaries.add_step(state.step, step.report, step.learning_rate, state.current.speed)

    def on_validation_end(self, state: TrainState, validation: Validation) -> None:
        self._summaries.add_validation(state.step, validation.results.summary(), validation.pictures)

    def close(self) -> None:
        self._summaries.close()


class Summaries:
    """Writes a run's TensorBoard files; a resumed run adds to them.

    If they cannot be written (full disk), this is reported once, and training continues without them.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        with self._forgiving(ValueError):  # of a folder whose name is not UTF-8
            self._writer = tf.summary.create_file_writer(str(folder))

    def add_step(self, step: int, report: StepReport, learning_rate: float, images_per_second: float) -> None:
        """What a training step reported."""
        scalars = {f"loss/{name}": value for name, value in report.losses.items()}
        scalars["train/gradient_norm"] = report.gradient_norm
        scalars["train/learning_rate"] = learning_rate
        scalars["train/images_per_second"] = images_per_second
        self._write(step, scalars, {})

    def add_validation(
        self, step: int, scores: Mapping[str, float], pictures: Mapping[str, np.ndarray]
    ) -> None:
        """Scores, and pictures (uint8 [H, W, 3] RGB by title)."""
        self._write(step, {f"validation/{name}": value for name, value in scores.items()}, pictures)

    def close(self) -> None:
        """Write out what is left."""
        if self._writer is not None:
            with self._forgiving():
                self._writer.close()

    def _write(self, step: int, scalars: Mapping[str, float], pictures: Mapping[str, np.ndarray]) -> None:
        if self._writer is None:
            return
        with self._forgiving():
            with self._writer.as_default(step=step):
                for name, value in scalars.items():
                    write_scalar(name, value)
                for title, picture in pictures.items():
                    write_picture(title, picture)
            self._writer.flush()

    @contextlib.contextmanager
    def _forgiving(self, *also: type[Exception]) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, *also) as error:
            self._writer = None
            message = error.message if isinstance(error, tf.errors.OpError) else str(error)
            reason = message.split("}} ")[-1].split("\n")[0]
            LOG.warning("TensorBoard entries cannot be written and are switched off: %s", reason)


def write_scalar(tag: str, value: float) -> None:
    """A number for the default writer, as TensorBoard's scalars dashboard reads it."""
    tf.summary.write(tag, tf.constant(value, tf.float32), metadata=_metadata("scalars", "DATA_CLASS_SCALAR"))


def write_picture(tag: str, picture: np.ndarray) -> None:
    """A picture, uint8 [H, W, 3] RGB, for the default writer, as TensorBoard's images dashboard reads it."""
    height, width = picture.shape[:2]
    png = tf.io.encode_png(picture)
    entry = tf.stack([tf.constant(str(width)), tf.constant(str(height)), png])
    tf.summary.write(tag, entry, metadata=_metadata("images", "DATA_CLASS_BLOB_SEQUENCE"))


def _metadata(plugin: str, data_class: str) -> tf.compat.v1.SummaryMetadata:
    return tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name=plugin), data_class=data_class
    )
