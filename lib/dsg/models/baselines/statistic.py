"""The shift statistic of `ss`: where objects lie as seen from their subjects, by predicate, as filters.

For a relationship let v be the way from the subject's centre to the object's, (down, right). The filter's
cell that is u away from the middle scores (v . u) / max(|u|, |v|)^2: 1 where u = v, less elsewhere,
negative behind. A predicate's filter is the mean over its relationships; the inverse filter, from object to
subject, has -v for v.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dsg.datasets import ImageRecord
from dsg.metrics.raster import MAP_SIZE

EPSILON = 1e-7
CHUNK = 65536  # relationships scored at a time


def shift_filters(
    records: Iterable[ImageRecord], predicates: int, size: int, units: str = "cells"
) -> tuple[np.ndarray, np.ndarray]:
    """Forward and inverse filters, float32 [R, S, S] each; predicates never seen keep maps as they are.

    Args:
        records: the training images; relations of an entity to itself count like others.
        predicates: R.
        size: S.
        units: what ways are measured in, 'cells' of the map or 'pixels' of the image.
    """
    found = [_ways(record, units) for record in records]
    kinds = np.concatenate([np.zeros(0, np.int64), *(one for one, _ in found)])
    ways = np.concatenate([np.zeros((0, 2)), *(one for _, one in found)])
    return _filters(kinds, ways, predicates, size), _filters(kinds, -ways, predicates, size)


def scores(ways: np.ndarray, size: int) -> np.ndarray:
    """Scores of all cells for each way, float64 [T, 2] (down, right) -> [T, S, S]."""
    steps = np.arange(size) - size // 2
    u = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).astype(np.float64)  # [S, S, 2]
    longest = np.maximum(np.linalg.norm(u, axis=-1)[None], np.linalg.norm(ways, axis=-1)[:, None, None])
    return np.einsum("tc,ijc->tij", ways, u) / (EPSILON + longest) ** 2


def _ways(record: ImageRecord, units: str) -> tuple[np.ndarray, np.ndarray]:
    """Predicates [T] and ways [T, 2] (down, right) of an image's relationships."""
    boxes = record.boxes.astype(np.float64)
    centres = (boxes[:, [1, 0]] + boxes[:, [3, 2]]) / 2
    if units == "cells":
        centres *= MAP_SIZE / np.array([record.height, record.width], np.float64)
    subject, predicate, object_ = record.triples.T
    return predicate.astype(np.int64), centres[object_] - centres[subject]


def _filters(kinds: np.ndarray, ways: np.ndarray, predicates: int, size: int) -> np.ndarray:
    """The mean scores of each predicate; the identity if there is none."""
    sums = np.zeros((predicates, size, size))
    for start in range(0, len(kinds), CHUNK):
        part = slice(start, start + CHUNK)
        np.add.at(sums, kinds[part], scores(ways[part], size))
    counts = np.bincount(kinds, minlength=predicates)
    filters = sums / np.maximum(counts, 1)[:, None, None]
    filters[counts == 0, size // 2, size // 2] = 1.0
    return filters.astype(np.float32)
