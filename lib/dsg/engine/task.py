"""What training and testing need to know about a system: how to build, feed, score and draw it.

The engine knows no system: its caller passes a `Task`, which `dsg.models.registry` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import tensorflow as tf

from dsg.datasets import Dataset, Vocabulary
from dsg.pipeline.epochs import Examples

Batch = Any
"""Tensors by name, as in `Examples.spec`: a mapping, or a `TypedDict` of the system."""
Check = Callable[[], None]
"""Called from time to time during long work; raises to stop it."""
Pictures = dict[str, np.ndarray]
"""uint8 [H, W, 3] RGB by title."""


class Model(Protocol):
    """A network whose variables have stable names."""

    def named_variables(self) -> dict[str, tf.Variable]:
        """Every variable by name, trained or not: what a snapshot keeps."""

    def trainable_names(self) -> list[str]:
        """Names of the variables that training changes."""


class Results(Protocol):
    """What an evaluation measured."""

    @property
    def score(self) -> float:
        """What snapshots are compared by; higher is better, nan if there was nothing to score."""

    def summary(self) -> dict[str, float]:
        """The figures of the history and of TensorBoard, by name."""

    def headline(self) -> str:
        """The most important figures, for one line of the log; may be empty."""

    def to_json(self) -> dict[str, Any]:
        """All figures of a test, ready for `json.dump`."""


M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=Results)
Validate = Callable[[Dataset, Check], tuple[R, Pictures]]


class Task(Protocol[M, R]):
    """A system; M is its model, R what its evaluation measures."""

    @property
    def free_options(self) -> Collection[str]:
        """Options of the system that may change when a run resumes, besides `dsg.engine.resume.FREE_OPTIONS`:
        they do not change what training computes.
        """

    def build_model(self, vocabulary: Vocabulary) -> M:
        """The model at its initial values."""

    def initial_weights(self, model: M, training: Dataset) -> object:
        """Give a new run's model its initial weights; returns a report for the log."""

    def prepare(self, model: M, datasets: Sequence[Dataset], check: Check) -> None:
        """Prepare once, with the weights in place, before the first step of a new or resumed run."""

    def examples(self, training: Dataset) -> Examples:
        """The examples of an epoch of training; called after `prepare`."""

    def losses(self, model: M, batch: Batch) -> dict[str, tf.Tensor]:
        """`total`, which training lowers, and its unweighted terms: float32 scalars by name, means over the
        batch. Traced.
        """

    def validator(self, model: M) -> Validate[R]:
        """A function that scores the model as it is then and draws a few answers; may be called often."""

    def test(self, model: M, dataset: Dataset, folder: Path) -> R:
        """Score a data set, and write pictures of TEST.PICTURES images to `<folder>/pictures`. The model may
        be changed into one that can no longer be trained.
        """

    def table(self, results: R) -> str:
        """Results as text."""

    def write(self, results: R, folder: Path) -> None:
        """Write to a test's folder what it has besides table, JSON and pictures."""

    def score_text(self, score: float) -> str:
        """`Results.score` with its name, such as 'IoU 0.8132'."""

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The value in an epoch's `Results.summary` that TRAIN.SCHEDULE plateau watches; lower is better."""


def trained_variables(model: Model) -> dict[str, tf.Variable]:
    """The variables that training changes, by name."""
    variables = model.named_variables()
    return {name: variables[name] for name in model.trainable_names()}
