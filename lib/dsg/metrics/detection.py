"""How well boxes cover the ground truth: best overlap of each true box, recall; +1 widths as released."""

from __future__ import annotations

import numpy as np

from dsg.boxes.overlaps import iou

RECALL_THRESHOLDS = (0.5, 0.7)


def best_overlaps(boxes: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
    """The largest IoU that any box reaches with each ground-truth box.

    Args:
        boxes: [N, 4] x1 y1 x2 y2 in pixels; widths are x2 - x1 + 1.
        gt_boxes: [G, 4] in the same units.

    Returns:
        [G] float64; zeros if there are no boxes.
    """
    boxes, truth = np.asarray(boxes, np.float64), np.asarray(gt_boxes, np.float64)
    if len(boxes) == 0 or len(truth) == 0:
        return np.zeros(len(truth))
    return iou(boxes, truth).max(axis=0)


def recall(overlaps: np.ndarray, threshold: float) -> float:
    """The share of ground-truth boxes whose best overlap reaches the threshold; nan without boxes."""
    return float(np.mean(overlaps >= threshold)) if len(overlaps) else float("nan")
