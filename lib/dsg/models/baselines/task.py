"""What training and testing know of a baseline, see `dsg.engine.task.Task`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.optimizers import Optimizer
from dsg.engine.step import build_train_step
from dsg.engine.task import VALIDATION_PICTURES, Check, Pictures, TrainStep, Validate
from dsg.models.baselines.model import Baseline, MapAnswers, build_baseline
from dsg.models.baselines.pictures import map_page
from dsg.models.baselines.report import map_table
from dsg.models.baselines.scores import MapEvaluator, MapResults, true_maps
from dsg.models.baselines.source import Memory, Source
from dsg.models.baselines.statistic import shift_filters
from dsg.models.dsg.pictures import chosen_images
from dsg.pipeline.batches import BadRecords, iterate, step_after
from dsg.runtime.picture_names import PlainNames
from dsg.runtime.progress import Progress
from dsg.visualize.canvas import save_png

Predict = Callable[[Any], MapAnswers]
Observer = Callable[[int, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], None]
"""Is shown each image's position, its maps, and the subject and object IoU of its queries."""


class BaselineTask:
    """The task of a `Baseline`; a step counts samples where a `DSG`'s counts images."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._memory = Memory(config.baseline.cache_gb)
        self._sources: dict[int, Source] = {}  # by id of the data set, which the source keeps alive

    def build_model(self, num_entities: int, num_predicates: int) -> Baseline:
        return build_baseline(self._config, num_entities, num_predicates)

    def initial_weights(self, model: Baseline, training: Dataset) -> Any:
        report = model.features.load(self._config)
        if self._config.model == "ss":
            fit_shifts(model, training)
        return report

    def prepare(self, model: Baseline, datasets: Sequence[Dataset], check: Check) -> None:
        if not self._config.baseline.finetune_cnn:
            see = feature_function(model)
            for dataset in datasets:
                self._source(dataset).keep_features(see, model.features.channels, check)

    def train_step(
        self, model: Baseline, optimizer: Optimizer, strategy: Any, training: Dataset
    ) -> TrainStep:
        spec = self._source(training).spec(1)
        return build_train_step(model, optimizer, self._config, strategy, losses_of=_losses, spec=spec)

    def training_batches(
        self, dataset: Dataset, images_per_step: int, *, epoch: int, start_step: int, bad: BadRecords
    ) -> tf.data.Dataset:
        return self._source(dataset).training_batches(images_per_step, epoch, start_step, bad)

    def steps_in_epoch(self, dataset: Dataset, images_per_step: int) -> int:
        return -(-len(self._source(dataset).samples) // images_per_step)

    def next_step(self, batch: Any, dataset: Dataset, images_per_step: int, epoch: int) -> int:
        return step_after(batch, self._source(dataset).order(epoch), images_per_step)

    def validator(self, model: Baseline) -> Validate:
        predictors: dict[int, Predict] = {}

        def validate(dataset: Dataset, check: Check) -> tuple[MapResults, Pictures]:
            source = self._source(dataset)
            if id(dataset) not in predictors:
                predictors[id(dataset)] = prediction_function(model, source)
            drawn = chosen_images(len(dataset), VALIDATION_PICTURES)
            pictures: Pictures = {}

            def observe(index: int, maps: Any, iou: Any) -> None:
                if index in drawn:
                    pictures[f"validation_{drawn.index(index)}"] = _page(dataset, source, index, maps, iou)

            predict = predictors[id(dataset)]
            results = self._evaluate(predict, dataset, "validate", observe, check)
            return results, pictures

        return validate

    def test(self, model: Baseline, dataset: Dataset, folder: Path) -> MapResults:
        source = self._source(dataset)
        drawn, names = chosen_images(len(dataset), self._config.test.pictures), PlainNames()

        def observe(index: int, maps: Any, iou: Any) -> None:
            if index in drawn:
                record = dataset.records[index]
                stem = names.of(record.name, record.flipped)
                page = _page(dataset, source, index, maps, iou)
                save_png(page, folder / "pictures" / f"{stem}_maps.png")

        predict = prediction_function(model, source)
        return self._evaluate(predict, dataset, "test", observe, lambda: None)

    def table(self, results: MapResults) -> str:
        return map_table(results)

    def score_text(self, score: float) -> str:
        return f"loss {-score:.4f}" if self._config.baseline.select == "loss" else f"IoU {score:.4f}"

    def _source(self, dataset: Dataset) -> Source:
        if id(dataset) not in self._sources:
            self._sources[id(dataset)] = Source(dataset, self._config, self._memory)
        return self._sources[id(dataset)]

    def _evaluate(
        self, predict: Predict, dataset: Dataset, label: str, observe: Observer, check: Check
    ) -> MapResults:
        """Scores on a split, every image counted once; unreadable images are named in `skipped`."""
        options, vocabulary = self._config.baseline, dataset.vocabulary
        evaluator = MapEvaluator(
            vocabulary.predicates,
            vocabulary.objects,
            select=options.select,
            drop_remainder=options.drop_remainder,
            role_conflict=self._config.test.role_conflict,
        )
        bad = BadRecords()
        batches = self._source(dataset).test_batches(self._config.test.ims_per_batch, bad)
        total = count = 0.0
        with Progress(label, len(dataset)) as progress:
            for index, answer in answers(predict, iterate(batches, bad), dataset):
                maps, losses = (answer.subject, answer.object), (answer.subject_loss, answer.object_loss)
                iou = evaluator.add_image(dataset.records[index], maps, losses)
                observe(index, maps, iou)
                total, count = total + float(iou[0].sum() + iou[1].sum()), count + 2 * len(iou[0])
                progress.advance(text=f"IoU {total / max(count, 1):.3f}")
                check()
        for name, reason in bad.reasons.items():
            evaluator.skip(name, reason)
        return evaluator.results()


def fit_shifts(model: Baseline, training: Dataset) -> None:
    """Set the filters of `ss` to the statistic of the training annotations."""
    forward, inverse = model.head.forward.filters, model.head.inverse.filters
    slots, size = (int(side) for side in forward.shape[:2])
    found = shift_filters(training.records, slots, size, model.config.baseline.shift_units)
    for variable, values in zip((forward, inverse), found):
        variable.assign(values)


def prediction_function(model: Baseline, source: Source) -> Predict:
    """`model.predict_maps` as a function that is traced once."""
    return tf.function(model.predict_maps, input_signature=[source.spec()], autograph=False)


def feature_function(model: Baseline) -> Callable[[tf.Tensor], tf.Tensor]:
    """What the model sees of images, as a function that is traced once."""
    signature = [tf.TensorSpec([None, None, None, 3], tf.uint8)]
    return tf.function(model.features.call, input_signature=signature, autograph=False)


def answers(predict: Predict, batches: Iterator[Any], dataset: Dataset) -> Iterator[tuple[int, MapAnswers]]:
    """Position and answer (arrays, no padding) of every image, in the order of the batches."""
    for batch in batches:
        arrays = MapAnswers(*(value.numpy() for value in predict(batch)))
        for row, index in enumerate(batch["index"].numpy()):
            count = len(dataset.records[index].queries)
            yield int(index), MapAnswers(*(value[row, :count] for value in arrays))


def _losses(model: Baseline, batch: Any) -> dict[str, tf.Tensor]:
    return model.training_losses(batch)


def _page(
    dataset: Dataset, source: Source, index: int, maps: tuple[Any, Any], iou: tuple[Any, Any]
) -> np.ndarray:
    record = dataset.records[index]
    return map_page(source.image(index), record, dataset.vocabulary, maps, true_maps(record, "rr"), iou)
