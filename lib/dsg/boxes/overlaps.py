"""Intersection over union (IoU) of two sets of boxes on the CPU: compiled where built, NumPy otherwise.

Both follow the release's bbox_overlaps: widths are inclusive (+1), boxes that do not touch overlap by exactly
0. `overlaps_tf.py` is the twin inside the graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from dsg.boxes.compiled import kernel


def overlaps(boxes: np.ndarray, query: np.ndarray, dtype: DTypeLike = np.float32) -> np.ndarray:
    """IoU of every box with every query box.

    Args:
        boxes: [N, 4] = [x1, y1, x2, y2] in pixels, +1 widths; read as float32.
        query: [K, 4], in the same units.
        dtype: precision of the arithmetic and of the result. float32, or float64 where ties between overlaps
            matter: the release computes in float64, and a tie of true values is a tie there.

    Returns:
        [N, K] in [0, 1]; 0 where boxes do not touch, boxes without area included.

    Raises:
        ValueError: an argument is not [*, 4], or `dtype` is neither float32 nor float64.
    """
    compiled = kernel("_overlaps")
    if compiled is None:
        return overlaps_np(boxes, query, dtype)
    return compiled.overlaps(boxes, query, dtype)


def overlaps_np(boxes: np.ndarray, query: np.ndarray, dtype: DTypeLike = np.float32) -> np.ndarray:
    """`overlaps` in NumPy: the fallback, and the reference that a build is checked against."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"overlaps are float32 or float64, not {dtype}")
    return iou(_as_boxes(boxes, "boxes").astype(dtype), _as_boxes(query, "query").astype(dtype))


def iou(boxes: np.ndarray, query: np.ndarray, *, inclusive: bool = True) -> np.ndarray:
    """IoU of boxes [N, 4] and [K, 4] in their own precision: [N, K], 0 where neither has an area.

    Args:
        boxes, query: x1 y1 x2 y2, floating point.
        inclusive: widths are x2 - x1 + 1, else x2 - x1.
    """
    first, second, beyond = boxes[:, None], query[None], int(inclusive)
    width = np.minimum(first[..., 2], second[..., 2]) - np.maximum(first[..., 0], second[..., 0]) + beyond
    height = np.minimum(first[..., 3], second[..., 3]) - np.maximum(first[..., 1], second[..., 1]) + beyond
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    areas = [
        (box[..., 2] - box[..., 0] + beyond) * (box[..., 3] - box[..., 1] + beyond) for box in (first, second)
    ]
    union = areas[0] + areas[1] - intersection
    return intersection / np.where(union > 0, union, np.asarray(1, union.dtype))


def _as_boxes(boxes: np.ndarray, name: str) -> np.ndarray:
    """Contiguous float32 [*, 4]."""
    boxes = np.ascontiguousarray(boxes, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} must be [*, 4], not {list(boxes.shape)}")
    return boxes
