"""The kind of each failure of a detector in an image, as TIDE's categories: from matches of boxes alone.

Detections are matched with objects of their class, the best first, each with the one of those left that it
overlaps most. Which mistake one that finds none has made, and which objects nobody found, follows from what
it overlaps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.datasets.formats.instances import Instances
from dsg.models.detector.predictions import Detected

MISSED, CLASS, BOX, BOTH, DUPLICATE, BACKGROUND = (
    *("missed", "wrong class", "bad box", "wrong class and bad box"),
    *("duplicate", "background"),
)
MEANINGS = {
    MISSED: "an object that no detection is on, not even with a wrong class or a bad box",
    CLASS: "on an object of another class",
    BOX: "near an object of its class, but not well enough placed",
    BOTH: "near an object of another class",
    DUPLICATE: "on an object that a better detection has found",
    BACKGROUND: "near no object",
}
"""Every kind, in the order of tables."""
NEAR = 0.1  # IoU from which a box is near an object, as TIDE has it


class ObjectFailure(NamedTuple):
    """A detection that is wrong, or an object that was missed."""

    kind: str  # of `MEANINGS`
    detection: int | None  # row of the detections; None where an object was missed
    object: int | None  # row of the objects that it is on or near; None for background
    iou: float  # with that object; of a missed one, the largest with any detection


class ImageOutcome(NamedTuple):
    """The failures in an image, detections first, the best first."""

    failures: tuple[ObjectFailure, ...]
    right: int  # detections that found an object
    objects: int  # that count


def image_outcome(record: Instances, detected: Detected, *, score: float, on: float = 0.5) -> ImageOutcome:
    """What went wrong in an image.

    Difficult objects and crowds count neither way: neither they nor detections of their class on them are
    failures.

    Args:
        record: the objects of the image.
        detected: what was found, in its pixels, best first.
        score: detections below do not count.
        on: IoU from which a detection is on an object.
    """
    count = int((detected.scores >= score).sum())
    boxes, classes = detected.boxes[:count].astype(np.float64), detected.classes[:count]
    truth = record.boxes.astype(np.float64)
    overlap = iou(boxes, truth, inclusive=False)  # [D, G]
    same = classes[:, None] == record.classes[None]
    hard = record.crowd | record.difficult
    inside = np.where(record.crowd, _covered(boxes, truth), overlap)
    unclear = (same & hard & (inside >= on)).any(axis=1)
    own, others = np.where(same & ~hard, overlap, 0.0), np.where(~same & ~hard, overlap, 0.0)
    taken, explained = hard.copy(), hard.copy()
    failures, right = [], 0
    for row in range(count):
        left = np.where(taken, 0.0, own[row])
        if left.max(initial=0.0) >= on:
            taken[left.argmax()] = True
            right += 1
        elif not unclear[row]:
            failure = _mistake(row, own[row], others[row], on)
            failures.append(failure)
            if failure.kind in (CLASS, BOX):
                explained[failure.object] = True
    best = overlap.max(axis=0, initial=0.0)
    missed = np.flatnonzero(~taken & ~explained)
    failures += [ObjectFailure(MISSED, None, int(row), float(best[row])) for row in missed]
    return ImageOutcome(tuple(failures), right, int((~hard).sum()))


def _mistake(row: int, own: np.ndarray, others: np.ndarray, on: float) -> ObjectFailure:
    """The kind of a detection that found nothing, from its overlaps [G] with objects of its class, which
    others have found where it is on one, and of other classes.
    """
    for kind, overlaps, least in (
        (DUPLICATE, own, on),
        (CLASS, others, on),
        (BOX, own, NEAR),
        (BOTH, others, NEAR),
    ):
        if overlaps.max(initial=0.0) >= least:
            return ObjectFailure(kind, row, int(overlaps.argmax()), float(overlaps.max()))
    nearest = max(own.max(initial=0.0), others.max(initial=0.0))
    return ObjectFailure(BACKGROUND, row, None, float(nearest))


def _covered(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The share of each box [D, 4] that lies in each region [G, 4]: [D, G]; 0 of boxes without area."""
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    common = np.maximum(high - low, 0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None]
    return common / np.where(area > 0, area, 1)
