"""Choosing anchors that fit boxes: N scales and M ratios whose N x M anchors overlap them most on average.

This is k-medoids with 1 - IoU for a distance, where the medoids are a product of scales and ratios, as the
options have it. The IoU is that of `anchor_reach`, on the real grid, so that the distance of cells and the
border of images count. The same boxes give the same anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from dsg.boxes.anchor_reach import AnchorGrid, Anchors, shape_overlaps
from dsg.boxes.anchors import anchor_grid

BOXES = 2000  # are looked at, spread evenly over all
COARSE = (32, 24)  # candidates for the scales and for the ratios, evenly spaced in their logarithms
SMALLER = 8  # more candidates, down to half of the smallest scale: an anchor has to lie inside the image
FINE = 3  # candidates on either side of each value chosen from these, before its neighbours
STARTS = 12
OUTLIERS = 0.5  # per cent of the smallest and of the largest values that no candidate is needed for
DECIMALS = 2
GAIN = 1e-6  # of the average IoU, below which a change is none

Wanted = Union[int, Sequence[float]]
"""How many values are to be chosen, or the values."""
Chosen = list[list[int]]
"""Rows of the chosen scales, and columns of the chosen ratios."""


class Fit(NamedTuple):
    """What was chosen, in rising order."""

    scales: tuple[float, ...]  # sides in units of the stride
    ratios: tuple[float, ...]  # height over width


def fit_anchors(
    boxes: np.ndarray, image_sizes: np.ndarray, stride: int, scales: Wanted, ratios: Wanted
) -> Fit:
    """The scales and ratios whose anchors (`anchor_grid`, those inside the image) overlap the boxes most.

    Args:
        boxes: [N, 4], N > 0, x1 y1 x2 y2 in pixels of the network's input, +1 widths.
        image_sizes: [N, 2], height and width of the network's input that each box is in.
        stride: pixels of the input per cell of the feature map.
        scales: how many scales to choose, or the scales.
        ratios: how many ratios to choose, or the ratios.

    Returns:
        Values rounded to two decimals; fewer than requested where the boxes have fewer sizes or shapes. Given
        values come back as they are.

    Example:
        >>> boxes = np.array([[24, 24, 87, 87], [40, 56, 103, 119]])
        >>> fit_anchors(boxes, np.full((2, 2), 160), 16, scales=4, ratios=3)
        Fit(scales=(4.0,), ratios=(1.0,))
    """
    rows = np.unique(np.linspace(0, len(boxes) - 1, min(len(boxes), BOXES)).round().astype(np.int64))
    boxes, image_sizes = np.asarray(boxes, np.float64)[rows], np.asarray(image_sizes)[rows]
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2] + 1, 1)
    values = (np.sqrt(sides.prod(1)) / stride, sides[:, 1] / sides[:, 0])
    wanted = (scales, ratios)
    candidates = [_coarse(*each) for each in zip(wanted, values, COARSE, (SMALLER, 0))]
    starts = _starts(wanted, candidates)
    for _ in range(2):  # coarse, then fine
        grid = anchor_grid(1, 1, stride, *(each.tolist() for each in candidates))
        table = shape_overlaps(boxes, image_sizes, Anchors([AnchorGrid(grid, stride)]))
        table = np.ascontiguousarray(table.T).reshape(len(candidates[1]), len(candidates[0]), -1)
        chosen = _best(table.transpose(1, 0, 2), starts, wanted)
        found = [each[places] for each, places in zip(candidates, chosen)]
        candidates = [_fine(*each) for each in zip(wanted, found, candidates)]
        starts = [[_places(*each) for each in zip(wanted, found, candidates)]]
    return Fit(*(tuple(each.tolist()) if isinstance(n, int) else tuple(n) for each, n in zip(found, wanted)))


def _coarse(wanted: Wanted, values: np.ndarray, count: int, smaller: int) -> np.ndarray:
    """Candidates over the range of the values and below, or those that are given."""
    if not isinstance(wanted, int):
        return np.asarray(wanted, np.float64)
    low, high = np.percentile(values, (OUTLIERS, 100 - OUTLIERS))
    below = np.geomspace(low / 2, low, smaller, endpoint=False)
    return _rounded(np.concatenate([below, np.geomspace(low, high, count)]))


def _fine(wanted: Wanted, found: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Candidates around those that were chosen, these included."""
    if not isinstance(wanted, int) or len(candidates) == 1:
        return candidates
    step = (candidates[-1] / candidates[0]) ** (1 / (len(candidates) - 1))
    return _rounded(found[:, None] * step ** (np.arange(-FINE, FINE + 1) / (FINE + 1)))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.unique(np.maximum(np.round(values, DECIMALS), 10.0**-DECIMALS))


def _places(wanted: Wanted, found: np.ndarray, candidates: np.ndarray) -> list[int]:
    """Where what was chosen is among new candidates; given values are all candidates."""
    return np.searchsorted(candidates, found).tolist() if isinstance(wanted, int) else _all(candidates)


def _all(candidates: np.ndarray) -> list[int]:
    return list(range(len(candidates)))


def _starts(wanted: Sequence[Wanted], candidates: Sequence[np.ndarray]) -> list[Chosen]:
    """Choices to begin with; drawn, but the same every time."""
    draws = np.random.RandomState(0)
    return [
        [
            draws.permutation(len(each))[:n].tolist() if isinstance(n, int) else _all(each)
            for n, each in zip(wanted, candidates)
        ]
        for _ in range(STARTS)
    ]


def _best(table: np.ndarray, starts: Sequence[Chosen], wanted: Sequence[Wanted]) -> Chosen:
    """The best of the choices that are reached, the first of equal ones; without what adds nothing."""
    free = [axis for axis in (0, 1) if isinstance(wanted[axis], int)]
    chosen, mean = max((_climbed(table, start, free) for start in starts), key=lambda each: each[1])
    for axis in free:
        for row in sorted(chosen[axis]):
            fewer = [each for each in chosen[axis] if each != row] or [row]
            rest = [*chosen[:axis], fewer, *chosen[axis + 1 :]]
            chosen = rest if _mean(table, rest) > mean - GAIN else chosen
    return [sorted(each) if axis in free else each for axis, each in enumerate(chosen)]


def _climbed(table: np.ndarray, start: Chosen, free: Sequence[int]) -> tuple[Chosen, float]:
    """The choice, and its average best IoU, after replacing single candidates by better ones for as long as
    there are any.
    """
    chosen = [list(each) for each in start]
    moves = [(axis, place) for axis in free for place in range(len(start[axis]))]
    best, before = _mean(table, chosen), -1.0
    while best > before:
        before = best
        for axis, place in moves:
            means = _means(table, chosen, axis, place)
            if means.max() > best + GAIN:
                chosen[axis][place], best = int(means.argmax()), float(means.max())
    return chosen, best


def _means(table: np.ndarray, chosen: Chosen, axis: int, place: int) -> np.ndarray:
    """The average best IoU with each candidate of an axis in the place of the chosen one: float64 [C]."""
    lines = table.take(chosen[1 - axis], axis=1 - axis).max(1 - axis)  # [C, N]
    others = [*chosen[axis][:place], *chosen[axis][place + 1 :]]
    return np.asarray(np.maximum(lines, lines[others].max(0, initial=0)).mean(1, dtype=np.float64))


def _mean(table: np.ndarray, chosen: Chosen) -> float:
    """The average best IoU of a choice."""
    return float(table[np.ix_(*chosen)].max((0, 1)).mean(dtype=np.float64))
