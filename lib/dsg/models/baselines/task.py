"""What training and testing know of a baseline, see `dsg.engine.task.Task`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset, Vocabulary
from dsg.engine.task import Check
from dsg.models.baselines.model import Baseline, Batch, MapAnswers, build_baseline
from dsg.models.baselines.pictures import map_page
from dsg.models.baselines.report import map_table
from dsg.models.baselines.scores import MapEvaluator, MapResults, true_maps
from dsg.models.baselines.source import Memory, Source
from dsg.models.baselines.statistic import shift_filters
from dsg.models.referring import Drawings, Evaluate, Observer, ReferringTask
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.epochs import Examples
from dsg.runtime.progress import Progress

Predict = Callable[[Batch], MapAnswers]
Pair = tuple[np.ndarray, np.ndarray]
"""Of subjects, and of objects."""


class BaselineTask(ReferringTask[Baseline, MapResults]):
    """The task of a `Baseline`; a step counts samples where a `DSG`'s counts images."""

    free_options = ("BASELINE.CACHE_GB", "BASELINE.UNKNOWN_TEST", "BASELINE.DROP_REMAINDER")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._memory = Memory(config.baseline.cache_gb)
        self._sources: dict[int, Source] = {}  # by id of the data set, which the source keeps alive

    def build_model(self, vocabulary: Vocabulary) -> Baseline:
        return build_baseline(self._config, len(vocabulary.objects), len(vocabulary.predicates))

    def initial_weights(self, model: Baseline, training: Dataset) -> object:
        report = model.features.load(self._config)
        if self._config.model == "ss":
            fit_shifts(model, training)
        return report

    def prepare(self, model: Baseline, datasets: Sequence[Dataset], check: Check) -> None:
        if not self._config.baseline.finetune_cnn:
            see = feature_function(model)
            for dataset in datasets:
                self._source(dataset).keep_features(see, model.features.channels, check)

    def examples(self, training: Dataset) -> Examples:
        return self._source(training).examples()

    def losses(self, model: Baseline, batch: Batch) -> dict[str, tf.Tensor]:
        return model.training_losses(batch)

    def evaluator(self, model: Baseline) -> Evaluate[MapResults]:
        predictors: dict[int, Predict] = {}

        def run(dataset: Dataset, label: str, observe: Observer, check: Check) -> MapResults:
            if id(dataset) not in predictors:
                predictors[id(dataset)] = prediction_function(model, self._source(dataset))
            return self._evaluate(predictors[id(dataset)], dataset, label, observe, check)

        return run

    def table(self, results: MapResults) -> str:
        return map_table(results)

    def score_text(self, score: float) -> str:
        return f"loss {-score:.4f}" if self._config.baseline.select == "loss" else super().score_text(score)

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
                observe(index, self._drawings(dataset, index, maps, iou))
                total, count = total + float(iou[0].sum() + iou[1].sum()), count + 2 * len(iou[0])
                progress.advance(text=f"IoU {total / max(count, 1):.3f}")
                check()
        for name, reason in bad.reasons.items():
            evaluator.skip(name, reason)
        return evaluator.results()

    def _drawings(self, dataset: Dataset, index: int, maps: Pair, iou: Pair) -> Drawings:
        record, image = dataset.records[index], self._source(dataset).image(index)
        yield "maps.png", map_page(image, record, dataset.vocabulary, maps, true_maps(record, "rr"), iou)


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


def answers(predict: Predict, batches: Iterator[Batch], dataset: Dataset) -> Iterator[tuple[int, MapAnswers]]:
    """Position and answer (arrays, no padding) of every image, in the order of the batches."""
    for batch in batches:
        arrays = MapAnswers(*(value.numpy() for value in predict(batch)))
        for row, index in enumerate(batch["index"].numpy()):
            count = len(dataset.records[index].queries)
            yield int(index), MapAnswers(*(value[row, :count] for value in arrays))
