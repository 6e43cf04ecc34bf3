"""How often predicates relate categories in the training set: what the frequency bias starts from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.datasets.formats.vg150 import GraphImage

SMALLEST = 1e-3  # added to each share before its logarithm


def predicate_counts(images: Iterable[GraphImage], objects: int, predicates: int) -> np.ndarray:
    """Counts float64 [objects + 1, objects + 1, predicates + 1] by category of the subject, of the object,
    and predicate; the last of each is the background.

    Every annotated relation counts, repeated ones too. The background counts the pairs of different boxes
    that overlap, related or not (all pairs of an image in which none do), and 1 everywhere.
    """
    counts = np.zeros((objects + 1, objects + 1, predicates + 1))
    counts[..., -1] = 1.0
    for image in images:
        subjects, objects_, relations = image.relations.T
        np.add.at(counts, (image.labels[subjects], image.labels[objects_], relations), 1.0)
        pairs = overlapping_pairs(image.boxes)
        np.add.at(counts[..., -1], (image.labels[pairs[:, 0]], image.labels[pairs[:, 1]]), 1.0)
    return counts


def overlapping_pairs(boxes: np.ndarray) -> np.ndarray:
    """Ordered pairs of different boxes that overlap, or all pairs where none do: int [P, 2], by rows."""
    different = ~np.eye(len(boxes), dtype=bool)
    overlapping = (iou(boxes, boxes, inclusive=False) > 0) & different
    return np.argwhere(overlapping if overlapping.any() else different)


def log_shares(counts: np.ndarray) -> np.ndarray:
    """The frequency bias: float32 [objects + 1, objects + 1, predicates + 1], logarithms of the share of each
    predicate among those of its two categories.
    """
    shares = counts / counts.sum(-1, keepdims=True)
    return np.log(shares + SMALLEST).astype(np.float32)
