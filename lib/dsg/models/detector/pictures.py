"""The picture of an image with its detections, beside what is true of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.segmentations import decode
from dsg.models.detector.evaluate import Examined, true_masks
from dsg.pipeline.examples import load_image
from dsg.pipeline.images import mirror
from dsg.visualize.canvas import grid
from dsg.visualize.detections import draw_detections

SHOWN_SCORE = 0.5  # detections below are not drawn


def detection_page(image: np.ndarray, examined: Examined, classes: Sequence[str]) -> np.ndarray:
    """The detections at the left, the ground truth at the right, with masks where the detector has them:
    uint8 [H, W, 3] RGB.

    Args:
        image: uint8 [h, w, 3] RGB, original size.
        examined: what was found and what is true.
        classes: names by number, from 1 on.
    """
    names, true_names = (
        [classes[number - 1] for number in numbers]
        for numbers in (examined.detected.classes, examined.record.classes)
    )
    return truth_beside(image, examined, names, true_names)


def read_pixels(record: Instances) -> np.ndarray:
    """The image of a record, mirrored if it is: uint8 [h, w, 3] RGB.

    Raises:
        UserError: it cannot be read, or is not of the size that the annotations state.
    """
    pixels = load_image(record.path, (record.width, record.height))[:, :, ::-1]
    return mirror(pixels) if record.flipped else pixels.copy()


def truth_beside(
    image: np.ndarray,
    examined: Examined,
    names: Sequence[str],
    true_names: Sequence[str],
    score: float = SHOWN_SCORE,
) -> np.ndarray:
    """`detection_page` with labels of one's own for all detections and objects; those that score less than
    `score` are not drawn.
    """
    detected, record = examined.detected, examined.record
    kept = detected.scores >= score
    masks = true = None
    if detected.masks is not None:
        masks, true = detected.masks[kept], mask_cells(record, detected.masks.shape[-1])
    return grid(
        [
            draw_detections(
                *(image, detected.boxes[kept], list(itertools.compress(names, kept)), detected.scores[kept]),
                masks=masks,
                classes=detected.classes[kept],
            ),
            draw_detections(image, record.boxes, true_names, masks=true, classes=record.classes),
        ]
    )


def mask_cells(record: Instances, size: int) -> np.ndarray:
    """The objects' masks as a detector gives them, `size` cells a side of each box: float32 [G, size,
    size].
    """
    cells = np.zeros((len(record.boxes), size, size), np.float32)
    low, high = np.floor(record.boxes[:, :2]).astype(int), np.ceil(record.boxes[:, 2:]).astype(int)
    for own, runs, (left, top), (right, bottom) in zip(cells, true_masks(record), low, high):
        pixels = decode(runs, record.height, record.width, record.name)[top:bottom, left:right]
        own[:] = cv2.resize(pixels.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return cells
