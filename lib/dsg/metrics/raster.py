"""Boxes as maps of L x L cells, the common currency of the referring-relationships metrics.

Two conventions exist and differ where a box ends exactly on a grid line. With L = 14 and an image 140 pixels
wide, a box over x = 10..60 covers

* `dsg`: columns floor(1.0) .. ceil(6.0) - 1 = 1..5 (the released DSG evaluation: the cells that the box
  touches),
* `rr`:  columns int(1.0) .. int(6.0) = 1..6 (referring relationships: the cell of either end, both included).
"""

from __future__ import annotations

import numpy as np

RASTERS = ("dsg", "rr")
MAP_SIZE = 14

# An integral `rr` coordinate must stay integral although the normalised box was rounded (float32: up to 8e-7
# cells). Other coordinates of whole-pixel boxes are 1 / width cells or more away from a grid line.
_SNAP = 1e-5


def box_cells(
    boxes_norm: np.ndarray, size: int | tuple[int, int] = MAP_SIZE, raster: str = "dsg"
) -> np.ndarray:
    """The half-open ranges of cells that each box covers.

    Args:
        boxes_norm: [K, 4] x1 y1 x2 y2 divided by the image's width and height (no +1), any float type.
        size: cells per side, L, or rows and columns of maps that are no squares.
        raster: 'dsg' or 'rr' (see the module's first paragraph).

    Returns:
        [K, 4] int64: first column, first row, end column, end row (ends exclusive) within the map. A range is
        empty if its end does not exceed its start. In the release's own code a start below 0 would wrap
        around to the other side; here it is cut to 0.

    Raises:
        ValueError: on an unknown raster.
    """
    if raster not in RASTERS:
        raise ValueError(f"raster must be one of {RASTERS}, not {raster!r}")
    rows, columns = size if isinstance(size, tuple) else (size, size)
    sides = np.array([columns, rows, columns, rows])
    # The products are formed in float64, whatever comes in: golden results depend on it.
    scaled = np.asarray(boxes_norm).reshape(-1, 4).astype(np.float64) * sides
    if raster == "dsg":
        first, end = np.floor(scaled[:, :2]), np.ceil(scaled[:, 2:])
    else:
        nearest = np.rint(scaled)
        scaled = np.where(np.abs(scaled - nearest) < _SNAP, nearest, scaled)
        first, end = np.trunc(scaled[:, :2]), np.trunc(scaled[:, 2:]) + 1
    return np.clip(np.concatenate([first, end], axis=1), 0, sides).astype(np.int64)


def boxes_to_mask(
    boxes_norm: np.ndarray, size: int | tuple[int, int] = MAP_SIZE, raster: str = "dsg"
) -> np.ndarray:
    """One map per box, [K, rows, columns] bool indexed [box, row, column]; arguments as for `box_cells`.

    Example:
        >>> boxes_to_mask(np.array([[10 / 140, 0.0, 60 / 140, 1.0]]))[0, 0].nonzero()[0]
        array([1, 2, 3, 4, 5])
    """
    cells = box_cells(boxes_norm, size, raster)
    height, width = (np.arange(side) for side in (size if isinstance(size, tuple) else (size, size)))
    columns = (width >= cells[:, 0:1]) & (width < cells[:, 2:3])
    rows = (height >= cells[:, 1:2]) & (height < cells[:, 3:4])
    return rows[:, :, None] & columns[:, None, :]


def union_masks(selected: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The union of the selected boxes' maps, for every query at once.

    Args:
        selected: [Q, K] bool, the boxes that belong to each query.
        masks: [K, L, L] bool, from `boxes_to_mask`.

    Returns:
        [Q, L, L] bool.
    """
    flat = masks.reshape(len(masks), masks.shape[1] * masks.shape[2]).astype(np.float32)
    return (selected.astype(np.float32) @ flat > 0).reshape(-1, *masks.shape[1:])


def mask_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of two stacks of maps [Q, L, L] bool: [Q] float64, 0 where the union is empty."""
    union = np.count_nonzero(first | second, axis=(1, 2))
    intersection = np.count_nonzero(first & second, axis=(1, 2))
    return intersection / np.maximum(union, 1)
