"""Boxes around outlines, for annotations of a COCO file that have no `bbox`: polygons, and masks as run
lengths.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from dsg.datasets.formats.relationships import LIMIT

Box = tuple[float, float, float, float]  # x1 y1 x2 y2


def outline_box(segmentation: Any) -> Box | None:
    """The box around a `segmentation`; None if it has none, or is of another form."""
    if isinstance(segmentation, dict):
        return _mask_box(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    xs: list[float] = []
    ys: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return None
        if not all(type(value) in (int, float) and abs(value) < LIMIT for value in polygon):
            return None
        xs += polygon[0::2]
        ys += polygon[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _mask_box(mask: dict[str, Any]) -> Box | None:
    """Of uncompressed run lengths: of nothing and of the thing in turn, down the columns."""
    counts, size = mask.get("counts"), mask.get("size")
    if not (isinstance(counts, list) and isinstance(size, list) and len(size) == 2):
        return None
    if not all(type(value) is int and 0 <= value < LIMIT for value in [*counts, *size]):
        return None
    height, width = size
    ends = list(accumulate(counts))
    if not ends or not height or ends[-1] != height * width:
        return None
    runs = [(start, end) for start, end in zip(ends[0::2], ends[1::2]) if end > start]
    if not runs:
        return None
    left, right = runs[0][0] // height, (runs[-1][1] - 1) // height + 1
    # A run that continues in the next column spans the full height.
    within = [(start % height, start % height + end - start) for start, end in runs]
    if any(end > height for _, end in within):
        return left, 0, right, height
    return left, min(start for start, _ in within), right, max(end for _, end in within)
