"""Non-maximum suppression on the CPU: compiled where built, NumPy otherwise.

The release's cpu_nms: widths are inclusive (+1) and a box is dropped at an overlap *equal to or above* the
threshold. TensorFlow's `tf.image.non_max_suppression`, which the default graph uses, has no +1 and drops
*above* the threshold only; on boxes of many pixels the two rarely differ.
"""

from __future__ import annotations

import numpy as np

from dsg.boxes.compiled import kernel

_BLOCK = 8  # as in _nms.pyx


def nms(
    dets: np.ndarray, threshold: float, max_output: int | None = None, *, order: np.ndarray | None = None
) -> np.ndarray:
    """Indices of the boxes that no better kept box overlaps by `threshold` or more, best first.

    Args:
        dets: [N, 5] = [x1, y1, x2, y2, score], pixels, +1 widths; read as float32. A NaN score ranks last.
        threshold: IoU from which a box is dropped.
        max_output: stop as soon as so many boxes are kept; None keeps all.
        order: candidates' indices, best first, if known; otherwise score descending, ties in the order of the
            input. Boxes left out of it are not candidates.

    Returns:
        int32 [kept], in the order of the candidates.

    Raises:
        ValueError: `dets` is not [*, 5], or `order` holds an index outside it.
    """
    dets, candidates = _checked(dets, order)
    compiled = kernel("_nms")
    if compiled is None:
        return _select_np(dets, threshold, max_output, candidates)
    scores = _ranks(dets)
    is_sorted = True
    if candidates is None:
        # A full sort pays only where every box is wanted; a heap finds the best few.
        is_sorted = max_output is None
        candidates = _by_score(scores) if is_sorted else np.arange(len(dets), dtype=np.int32)
    room = len(candidates) if max_output is None else max(0, min(max_output, len(candidates)))
    kept = np.empty((5, -(-room // _BLOCK) * _BLOCK), np.float32)
    kept[:2], kept[2:4], kept[4] = np.inf, -np.inf, 1.0  # boxes that touch nothing fill the last block
    chosen = np.empty(room, np.int32)
    count = compiled.select(dets, scores, candidates, is_sorted, float32_at_least(threshold), kept, chosen)
    return chosen[:count].copy()


def nms_np(
    dets: np.ndarray, threshold: float, max_output: int | None = None, *, order: np.ndarray | None = None
) -> np.ndarray:
    """`nms` in NumPy: the fallback, and the reference that a build is checked against."""
    dets, candidates = _checked(dets, order)
    return _select_np(dets, threshold, max_output, candidates)


def float32_at_least(threshold: float) -> float:
    """The smallest float32 that is not below `threshold`.

    The release compares a float32 overlap with a float64 threshold; `overlap >= this` decides alike without
    leaving float32.
    """
    rounded = np.float32(threshold)
    return float(rounded if float(rounded) >= threshold else np.nextafter(rounded, np.float32(np.inf)))


def _checked(dets: np.ndarray, order: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Contiguous, aligned float32 dets [N, 5] and int32 order, the latter certainly within the former."""
    dets = np.require(dets, np.float32, ("C", "A", "E"))
    if dets.ndim != 2 or dets.shape[1] != 5:
        raise ValueError(f"dets must be [*, 5], not {list(dets.shape)}")
    if order is None:
        return dets, None
    order = np.asarray(order)
    if order.size and not (order.min() >= 0 and order.max() < len(dets)):  # nan is neither
        raise ValueError(f"order points outside the {len(dets)} boxes: {order.min()} .. {order.max()}")
    return dets, np.require(order, np.int32, ("C", "A", "E"))


def _ranks(dets: np.ndarray) -> np.ndarray:
    """The scores [N], contiguous, NaN replaced by -inf: without NaN they have an order."""
    scores = dets[:, 4]
    return np.where(np.isnan(scores), np.float32(-np.inf), scores)


def _by_score(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable").astype(np.int32)


def _select_np(
    dets: np.ndarray, threshold: float, max_output: int | None, candidates: np.ndarray | None
) -> np.ndarray:
    left = _by_score(_ranks(dets)) if candidates is None else candidates
    area = (dets[:, 2] - dets[:, 0] + 1) * (dets[:, 3] - dets[:, 1] + 1)
    chosen: list[int] = []
    while len(left) and (max_output is None or len(chosen) < max_output):
        best, left = left[0], left[1:]
        chosen.append(int(best))
        low = np.maximum(dets[best, :2], dets[left, :2])
        high = np.minimum(dets[best, 2:4], dets[left, 2:4])
        size = np.maximum(high - low + 1, 0)
        intersection = size[:, 0] * size[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without area: 0 / 0 is no overlap
            overlap = intersection / (area[best] + area[left] - intersection)
        left = left[~(overlap >= float32_at_least(threshold))]
    return np.asarray(chosen, np.int32)
