"""What the systems have in common that answer referring relationships: how they are validated and tested.

Such a system says how its model is evaluated, and draws answers; which images are drawn, and where their
pictures go, is decided here.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar, Union

import numpy as np

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.task import Check, M, Pictures, Validate
from dsg.metrics.results import EvaluationResults
from dsg.models.shown import chosen_images
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import save_png
from dsg.visualize.iou_curves import draw_iou_curves

VALIDATION_PICTURES = 4  # validation images drawn for TensorBoard

E = TypeVar("E", bound=EvaluationResults)
Drawings = Iterator[tuple[str, Union[np.ndarray, str]]]
"""Pictures (uint8 [H, W, 3] RGB) and texts, each with the end of its file's name such as 'answers.png', drawn
when they are requested, the most important picture first."""
Observer = Callable[[int, Drawings], None]
"""Is shown each image's position and the drawings of its answers."""
Evaluate = Callable[[Dataset, str, Observer, Check], E]
"""Scores a split; the text begins each line of progress."""


class ReferringTask(abc.ABC, Generic[M, E]):
    """The common part of a `dsg.engine.task.Task`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @abc.abstractmethod
    def evaluator(self, model: M) -> Evaluate[E]:
        """A function that scores the model as it is then; it may be called often."""

    def validator(self, model: M) -> Validate[E]:
        evaluate = self.evaluator(model)

        def validate(dataset: Dataset, check: Check) -> tuple[E, Pictures]:
            drawn, pictures = chosen_images(len(dataset), VALIDATION_PICTURES), {}

            def observe(index: int, drawings: Drawings) -> None:
                if index in drawn:
                    pictures[f"validation_{drawn.index(index)}"] = np.asarray(next(drawings)[1])

            results = evaluate(dataset, "validate", observe, check)
            pictures["validation_iou_curves"] = draw_iou_curves(results.iou_curves())
            return results, pictures

        return validate

    def test(self, model: M, dataset: Dataset, folder: Path) -> E:
        drawn, names = chosen_images(len(dataset), self._config.test.pictures), PlainNames()

        def observe(index: int, drawings: Drawings) -> None:
            if index not in drawn:
                return
            record = dataset.records[index]
            stem = names.of(record.name, record.flipped)
            for ending, drawing in drawings:
                path = folder / "pictures" / f"{stem}_{ending}"
                if isinstance(drawing, str):
                    write_text(path, drawing)
                else:
                    save_png(drawing, path)

        return self.evaluator(model)(dataset, "test", observe, lambda: None)

    def score_text(self, score: float) -> str:
        return f"IoU {score:.4f}"

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The loss, or the lack of IoU where no loss was measured."""
        if "loss" in summary:
            return summary["loss"]
        return 1.0 - (summary.get("subject_iou", 0.0) + summary.get("object_iou", 0.0)) / 2
