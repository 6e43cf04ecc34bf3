"""The picture of an image with its detections, beside what is true of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.models.detector.evaluate import Examined
from dsg.visualize.canvas import BLUE, VERMILLION, draw_box, draw_tag, enlarge, grid

SHOWN_SCORE = 0.5  # detections below are not drawn


def detection_page(image: np.ndarray, examined: Examined, classes: Sequence[str]) -> np.ndarray:
    """The detections at the left, the ground truth at the right: uint8 [H, W, 3] RGB.

    Args:
        image: uint8 [h, w, 3] RGB, original size.
        examined: what was found and what is true.
        classes: names by number, from 1 on.
    """
    detected, record = examined.detected, examined.record
    kept = detected.scores >= SHOWN_SCORE
    names = [
        f"{classes[number - 1]} {score:.2f}"
        for number, score in zip(detected.classes[kept], detected.scores[kept])
    ]
    panels = [
        _panel(image, detected.boxes[kept], names, VERMILLION),
        _panel(image, record.boxes, [classes[number - 1] for number in record.classes], BLUE),
    ]
    return grid(panels)


def _panel(
    image: np.ndarray, boxes: np.ndarray, names: Sequence[str], colour: tuple[int, int, int]
) -> np.ndarray:
    panel, factor = enlarge(image)
    for box in boxes * factor:
        draw_box(panel, box, colour)
    for box, name in zip(boxes * factor, names):
        draw_tag(panel, box, name, colour)
    return panel
