"""What training and testing need to know of a kind of network: how it is built, fed, scored and drawn.

The engine knows no network: whoever starts it hands it a `Task`, which `dsg.models.registry` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from dsg.datasets import Dataset
from dsg.engine.optimizers import Optimizer
from dsg.engine.step import StepReport
from dsg.metrics.results import EvaluationResults
from dsg.pipeline.bad_records import BadRecords

VALIDATION_PICTURES = 4  # validation images drawn for TensorBoard

Check = Callable[[], None]
TrainStep = Callable[[Any, float], StepReport]
Validate = Callable[[Dataset, Check], "tuple[EvaluationResults, Pictures]"]
Pictures = dict[str, np.ndarray]
"""uint8 [H, W, 3] RGB by title."""


class Task(Protocol):
    """A kind of network; `images_per_step` are those of all devices together."""

    def build_model(self, num_entities: int, num_predicates: int) -> Any:
        """The model at its initial values, with `named_variables()` and `trainable_names()`."""

    def initial_weights(self, model: Any, training: Dataset) -> Any:
        """Give a new run's model what it starts from; a report for the log."""

    def prepare(self, model: Any, datasets: Sequence[Dataset], check: Check) -> None:
        """What is to be done once before the first step, of a new or resumed run, with the weights in
        place.
        """

    def train_step(self, model: Any, optimizer: Optimizer, strategy: Any, training: Dataset) -> TrainStep:
        """See `build_train_step`."""

    def training_batches(
        self, dataset: Dataset, images_per_step: int, *, epoch: int, start_step: int, bad: BadRecords
    ) -> tf.data.Dataset:
        """See `dsg.pipeline.batches.training_batches`."""

    def steps_in_epoch(self, dataset: Dataset, images_per_step: int) -> int:
        """Steps of a whole epoch."""

    def next_step(self, batch: Any, dataset: Dataset, images_per_step: int, epoch: int) -> int:
        """The `start_step` that continues an epoch after `batch`."""

    def validator(self, model: Any) -> Validate:
        """A function that scores the model as it is then, and draws a few answers; it may be called often."""

    def test(self, model: Any, dataset: Dataset, folder: Path) -> EvaluationResults:
        """Scores; on the way, pictures of TEST.PICTURES images go to `<folder>/pictures`. The model may be
        changed into one that only answers.
        """

    def table(self, results: Any) -> str:
        """Results as text."""

    def score_text(self, score: float) -> str:
        """What snapshots are compared by, with its name."""
