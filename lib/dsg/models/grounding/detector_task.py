"""The task of the joint detector: how it is built, fed, scored and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset, Vocabulary
from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.engine.task import Check
from dsg.metrics.detection_results import VOC
from dsg.metrics.joint_results import JointResults
from dsg.models.detector.evaluate import Examined, evaluate, measures_coco
from dsg.models.detector.pictures import detection_page
from dsg.models.detector.predictions import DetectorPredictor
from dsg.models.drawing import Drawings, DrawingTask, Evaluate, Observer
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.detector_losses import detector_losses
from dsg.models.grounding.domains import DomainDetector
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.weights import load_initial
from dsg.pipeline.anchor_choice import log_reach
from dsg.pipeline.epochs import Examples
from dsg.pipeline.examples import load_image
from dsg.pipeline.graph_batch import GraphBatch
from dsg.pipeline.graph_batches import graph_training_examples
from dsg.pipeline.graph_examples import inner_boxes, with_masks


class JointDetectorTask(DrawingTask[GroundingModel, JointResults]):
    """The task of a `GroundingModel` without a graph."""

    free_options = ("DETECTOR.METRIC", "GROUNDING.MOST_BOXES", "GROUNDING.MASK_DATA")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        measures_coco(config.detector.metric)  # missing, it is missed before anything is computed

    def build_model(self, vocabulary: Vocabulary) -> GroundingModel:
        return build_grounding(self._config, vocabulary)

    def initial_weights(self, model: GroundingModel, training: Dataset) -> object:
        return load_initial(model, self._config, training.vocabulary)

    def prepare(self, model: GroundingModel, datasets: Sequence[Dataset], check: Check) -> None:
        log_reach(self._config, datasets[0])

    def examples(self, training: Dataset) -> Examples:
        assert isinstance(training, GraphDataset)
        return graph_training_examples(training, self._config)

    def losses(self, model: GroundingModel, batch: GraphBatch) -> dict[str, tf.Tensor]:
        return detector_losses(model, batch, self._config)

    def evaluator(self, model: GroundingModel) -> Evaluate[JointResults]:
        configs = [with_masks(self._config, masks) for masks in (False, True)]
        predictors = [
            DetectorPredictor(DomainDetector(model.detector, config.detector.masks), config)  # type: ignore[arg-type]
            for config in configs[: 1 + (model.detector.mask_head is not None)]
        ]

        def run(dataset: Dataset, label: str, observe: Observer, check: Check) -> JointResults:
            def show(image: Examined) -> None:
                observe(image.index, self._drawings(dataset.vocabulary.objects, image))

            assert isinstance(dataset, GraphDataset)
            options: dict[str, Any] = {"label": label, "check": check}
            graphs = evaluate(as_instances(dataset), configs[0], predictors[0], observe=show, **options)
            if dataset.auxiliary is None or len(predictors) == 1:
                return JointResults(graphs, None)
            masks = evaluate(dataset.auxiliary, configs[1], predictors[1], **options)
            return JointResults(graphs, masks)

        return run

    def test(self, model: GroundingModel, dataset: Dataset, folder: Path) -> JointResults:
        model.fold()  # from here on it only answers
        return super().test(model, dataset, folder)

    def table(self, results: JointResults) -> str:
        return results.table()

    def write(self, results: JointResults, folder: Path) -> None:
        pass

    def score_text(self, score: float) -> str:
        return f"{'VOC AP' if self._config.detector.metric == VOC else 'AP50'} {score:.4f}"

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The lack of what snapshots are compared by."""
        return 1.0 - summary.get("voc_ap" if self._config.detector.metric == VOC else "ap_50", 0.0)

    def _drawings(self, names: Sequence[str], image: Examined) -> Drawings:
        record = image.record
        pixels = load_image(record.path, (record.width, record.height))[:, :, ::-1].copy()
        yield "detections.png", detection_page(pixels, image, names)


def as_instances(dataset: GraphDataset) -> InstanceDataset:
    """The objects of a data set of scene graphs, as a plain detector is measured by them."""
    records = [
        Instances(
            *(record.name, record.path, record.width, record.height),
            boxes=inner_boxes(record),
            classes=record.labels.astype(np.int32) + 1,
            difficult=np.zeros(len(record.boxes), bool),
            crowd=np.zeros(len(record.boxes), bool),
        )
        for record in graphs_of(dataset)
    ]
    vocabulary = Vocabulary(dataset.vocabulary.objects, ())
    return InstanceDataset(dataset.name, dataset.split, dataset.folder, vocabulary, records, dataset.skipped)
