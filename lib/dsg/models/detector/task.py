"""The task of a `Detector`: how it is built, fed, scored and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset, Vocabulary
from dsg.datasets.detection import InstanceDataset
from dsg.datasets.instance_layouts import VOC as VOC_LAYOUT
from dsg.engine.task import Check
from dsg.metrics.detection_results import VOC, DetectionResults
from dsg.models.detector.batch_losses import batch_losses
from dsg.models.detector.build import build_detector
from dsg.models.detector.evaluate import Examined, evaluate, measures_coco, write_voc_files
from dsg.models.detector.model import Detector
from dsg.models.detector.pictures import detection_page, read_pixels
from dsg.models.detector.predictions import DetectorPredictor
from dsg.models.drawing import Drawings, DrawingTask, Evaluate, Observer
from dsg.pipeline.anchor_choice import log_reach
from dsg.pipeline.epochs import Examples
from dsg.pipeline.instance_batch import InstanceBatch
from dsg.pipeline.instance_batches import training_examples


class DetectorTask(DrawingTask[Detector, DetectionResults]):
    """The task of a `Detector`."""

    free_options = ("DETECTOR.METRIC",)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        measures_coco(config.detector.metric)  # missing, it is missed before anything is computed

    def build_model(self, vocabulary: Vocabulary) -> Detector:
        return build_detector(self._config, len(vocabulary.objects) + 1)

    def initial_weights(self, model: Detector, training: Dataset) -> object:
        from dsg.models.detector.weights import load_initial

        return load_initial(model, self._config, vocabulary=training.vocabulary)

    def prepare(self, model: Detector, datasets: Sequence[Dataset], check: Check) -> None:
        log_reach(self._config, datasets[0])

    def examples(self, training: Dataset) -> Examples:
        assert isinstance(training, InstanceDataset)
        return training_examples(training, self._config)

    def losses(self, model: Detector, batch: InstanceBatch) -> dict[str, tf.Tensor]:
        return batch_losses(model, batch, self._config)

    def evaluator(self, model: Detector) -> Evaluate[DetectionResults]:
        predict = DetectorPredictor(model, self._config)

        def run(dataset: Dataset, label: str, observe: Observer, check: Check) -> DetectionResults:
            def show(image: Examined) -> None:
                observe(image.index, self._drawings(dataset.vocabulary, image))

            assert isinstance(dataset, InstanceDataset)
            return evaluate(dataset, self._config, predict, label=label, observe=show, check=check)

        return run

    def test(self, model: Detector, dataset: Dataset, folder: Path) -> DetectionResults:
        model.fold()  # from here on it only answers
        results = super().test(model, dataset, folder)
        assert isinstance(dataset, InstanceDataset)
        if dataset.layout == VOC_LAYOUT:
            write_voc_files(results, dataset, folder / "voc")
        return results

    def table(self, results: DetectionResults) -> str:
        return results.table()

    def write(self, results: DetectionResults, folder: Path) -> None:
        pass

    def score_text(self, score: float) -> str:
        if self._config.detector.metric == VOC:
            return f"VOC AP {score:.4f}"
        return f"{'mean of box and mask AP' if self._config.detector.masks else 'AP'} {score:.4f}"

    def to_be_lowered(self, summary: Mapping[str, float]) -> float:
        """The lack of what snapshots are compared by."""
        names = ("voc_ap",) if self._config.detector.metric == VOC else ("ap", "mask_ap")
        known = [summary[name] for name in names if name in summary]
        return 1.0 - (sum(known) / len(known) if known else 0.0)

    def _drawings(self, vocabulary: Vocabulary, image: Examined) -> Drawings:
        yield "detections.png", detection_page(read_pixels(image.record), image, vocabulary.objects)
