"""Which proposals tf-faster-rcnn trains on, by its own draws (the classic proposal_target_layer): NumPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou, overlaps
from dsg.boxes.transform_np import BoxCoderNp
from dsg.models.detector.conventions import ORIGINAL


class SampledRegions(NamedTuple):
    """Regions of an image that the second stage is trained on, objects first."""

    rows: np.ndarray  # int32 [S]: proposal of each
    boxes: np.ndarray  # float32 [S, 4]
    labels: np.ndarray  # int32 [S]: 0 background
    deltas: np.ndarray  # float32 [S, 4]: to the object, as `coder` writes them; 0 for background
    matches: np.ndarray  # int32 [S]: the object of each; 0 for background
    overlaps: np.ndarray  # float64 [N]: best of each proposal


def sample_regions(
    boxes: np.ndarray,
    gt_boxes: np.ndarray,
    gt_classes: np.ndarray,
    *,
    count: int = 256,
    fg_fraction: float = 0.25,
    fg_threshold: float = 0.5,
    bg_thresholds: tuple[float, float] = (0.0, 0.5),
    coder: BoxCoderNp = ORIGINAL,
    rng: Any,
) -> SampledRegions:
    """Always `count` regions, some repeatedly where there are too few. Where no proposal overlaps the objects
    much or little enough, those below `fg_threshold` are background (the original stops in its debugger).

    Args:
        boxes: float32 [N, 4], proposals, whose widths are `coder`'s. Append the ground truth where it is to
            take part.
        gt_boxes: float32 [G, 4], without padding; G may be 0.
        gt_classes: int [G], from 1.
        count: regions.
        fg_fraction: largest share of objects among them.
        fg_threshold: overlap from which a proposal is an object.
        bg_thresholds: from the first to below the second it is background.
        coder: of the deltas; its widths are those of the overlaps, too.
        rng: has `choice(rows, size=, replace=)`; objects are drawn first. A `np.random.RandomState` repeats
            the original's draws.
    """
    overlap = _overlaps(boxes, gt_boxes, coder.inclusive)
    best = overlap.max(1) if overlap.size else np.zeros(len(boxes))
    match = overlap.argmax(1) if overlap.size else np.zeros(len(boxes), np.int64)
    objects = np.flatnonzero(best >= fg_threshold)
    others = np.flatnonzero((best < bg_thresholds[1]) & (best >= bg_thresholds[0]))
    if not len(objects) and not len(others):
        others = np.flatnonzero(best < fg_threshold)
    number = min(int(round(fg_fraction * count)), len(objects)) if len(others) else count
    number = number if len(objects) else 0
    parts = [
        rng.choice(rows, size=size, replace=len(rows) < size)
        for rows, size in ((objects, number), (others, count - number))
        if size
    ]
    rows = np.concatenate(parts).astype(np.int32)
    labels, matches = np.zeros(count, np.int32), np.zeros(count, np.int32)
    deltas = np.zeros((count, 4), np.float32)
    if number:
        matches[:number] = match[rows[:number]]
        labels[:number] = np.asarray(gt_classes)[matches[:number]]
        objects_of = np.asarray(gt_boxes, np.float32)[matches[:number]]
        deltas[:number] = coder.encode(boxes[rows[:number]], objects_of)
    return SampledRegions(rows, boxes[rows], labels, deltas, matches, best)


def _overlaps(boxes: np.ndarray, gt_boxes: np.ndarray, inclusive: bool) -> np.ndarray:
    """float64 [N, G]."""
    if inclusive:
        return overlaps(boxes, gt_boxes, np.float64)
    return iou(boxes.astype(np.float64), gt_boxes.astype(np.float64), inclusive=False)
