"""COCO's two ways to write a mask, polygons and run lengths, to masks of pixels and back.

Annotations come from outside: what the library would read beyond its memory or leave half filled is refused
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

import numpy as np

from dsg.datasets.formats.instances import are_finite
from dsg.errors import UserError
from dsg.runtime.cocotools import cocotools

Segmentation = Union[list, Mapping[str, Any]]
"""As in an annotation file: `[[x1, y1, x2, y2, ...], ...]`, or `{"size": [h, w], "counts": ...}`."""
POINTS = 3  # that a polygon needs
MOST_PIXELS = 2**32 - 1  # the library's run lengths have 32 bits
LAST_SHIFT = 25
"""Of the bits of a packed run length: the library adds the sign of longer numbers in the wrong place, and
then has other lengths than were checked here."""
LONGEST_OUTLINE = 2_000_000
"""Pixels along a polygon, for which the library takes about 100 MB."""


def check_segmentation(segmentation: Any, height: int, width: int, where: str) -> None:
    """See that a segmentation can be one of an image of this size, without decoding it.

    Raises:
        UserError: it is neither polygons of three points or more nor run lengths of this size, or takes more
            memory than any image of objects needs; the message starts with `where`.
    """
    if height * width > MOST_PIXELS:
        raise UserError(f"{where}: a mask of {height * width:,} pixels; {MOST_PIXELS:,} are the most")
    if isinstance(segmentation, list):
        if not segmentation:
            raise UserError(f"{where}: the segmentation is empty; delete it, or draw a polygon")
        for polygon in segmentation:
            _check_polygon(polygon, max(height, width), where)
    elif isinstance(segmentation, Mapping):
        _check_runs(segmentation, height, width, where)
    else:
        raise UserError(f"{where}: the segmentation is neither polygons nor run lengths")


def _check_polygon(polygon: Any, side: int, where: str) -> None:
    if not are_finite(polygon) or len(polygon) % 2:
        raise UserError(f"{where}: a polygon is not a list of x1, y1, x2, y2, ...")
    if len(polygon) < 2 * POINTS:
        raise UserError(f"{where}: a polygon of {len(polygon) // 2} points; it needs {POINTS}")
    # The library takes memory for every pixel along an edge.
    low, high = min(polygon), max(polygon)
    if low < -side or high > 2 * side:
        raise UserError(f"{where}: a polygon far outside the image")
    if len(polygon) // 2 * (high - low) > LONGEST_OUTLINE:  # seldom: only then it is measured
        corners = np.array(polygon, np.float64).reshape(-1, 2)
        outline = np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum()
        if outline > LONGEST_OUTLINE:
            raise UserError(f"{where}: a polygon whose outline is {outline:,.0f} pixels long")


def _check_runs(segmentation: Mapping[str, Any], height: int, width: int, where: str) -> None:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise UserError(f"{where}: run lengths of size {_short(size)}, the image is [{height}, {width}]")
    if isinstance(counts, (str, bytes)):
        counts = _unpacked(counts, where)
    whole = isinstance(counts, list) and all(type(count) is int and count >= 0 for count in counts)
    if not whole:
        raise UserError(f"{where}: run lengths that are not whole numbers")
    pixels = sum(counts or [])
    if pixels != height * width:
        raise UserError(f"{where}: run lengths of {pixels} pixels, the image has {height * width}")


def _unpacked(text: str | bytes, where: str) -> list[int]:
    """Run lengths out of COCO's text: five bits a character and one that says there are more; from the third
    number on each is the difference to the last but one.
    """
    if isinstance(text, str) and not text.isascii():
        raise UserError(f"{where}: run lengths in a text that is not COCO's")
    content = text.encode() if isinstance(text, str) else text
    counts: list[int] = []
    value = shift = 0
    for byte in content:
        bits = byte - 48
        if not 0 <= bits < 64 or shift > LAST_SHIFT:
            raise UserError(f"{where}: run lengths in a text that is not COCO's")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise UserError(f"{where}: run lengths in a text that is cut")
    return counts


def _short(value: Any) -> str:
    return repr(value)[:40]


def decode(segmentation: Any, height: int, width: int, where: str) -> np.ndarray:
    """The pixels of a segmentation: bool [height, width].

    Raises:
        UserError: see `check_segmentation`.
    """
    return cocotools("mask").decode(run_lengths(segmentation, height, width, where)).astype(bool)


def run_lengths(segmentation: Any, height: int, width: int, where: str) -> dict[str, Any]:
    """A segmentation as run lengths in COCO's text: `{"size": [height, width], "counts": bytes}`.

    Raises:
        UserError: see `check_segmentation`.
    """
    check_segmentation(segmentation, height, width, where)
    mask = cocotools("mask")
    if isinstance(segmentation, list):
        return mask.merge(mask.frPyObjects(segmentation, height, width))
    counts = segmentation["counts"]
    if isinstance(counts, list):  # a size of 50.0 and 60.0 is one, but not to the library
        return mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": counts.encode() if isinstance(counts, str) else counts}


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Pixels bool [h, w] as run lengths in COCO's text, ready for JSON; pycocotools is not needed."""
    pixels = np.asarray(mask, bool).ravel(order="F")
    ends = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(ends, prepend=0, append=len(pixels))
    if len(pixels) and pixels[0]:
        runs = np.concatenate([[0], runs])  # the first run is one of zeros
    return {"size": [int(side) for side in mask.shape], "counts": _packed(runs)}


def _packed(counts: np.ndarray) -> str:
    """Run lengths as COCO's text, see `_unpacked`."""
    rest = counts.astype(np.int64)
    rest[3:] -= counts[1:-2]
    columns, open_ = [], np.ones(len(rest), bool)
    while open_.any():
        bits = rest & 31
        rest = rest >> 5
        more = open_ & (rest != np.where(bits & 16, -1, 0))
        columns.append(np.where(open_, bits + 32 * more + 48, 0))
        open_ = more
    characters = np.stack(columns, 1).ravel() if columns else np.zeros(0, np.int64)
    return characters[characters > 0].astype(np.uint8).tobytes().decode("ascii")


def polygons_in_box(polygons: list[list[float]], box: np.ndarray, side: int) -> np.ndarray:
    """What a mask head learns of a box: its polygons, drawn in a grid laid over the box: bool [side, side].

    Args:
        polygons: each x1 y1 x2 y2 ..., in the box's pixels.
        box: [4], x1 y1 x2 y2.
        side: cells a side.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    scales = side / max(x2 - x1, 0.1), side / max(y2 - y1, 0.1)
    moved = [
        [(value - (x1, y1)[place % 2]) * scales[place % 2] for place, value in enumerate(polygon)]
        for polygon in polygons
    ]
    mask = cocotools("mask")
    return np.asarray(mask.decode(mask.merge(mask.frPyObjects(moved, side, side)))).astype(bool)
