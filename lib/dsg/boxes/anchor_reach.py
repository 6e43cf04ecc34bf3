"""How well the anchors of a net can cover boxes: the overlap of each box with the best anchor of its image.

NumPy only. The grid is not enumerated: of the anchors of one shape, the one whose centre lies nearest to the
box's, in x and in y by themselves, overlaps the box most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

CHUNK = 1 << 15  # pairs of box and anchor shape at a time, so that they stay in the cache


@dataclass(frozen=True)
class AnchorGrid:
    """Anchors that repeat in every cell of a feature map."""

    cell: np.ndarray  # float [A, 4]: those of the top left cell, x1 y1 x2 y2
    stride: int  # pixels from a cell to the next; a map has ceil(side / stride) of them


@dataclass(frozen=True)
class Anchors:
    """All anchors of a net."""

    grids: Sequence[AnchorGrid]
    inclusive: bool = True  # widths are x2 - x1 + 1
    inside: bool = True  # the net learns from the anchors inside the image only: the others do not count


def best_overlaps(boxes: np.ndarray, image_sizes: np.ndarray, anchors: Anchors) -> np.ndarray:
    """The IoU of each box with the anchor that overlaps it most.

    Args:
        boxes: [N, 4], x1 y1 x2 y2 in pixels of the network's input.
        image_sizes: [N, 2], height and width of the network's input that each box is in.
        anchors: of the net.

    Returns:
        float64 [N] in [0, 1]; 0 where no anchor counts.
    """
    best = np.zeros(len(boxes))
    for grid in anchors.grids:
        for part in _parts(len(boxes), len(grid.cell)):
            best[part] = np.maximum(
                best[part], _overlaps(boxes[part], image_sizes[part], grid, anchors).max(1)
            )
    return best


def shape_overlaps(boxes: np.ndarray, image_sizes: np.ndarray, anchors: Anchors) -> np.ndarray:
    """The IoU of each box with the best anchor of each shape.

    Args:
        boxes, image_sizes, anchors: see `best_overlaps`.

    Returns:
        float32 [N, A], the anchors of one grid after those of another; 0 where none of a shape counts.
    """
    overlaps = []
    for grid in anchors.grids:
        overlaps.append(np.zeros((len(boxes), len(grid.cell)), np.float32))
        for part in _parts(*overlaps[-1].shape):
            overlaps[-1][part] = _overlaps(boxes[part], image_sizes[part], grid, anchors)
    return np.concatenate(overlaps, 1)


def _parts(boxes: int, shapes: int) -> Iterator[slice]:
    step = max(1, CHUNK // shapes)
    return (slice(start, start + step) for start in range(0, boxes, step))


def _overlaps(boxes: np.ndarray, sizes: np.ndarray, grid: AnchorGrid, anchors: Anchors) -> np.ndarray:
    """The IoU of each box with the best anchor of each shape of a grid: float64 [N, A]."""
    boxes, beyond = np.asarray(boxes, np.float64), int(anchors.inclusive)
    common = 1.0
    for axis in (0, 1):
        low, high = boxes[:, axis, None], boxes[:, axis + 2, None]
        cells = _nearest_cells(low + high, sizes[:, 1 - axis, None], grid, axis, anchors.inside)
        first, last = (grid.cell[:, side] + cells * grid.stride for side in (axis, axis + 2))
        side = np.minimum(high, last) - np.maximum(low, first) + beyond
        common = common * np.maximum(np.nan_to_num(side), 0)
    of_boxes, of_anchors = (np.prod(x[:, 2:] - x[:, :2] + beyond, axis=1) for x in (boxes, grid.cell))
    union = of_boxes[:, None] + of_anchors - common
    return common / np.where(union > 0, union, 1)


def _nearest_cells(
    doubled_centres: np.ndarray, sides: np.ndarray, grid: AnchorGrid, axis: int, inside: bool
) -> np.ndarray:
    """The column (or row) [N, A] of the anchor whose centre is nearest; nan where none counts."""
    low, high = grid.cell[:, axis], grid.cell[:, axis + 2]
    first, last = 0.0, np.ceil(sides / grid.stride) - 1
    if inside:  # as in `dsg.pipeline.anchor_targets`: from 0 on, and below the image's side
        first = np.maximum(0, np.ceil(-low / grid.stride))
        last = np.minimum(last, np.ceil((sides - high) / grid.stride) - 1)
    nearest = np.clip(np.rint((doubled_centres - (low + high)) / (2 * grid.stride)), first, last)
    return np.where(last >= first, nearest, np.nan)
