"""TensorBoard: losses and learning rate while training, scores and pictures after each validation."""

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
                tf.summary.scalar(f"loss/{name}", value)
            tf.summary.scalar("train/gradient_norm", report.gradient_norm)
            tf.summary.scalar("train/learning_rate", learning_rate)
            tf.summary.scalar("train/images_per_second", images_per_second)

    def add_validation(
        self, step: int, scores: Mapping[str, float], pictures: Mapping[str, np.ndarray]
    ) -> None:
        """Scores, and pictures (uint8 [H, W, 3] RGB by title)."""
        with self._writer.as_default(step=step):
            for name, value in scores.items():
                tf.summary.scalar(f"validation/{name}", value)
            for title, picture in pictures.items():
                tf.summary.image(title, picture[None])
        self._writer.flush()

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()
