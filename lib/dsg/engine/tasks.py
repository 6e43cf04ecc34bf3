"""What training and testing need to know of a kind of network: how it is built, fed, scored and drawn.

`DsgTask` is the scene graph's; `dsg.baselines.task` has that of the baselines, which answer with maps. The
trainer, snapshots and logs are the same for both.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from dsg.batch import Batch
from dsg.config import BASELINES, Config
from dsg.datasets import Dataset
from dsg.engine.evaluate import ImageAnswer, Predict, evaluate, prediction_function
from dsg.engine.files import write_text
from dsg.engine.optimizers import Optimizer
from dsg.engine.pictures import answer_page, chosen_images, graph_page, scene_graph
from dsg.engine.step import StepReport, build_train_step
from dsg.metrics.report import format_table
from dsg.metrics.results import EvaluationResults
from dsg.nets import build_model
from dsg.nets.weights import load_initial_weights
from dsg.pipeline import BadRecords, next_step, steps_in_epoch, training_batches
from dsg.visualize.canvas import save_png

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
        """See `dsg.pipeline.training_batches`."""

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


def task_of(config: Config) -> Task:
    """The task of the network that `config` describes."""
    if config.net in BASELINES:
        from dsg.baselines.task import BaselineTask

        return BaselineTask(config)
    return DsgTask(config)


class DsgTask:
    """The task of a `DSG`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def build_model(self, num_entities: int, num_predicates: int) -> Any:
        return build_model(self._config, num_entities, num_predicates)

    def initial_weights(self, model: Any, training: Dataset) -> Any:
        return load_initial_weights(model, self._config)

    def prepare(self, model: Any, datasets: Sequence[Dataset], check: Check) -> None:
        pass

    def train_step(self, model: Any, optimizer: Optimizer, strategy: Any, training: Dataset) -> TrainStep:
        return build_train_step(model, optimizer, self._config, strategy)

    def training_batches(
        self, dataset: Dataset, images_per_step: int, *, epoch: int, start_step: int, bad: BadRecords
    ) -> tf.data.Dataset:
        feed = with_batch(self._config, images_per_step)
        return training_batches(dataset, feed, epoch=epoch, start_step=start_step, bad=bad)

    def steps_in_epoch(self, dataset: Dataset, images_per_step: int) -> int:
        return steps_in_epoch(dataset, with_batch(self._config, images_per_step))

    def next_step(self, batch: Batch, dataset: Dataset, images_per_step: int, epoch: int) -> int:
        return next_step(batch, dataset, with_batch(self._config, images_per_step), epoch)

    def validator(self, model: Any) -> Validate:
        predict = prediction_function(model, self._config)

        def validate(dataset: Dataset, check: Check) -> tuple[EvaluationResults, Pictures]:
            return self._validate(model, dataset, predict, check)

        return validate

    def test(self, model: Any, dataset: Dataset, folder: Path) -> EvaluationResults:
        model.fold()  # from here on it only answers
        config = self._config
        drawn, names = chosen_images(len(dataset), config.test.pictures), PlainNames()

        def observe(index: int, answer: ImageAnswer, subject: np.ndarray, object_: np.ndarray) -> None:
            if index not in drawn:
                return
            stem = names.of(answer.record.name, answer.record.flipped)
            page = answer_page(
                answer,
                dataset.vocabulary,
                config.pixel_means,
                subject,
                object_,
                config.test.role_conflict,
            )
            save_png(page, folder / "pictures" / f"{stem}_answers.png")
            graph = scene_graph(answer, dataset.vocabulary)
            if graph is not None:
                drawing = graph_page(answer, graph, config.pixel_means)
                save_png(drawing, folder / "pictures" / f"{stem}_graph.png")
                text = json.dumps(graph.to_json(), indent=1)
                write_text(folder / "pictures" / f"{stem}_graph.json", text)

        return evaluate(model, dataset, config, label="test", observe=observe)

    def table(self, results: EvaluationResults) -> str:
        return format_table(results)

    def score_text(self, score: float) -> str:
        return f"IoU {score:.4f}"

    def _validate(
        self, model: Any, dataset: Dataset, predict: Predict, check: Check
    ) -> tuple[EvaluationResults, Pictures]:
        """Scores on the validation split, and pictures of a few answers by title."""
        drawn = chosen_images(len(dataset), VALIDATION_PICTURES)
        pictures: Pictures = {}

        def observe(index: int, answer: ImageAnswer, subject: np.ndarray, object_: np.ndarray) -> None:
            if index in drawn:
                pictures[f"validation_{drawn.index(index)}"] = answer_page(
                    answer,
                    dataset.vocabulary,
                    self._config.pixel_means,
                    subject,
                    object_,
                    self._config.test.role_conflict,
                )

        results = evaluate(
            model, dataset, self._config, label="validate", predict=predict, observe=observe, check=check
        )
        return results, pictures


def with_batch(config: Config, images_per_step: int) -> Config:
    """The configuration of one pipeline that feeds all devices."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, ims_per_batch=images_per_step))


class PlainNames:
    """File names for images: without folder and ending, all different.

    Example:
        >>> names = PlainNames()
        >>> names.of("x/a.jpg"), names.of("a.png"), names.of("a b.png", mirrored=True)
        ('a', 'a_2', 'a_b_mirrored')
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, name: str, mirrored: bool = False) -> str:
        """The name of an image, or of its mirror image, which was not asked for before."""
        plain = re.sub(r"[^\w.-]", "_", Path(name).stem) + ("_mirrored" if mirrored else "")
        found, number = plain, 1
        while found in self._used:
            number += 1
            found = f"{plain}_{number}"
        self._used.add(found)
        return found
