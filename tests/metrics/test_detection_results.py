"""Figures of detections from hand-made images."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dsg.datasets.formats.segmentations import encode
from dsg.metrics.coco_ap import Found, Objects
from dsg.metrics.detection_results import VOC, DetectionEvaluator, DetectionResults, ImageTruthAndFound

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")

BOXES = np.array([[10, 10, 60, 60], [100, 20, 190, 90]], np.float32)
CLASSES = ("cat", "dog", "owl")


def mask(box: np.ndarray) -> dict:
    pixels = np.zeros((120, 200), bool)
    x1, y1, x2, y2 = box.astype(int)
    pixels[y1:y2, x1:x2] = True
    return encode(pixels)


def image(
    name: str, shift: float = 0.0, difficult: tuple[bool, bool] = (False, False), found: int = 2
) -> ImageTruthAndFound:
    """A cat and a dog, of which `found` are found, boxes so many pixels too far to the right."""
    hard, classes = np.array(difficult), np.array([1, 2])
    moved = BOXES + np.array([shift, 0, shift, 0], np.float32)
    masks, other = [mask(box) for box in BOXES], [mask(box) for box in moved]
    scores = np.array([0.9, 0.8], np.float32)
    truth = Objects(BOXES, classes, hard, None, masks)
    return ImageTruthAndFound(
        name, truth, hard, Found(moved[:found], classes[:found], scores[:found], other[:found])
    )


def results(*images: ImageTruthAndFound, metric: str = "coco", coco: bool = True) -> DetectionResults:
    evaluator = DetectionEvaluator(CLASSES, metric=metric, masks=True)
    for each in images:
        evaluator.add_image(each)
    evaluator.skip("torn.jpg", "the image is truncated")
    return evaluator.results(coco=coco)


def test_all_found() -> None:
    perfect = results(image("a"), image("b"))
    figures = perfect.summary()
    assert figures["ap"] == figures["mask_ap"] == figures["voc_ap"] == perfect.score == pytest.approx(1)
    assert figures["images"] == 2 and figures["objects"] == 4
    owl = perfect.classes[2]
    assert owl.objects == 0 and math.isnan(owl.ap) and math.isnan(owl.voc_ap)
    table = perfect.table()
    assert "2 images, 1 skipped, 4 objects" in table and "cat" in table and "owl" not in table
    stored = json.loads(json.dumps(perfect.to_json(), allow_nan=False))
    assert stored["classes"]["owl"]["ap"] is None and stored["skipped"] == {
        "torn.jpg": "the image is truncated"
    }
    assert "mask AP 1.0000" in perfect.headline()


def test_boxes_beside_their_objects_and_objects_that_are_missed() -> None:
    # the cat's box of 50 pixels is 10 too far: IoU 40 / 60; the dog's of 90: 80 / 100
    moved = results(image("a", shift=10))
    cat, dog, _ = moved.classes
    assert cat.ap == pytest.approx(0.4) and dog.ap == pytest.approx(0.7)  # of the ten thresholds
    assert cat.voc_ap == dog.voc_ap == pytest.approx(1)
    assert moved.score == pytest.approx(np.mean([0.55, 0.55]))
    half = results(image("a", found=1))
    assert half.summary()["ap"] == pytest.approx(0.5) and half.classes[1].voc_ap == 0


def test_a_difficult_object_counts_neither_way() -> None:
    for found in (1, 2):
        one = results(image("a", difficult=(False, True), found=found))
        assert one.summary()["ap"] == pytest.approx(1) and one.summary()["voc_ap"] == pytest.approx(1)
        assert one.objects == 1


def test_without_pycocotools_and_without_objects() -> None:
    voc = results(image("a"), metric=VOC, coco=False)
    assert voc.score == voc.voc_ap == pytest.approx(1) and voc.boxes is None
    assert "COCO" not in voc.table() and "ap" not in voc.summary() and voc.to_json()["coco"] == {}
    nothing = results()
    assert math.isnan(nothing.score) and nothing.to_json()["score"] is None
    assert nothing.summary() == {"images": 0, "objects": 0}
    json.dumps(nothing.to_json(), allow_nan=False)
    assert "-" in nothing.table()
