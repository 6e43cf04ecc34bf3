"""Pictures of detections beside the ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.datasets.formats.instances import Instances, mirrored_instances
from dsg.models.detector.evaluate import Examined
from dsg.models.detector.pictures import detection_page, mask_cells
from dsg.models.detector.predictions import Detected
from dsg.visualize.canvas import grid
from dsg.visualize.detections import draw_detections

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
CLASSES = ("dog", "cat")
# the left half of the first object's box, and an object without a mask
SEGMENTATIONS = [[[100, 200, 150, 200, 150, 300, 100, 300]], None]


def record_of(count: int = 2) -> Instances:
    none = np.zeros(count, bool)
    return Instances(
        *("photo", Path("photo.png"), 600, 440),
        boxes=np.array([[100, 200, 200, 300], [400, 50, 500, 350]], np.float32)[:count],
        classes=np.array([1, 2], np.int32)[:count],
        difficult=none,
        crowd=none,
        segmentations=SEGMENTATIONS[:count],
    )


def test_masks_in_the_cells_of_boxes() -> None:
    cells = mask_cells(record_of(), 28)
    assert cells.shape == (2, 28, 28) and cells.dtype == np.float32
    np.testing.assert_allclose(cells[0], np.tile(np.arange(28) < 14, (28, 1)), atol=1e-5)
    np.testing.assert_allclose(cells[1], 1, atol=1e-5)
    mirrored = mask_cells(mirrored_instances(record_of()), 28)
    np.testing.assert_allclose(mirrored[0], cells[0, :, ::-1], atol=1e-5)
    assert mask_cells(record_of(0), 28).shape == (0, 28, 28)


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("masks", [False, True])
def test_detections_beside_the_truth(masks: bool, count: int) -> None:
    image, record = np.full((440, 600, 3), 90, np.uint8), record_of(count)
    cells = np.random.default_rng(0).random((2, 28, 28), np.float32)[:count] if masks else None
    boxes, scores = record.boxes + 5, np.array([0.9, 0.4], np.float32)[:count]
    examined = Examined(0, record, Detected(boxes, record.classes, scores, cells))
    shown = slice(min(count, 1))  # the other one is not likely enough
    left = draw_detections(
        *(image, boxes[shown], ["dog"][shown], scores[shown], cells[shown] if masks else None),
        classes=record.classes[shown],
    )
    right = draw_detections(
        *(image, record.boxes, CLASSES[:count]),
        masks=mask_cells(record, 28) if masks else None,
        classes=record.classes,
    )
    page = detection_page(image, examined, CLASSES)
    np.testing.assert_array_equal(page, grid([left, right]))
    assert (image == 90).all()
