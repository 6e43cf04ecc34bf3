"""The task of the graph on a trained detector: how it is built, fed, scored and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from dsg.config.grounding import SGDET
from dsg.datasets import Dataset, Vocabulary
from dsg.datasets.scene_graphs import GraphDataset, has_true_masks, true_masks
from dsg.engine.task import Check
from dsg.metrics.graph_results import GraphResults
from dsg.models.drawing import Drawings, DrawingTask, Evaluate, Observer
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.evaluate import ExaminedGraph, evaluate
from dsg.models.grounding.initial import start_graph
from dsg.models.grounding.mask_overlaps import OverlapMeter
from dsg.models.grounding.mask_predictor import MaskPredictor
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.models.grounding.scene import GroundedGraph
from dsg.models.grounding.training import graph_losses
from dsg.models.grounding.weights import load_initial
from dsg.pipeline.epochs import Examples
from dsg.pipeline.examples import load_image
from dsg.pipeline.graph_batch import GraphBatch
from dsg.pipeline.graph_batches import graph_training_examples
from dsg.pipeline.images import mirror
from dsg.runtime.cocotools import has_cocotools

MANY_IMAGES = 100  # from so many to be tested on, composing the stage's layers costs less than it spares


class GraphTask(DrawingTask[GroundingModel, GraphResults]):
    """The task of a `GroundingModel` with a graph."""

    free_options = ("GROUNDING.MOST_BOXES", "GROUNDING.TEST_SETTING")

    def build_model(self, vocabulary: Vocabulary) -> GroundingModel:
        return build_grounding(self._config, vocabulary)

    def initial_weights(self, model: GroundingModel, training: Dataset) -> object:
        assert isinstance(training, GraphDataset)
        notes = start_graph(model, training, self._config)
        report = load_initial(model, self._config, training.vocabulary)
        report.notes += notes
        return report

    def prepare(self, model: GroundingModel, datasets: Sequence[Dataset], check: Check) -> None:
        pass

    def examples(self, training: Dataset) -> Examples:
        assert isinstance(training, GraphDataset)
        return graph_training_examples(training, self._config)

    def losses(self, model: GroundingModel, batch: GraphBatch) -> dict[str, tf.Tensor]:
        return graph_losses(model, batch, self._config)

    def evaluator(self, model: GroundingModel) -> Evaluate[GraphResults]:
        """Recall only; `test` also measures masks."""
        return self._evaluator(model, masks=False)

    def _evaluator(self, model: GroundingModel, *, masks: bool) -> Evaluate[GraphResults]:
        config, setting = self._config, self._config.grounding.tested_in
        predict = GroundedPredictor(model, config, setting, guesses=masks)
        masked = None
        if masks and model.detector.mask_head is not None and has_cocotools():
            masked = MaskPredictor(model, config, setting)

        def run(dataset: Dataset, label: str, observe: Observer, check: Check) -> GraphResults:
            def show(image: ExaminedGraph) -> None:
                observe(image.index, self._drawings(dataset.vocabulary, image))

            assert isinstance(dataset, GraphDataset)
            meter = None
            if masked is not None and setting != SGDET and has_true_masks(dataset):
                meter = OverlapMeter(model.transfer.numpy(), true_masks(dataset))
            return evaluate(
                *(dataset, config, predict),
                label=label,
                masks=masked,
                overlaps=meter,
                observe=show,
                check=check,
            )

        return run

    def test(self, model: GroundingModel, dataset: Dataset, folder: Path) -> GraphResults:
        model.fold()  # from here on it only answers
        if len(dataset.records) >= MANY_IMAGES:
            model.graph.compose()
        return self.tested(self._evaluator(model, masks=True), dataset, folder)

    def table(self, results: GraphResults) -> str:
        return results.table()

    def write(self, results: GraphResults, folder: Path) -> None:
        pass

    def score_text(self, score: float) -> str:
        return f"mR@20 {score:.4f}"

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The lack of what snapshots are compared by."""
        return 1.0 - summary.get("mr_20", 0.0)

    def _drawings(self, vocabulary: Vocabulary, image: ExaminedGraph) -> Drawings:
        record = image.record
        pixels = load_image(record.path, (record.width, record.height))[:, :, ::-1]
        pixels = mirror(pixels) if record.flipped else pixels.copy()
        graph = GroundedGraph(record.width, record.height, image.said, vocabulary).chosen()
        yield "graph.png", graph.draw(pixels)
        if image.said.refined is not None:
            yield "refinement.png", graph.draw_refinement(pixels)
