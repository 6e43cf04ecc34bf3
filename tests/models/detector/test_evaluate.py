"""What an evaluation compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.formats.instances import Instances
from dsg.metrics.detection_results import VOC, DetectionEvaluator
from dsg.models.detector.evaluate import Examined, compared
from dsg.models.detector.predictions import Detected


@pytest.mark.parametrize("kind", ["crowd", "difficult"])
def test_neither_crowds_nor_difficult_objects_have_to_be_found(kind: str) -> None:
    none = np.zeros(2, bool)
    flags = {"crowd": none, "difficult": none, kind: np.array([False, True])}
    boxes = np.array([[10, 10, 40, 50], [60, 20, 90, 70]], np.float32)
    record = Instances("photo", Path("photo.png"), 100, 80, boxes, np.array([1, 1], np.int32), **flags)
    detected = Detected(boxes[:1], np.array([1], np.int32), np.array([0.9], np.float32))
    evaluator = DetectionEvaluator(("dog",), metric=VOC)
    evaluator.add_image(compared(Examined(0, record, detected), masks=False))
    results = evaluator.results(coco=False)
    assert results.objects == 1 and results.voc_ap == 1
