"""The best anchor of each box, against every anchor of the grid laid out."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.boxes.anchor_reach import AnchorGrid, Anchors, best_overlaps, shape_overlaps
from dsg.boxes.anchors import (
    PYRAMID_RATIOS,
    PYRAMID_SIZES,
    PYRAMID_STRIDES,
    anchor_grid,
    cell_anchors,
)
from dsg.boxes.overlaps import iou


def boxes_in(size: tuple[int, int], count: int, seed: int) -> np.ndarray:
    """Boxes of all sizes, some of which leave the image."""
    rng = np.random.default_rng(seed)
    height, width = size
    corner = rng.uniform(-0.1, 0.9, (count, 2)) * (width, height)
    sides = np.exp(rng.uniform(np.log(2), np.log(1.2 * max(size)), (count, 2)))
    return np.concatenate([corner, corner + sides], 1).astype(np.float32)


def all_anchors(grid: AnchorGrid, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (-(-side // grid.stride) for side in size)
    shifts = [(x, y, x, y) for y in range(rows) for x in range(columns)]
    return (grid.stride * np.array(shifts, np.float64)[:, None] + grid.cell).reshape(-1, 4)


def by_brute_force(boxes: np.ndarray, size: tuple[int, int], anchors: Anchors) -> np.ndarray:
    best = np.zeros(len(boxes))
    for grid in anchors.grids:
        laid_out = all_anchors(grid, size)
        if anchors.inside:  # as in `dsg.pipeline.anchor_targets`
            laid_out = laid_out[(laid_out[:, :2] >= 0).all(1) & (laid_out[:, 2:] < size[::-1]).all(1)]
        found = iou(boxes.astype(np.float64), laid_out, inclusive=anchors.inclusive)
        best = np.maximum(best, found.max(1, initial=0))
    return best


def single(stride: int, scales: list[float], ratios: list[float], *, inside: bool = True) -> Anchors:
    return Anchors([AnchorGrid(anchor_grid(1, 1, stride, scales, ratios), stride)], inside=inside)


PYRAMID = Anchors(
    [
        AnchorGrid(cell_anchors(sizes, PYRAMID_RATIOS), stride)
        for sizes, stride in zip(PYRAMID_SIZES, PYRAMID_STRIDES)
    ],
    inclusive=False,
    inside=False,
)
NETS = {
    "res101": single(16, [4, 8, 16, 32], [0.5, 1, 2]),
    "res18": single(8, [3.75, 5.5, 8, 11.5], [0.7, 1, 1.4]),
    "outside too": single(16, [2, 7.3], [0.31, 1, 2.2], inside=False),
    "too large for most": single(16, [5, 20], [0.5, 1]),
    "pyramid": PYRAMID,
}


@pytest.mark.parametrize("net", NETS)
def test_the_best_of_all_anchors(net: str) -> None:
    sizes = [(120, 200), (201, 97), (64, 64), (16, 300), (7, 9)]
    boxes = [boxes_in(size, 120, seed) for seed, size in enumerate(sizes)]
    found = best_overlaps(np.concatenate(boxes), np.repeat(sizes, 120, axis=0), NETS[net])
    expected = np.concatenate([by_brute_force(*each, NETS[net]) for each in zip(boxes, sizes)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert found.max() > 0.6 and found.min() < 0.3


def test_a_box_on_an_anchor_is_reached_wholly() -> None:
    anchors = single(16, [4], [1])
    assert best_overlaps(np.array([[24.0, 8, 87, 71]]), np.array([[100, 100]]), anchors) == 1
    # the cell that fits is there, but its anchor leaves the image
    assert best_overlaps(np.array([[24.0, 8, 87, 71]]), np.array([[71, 100]]), anchors) < 1


def test_boxes_by_shape_are_the_parts_of_the_best() -> None:
    boxes, sizes = boxes_in((90, 130), 50, 0), np.tile((90, 130), (50, 1))
    for anchors in (NETS["res18"], PYRAMID):
        found = shape_overlaps(boxes, sizes, anchors)
        assert found.dtype == np.float32 and found.shape[0] == 50
        np.testing.assert_allclose(found.max(1), best_overlaps(boxes, sizes, anchors), atol=1e-6)


def test_no_boxes_and_boxes_without_area() -> None:
    assert best_overlaps(np.zeros((0, 4)), np.zeros((0, 2)), PYRAMID).shape == (0,)
    assert best_overlaps(np.array([[5.0, 5, 5, 5]]), np.array([[50, 50]]), PYRAMID) == 0
