"""Detectors at work: `load_detector` reads a snapshot or another program's file, `TrainedDetector.detect`
finds the objects of images.

No data set and no ground truth are needed: the file carries the network, its options and its classes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.config import Config, from_values, stored_values
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import load_snapshot, restore
from dsg.models.detector.build import build_detector
from dsg.models.detector.foreign import foreign_detector
from dsg.models.detector.model import Detector
from dsg.models.detector.objects import DetectedObjects
from dsg.models.detector.predictions import Detected, DetectorPredictor
from dsg.models.kinds import check_detects
from dsg.nets.initial import unfilled
from dsg.pipeline.images import read_image
from dsg.pipeline.instance_batches import inference_batch
from dsg.runtime.weight_files import ARCHIVE, find_weights


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """A trained detector and what belongs to it."""

    model: Detector
    config: Config
    vocabulary: Vocabulary  # class k is `objects[k - 1]`

    def detect(self, images: Sequence[np.ndarray | str | Path]) -> list[DetectedObjects]:
        """The objects of images, TEST.IMS_PER_BATCH images at a time.

        Args:
            images: files, or uint8 [H, W, 3] in B, G, R order.

        Returns:
            For each image its objects, in pixels of the original image: all whose score exceeds
            TEST.SCORE_THRESHOLD, TEST.MAX_PER_IMAGE at most.

        Raises:
            UserError: an image cannot be read.
        """
        objects: list[DetectedObjects] = []
        for first in range(0, len(images), self.config.test.ims_per_batch):
            chosen = images[first : first + self.config.test.ims_per_batch]
            pixels = [image if isinstance(image, np.ndarray) else read_image(image) for image in chosen]
            predictor = self._predict_one if len(pixels) == 1 else self._predict_several
            detections = predictor(inference_batch(pixels, self.config))
            objects += [self._named(*pair) for pair in zip(detections, pixels)]
        return objects

    def _named(self, detected: Detected, image: np.ndarray) -> DetectedObjects:
        names = tuple(self.vocabulary.objects[number - 1] for number in detected.classes)
        height, width = image.shape[:2]
        boxes, classes, scores, masks = detected
        return DetectedObjects(width, height, boxes, names, classes, scores, masks)

    @functools.cached_property
    def _predict_one(self) -> DetectorPredictor:
        return DetectorPredictor(self.model, self.config, alone=True)

    @functools.cached_property
    def _predict_several(self) -> DetectorPredictor:
        return DetectorPredictor(self.model, self.config, alone=False)


def load_detector(path: str | Path, backbone: str = "") -> TrainedDetector:
    """The detector of a file.

    Args:
        path: a snapshot (`<name>_iter_N.npz`, or the folder of its run), a `.pth` file of torchvision, or a
            TensorFlow 1 checkpoint of tf-faster-rcnn.
        backbone: of a checkpoint, which does not name it.

    Raises:
        UserError: the file is missing, damaged, hostile, or of another network.
    """
    path = Path(path)
    weights = find_weights(path)
    if weights.kind != ARCHIVE:
        return TrainedDetector(*foreign_detector(weights, backbone))
    snapshot = load_snapshot(weights.path)
    check_detects(path, snapshot.meta)
    config = from_values(stored_values(snapshot.meta.config))
    vocabulary = Vocabulary(tuple(snapshot.meta.objects), ())
    with unfilled():
        model = build_detector(config, len(vocabulary.objects) + 1)
    restore(snapshot, model)
    model.fold()
    return TrainedDetector(model, config, vocabulary)
