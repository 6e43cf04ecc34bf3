"""TensorBoard: losses and learning rate while training, scores and pictures after each validation.

The entries are written with TensorFlow alone, because its newest versions come without the package
`tensorboard`; only whoever looks at them needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from dsg.engine.step import StepReport


class Summaries:
    """Writes a run's TensorBoard files; a resumed run adds to them.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def add_step(self, step: int, report: StepReport, learning_rate: float, images_per_second: float) -> None:
        """What a training step reported."""
        with self._writer.as_default(step=step):
            for name, value in report.losses.items():
                write_scalar(f"loss/{name}", value)
            write_scalar("train/gradient_norm", report.gradient_norm)
            write_scalar("train/learning_rate", learning_rate)
            write_scalar("train/images_per_second", images_per_second)

    def add_validation(
        self, step: int, scores: Mapping[str, float], pictures: Mapping[str, np.ndarray]
    ) -> None:
        """Scores, and pictures (uint8 [H, W, 3] RGB by title)."""
        with self._writer.as_default(step=step):
            for name, value in scores.items():
                write_scalar(f"validation/{name}", value)
            for title, picture in pictures.items():
                write_picture(title, picture)
        self._writer.flush()

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


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
