"""The task of a `DSG`: how it is built, fed, scored and drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1 import LoadReport
from dsg.config.names import PYRAMIDS
from dsg.datasets import Dataset, Vocabulary
from dsg.engine.task import Check
from dsg.metrics.report import format_table
from dsg.metrics.results import EvaluationResults
from dsg.models.dsg.build import build_model
from dsg.models.dsg.evaluate import Examined, evaluate
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.model import DSG
from dsg.models.dsg.pictures import answer_page, graph_page
from dsg.models.dsg.predictions import Predictor
from dsg.models.dsg.pyramid import check_frozen
from dsg.models.referring import Drawings, Evaluate, Observer, ReferringTask
from dsg.models.weights import load_initial_weights
from dsg.pipeline.anchor_choice import log_reach
from dsg.pipeline.batch import Batch
from dsg.pipeline.batches import training_examples
from dsg.pipeline.epochs import Examples


class DsgTask(ReferringTask[DSG, EvaluationResults]):
    """The task of a `DSG`."""

    free_options = ()

    def build_model(self, vocabulary: Vocabulary) -> DSG:
        return build_model(self._config, len(vocabulary.objects), len(vocabulary.predicates))

    def initial_weights(self, model: DSG, training: Dataset) -> LoadReport:
        report = load_initial_weights(model, self._config, vocabulary=training.vocabulary)
        if self._config.backbone in PYRAMIDS and self._config.train.freeze_detector:
            check_frozen(model, report)
        return report

    def prepare(self, model: DSG, datasets: Sequence[Dataset], check: Check) -> None:
        log_reach(self._config, datasets[0])

    def examples(self, training: Dataset) -> Examples:
        return training_examples(training, self._config)

    def losses(self, model: DSG, batch: Batch) -> dict[str, tf.Tensor]:
        return training_losses(model, model(batch, training=True), batch, self._config)

    def evaluator(self, model: DSG) -> Evaluate[EvaluationResults]:
        predict = Predictor(model, self._config)

        def run(dataset: Dataset, label: str, observe: Observer, check: Check) -> EvaluationResults:
            def show(image: Examined, subject: np.ndarray, object_: np.ndarray) -> None:
                observe(image.index, self._drawings(dataset.vocabulary, image, subject, object_))

            config = self._config
            return evaluate(model, dataset, config, label=label, predict=predict, observe=show, check=check)

        return run

    def test(self, model: DSG, dataset: Dataset, folder: Path) -> EvaluationResults:
        model.fold()  # from here on it only answers
        return super().test(model, dataset, folder)

    def table(self, results: EvaluationResults) -> str:
        return format_table(results)

    def _drawings(
        self, vocabulary: Vocabulary, image: Examined, subject_iou: np.ndarray, object_iou: np.ndarray
    ) -> Drawings:
        means, conflict = self._config.pixel_means, self._config.test.role_conflict
        yield "answers.png", answer_page(image, vocabulary, means, subject_iou, object_iou, conflict)
        graph = image.prediction.scene_graph(vocabulary)
        if graph is not None:
            yield "graph.png", graph_page(image, graph, means)
            yield "graph.json", json.dumps(graph.to_json(), indent=1)
