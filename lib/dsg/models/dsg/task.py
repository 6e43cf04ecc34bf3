"""The task of a `DSG`: how it is built, fed, scored and drawn."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.optimizers import Optimizer
from dsg.engine.step import build_train_step
from dsg.engine.task import VALIDATION_PICTURES, Check, Pictures, TrainStep, Validate
from dsg.metrics.report import format_table
from dsg.metrics.results import EvaluationResults
from dsg.models.dsg.build import build_model
from dsg.models.dsg.evaluate import ImageAnswer, Predict, evaluate, prediction_function
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.model import DSG
from dsg.models.dsg.pictures import answer_page, chosen_images, graph_page, scene_graph
from dsg.models.weights import load_initial_weights
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.batch import Batch
from dsg.pipeline.batches import batch_spec, next_step, steps_in_epoch, training_batches
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import save_png


class DsgTask:
    """The task of a `DSG`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def build_model(self, num_entities: int, num_predicates: int) -> Any:
        return build_model(self._config, num_entities, num_predicates)

    def initial_weights(self, model: Any, training: Dataset) -> Any:
        return load_initial_weights(model, self._config, vocabulary=training.vocabulary)

    def prepare(self, model: Any, datasets: Sequence[Dataset], check: Check) -> None:
        pass

    def train_step(self, model: Any, optimizer: Optimizer, strategy: Any, training: Dataset) -> TrainStep:
        return train_step(model, optimizer, self._config, strategy)

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


def train_step(model: DSG, optimizer: Optimizer, config: Config, strategy: Any) -> TrainStep:
    """A training step of a `DSG`, see `build_train_step`."""

    def losses(model: DSG, batch: Batch) -> dict[str, tf.Tensor]:
        return training_losses(model, model(batch, training=True), batch, config)

    return build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=batch_spec(config))


def with_batch(config: Config, images_per_step: int) -> Config:
    """The configuration of one pipeline that feeds all devices."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, ims_per_batch=images_per_step))
