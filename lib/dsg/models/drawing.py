"""What the systems have in common that answer for images one by one: some images are drawn while a split is
scored.

Such a system says how its model is evaluated, and draws answers; which images are drawn, and where their
pictures go, is decided here.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, Union

import numpy as np

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.task import Check, M, Pictures, R, Validate
from dsg.models.shown import chosen_images
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import save_png

VALIDATION_PICTURES = 4  # validation images drawn for TensorBoard

Drawings = Iterator[tuple[str, Union[np.ndarray, str]]]
"""Pictures (uint8 [H, W, 3] RGB) and texts, each with the end of its file's name such as 'answers.png', drawn
when they are requested, the most important picture first."""
Observer = Callable[[int, Drawings], None]
"""Is shown each image's position and the drawings of its answers."""
Evaluate = Callable[[Dataset, str, Observer, Check], R]
"""Scores a split; the text begins each line of progress."""


class DrawingTask(abc.ABC, Generic[M, R]):
    """The common part of a `dsg.engine.task.Task`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @abc.abstractmethod
    def evaluator(self, model: M) -> Evaluate[R]:
        """A function that scores the model as it is then; it may be called often."""

    def curves(self, results: R) -> Pictures:
        """Pictures of the results as a whole, for TensorBoard."""
        return {}

    def validator(self, model: M) -> Validate[R]:
        evaluate = self.evaluator(model)

        def validate(dataset: Dataset, check: Check) -> tuple[R, Pictures]:
            drawn, pictures = chosen_images(len(dataset), VALIDATION_PICTURES), {}

            def observe(index: int, drawings: Drawings) -> None:
                if index in drawn:
                    for _, drawing in itertools.islice(drawings, 1):
                        pictures[f"validation_{drawn.index(index)}"] = np.asarray(drawing)

            results = evaluate(dataset, "validate", observe, check)
            return results, {**pictures, **self.curves(results)}

        return validate

    def test(self, model: M, dataset: Dataset, folder: Path) -> R:
        return self.tested(self.evaluator(model), dataset, folder)

    def tested(self, evaluate: Evaluate[R], dataset: Dataset, folder: Path) -> R:
        """The results of a test, whose pictures are written."""
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

        return evaluate(dataset, "test", observe, lambda: None)
