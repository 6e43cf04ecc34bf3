"""Boxes to maps, in both conventions."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics.raster import box_cells, boxes_to_mask, mask_iou, union_masks


def columns(box, width, raster):
    """The columns that a box over [x1, x2] of an image of that width covers."""
    normalised = np.array([[box[0] / width, 0.0, box[1] / width, 1.0]])
    return boxes_to_mask(normalised, raster=raster)[0].any(axis=0).nonzero()[0].tolist()


def pixel_mask_rr(box, width, height, size=14):
    """The rr map as its definition says it, in whole pixels."""
    x1, y1, x2, y2 = box
    mask = np.zeros((size, size), bool)
    for row in range(max(int(y1 * size / height), 0), min(int(y2 * size / height), size - 1) + 1):
        for column in range(max(int(x1 * size / width), 0), min(int(x2 * size / width), size - 1) + 1):
            mask[row, column] = True
    return mask


def test_conventions_differ_at_integral_ends():
    assert columns((10, 60), 140, "dsg") == [1, 2, 3, 4, 5]
    assert columns((10, 60), 140, "rr") == [1, 2, 3, 4, 5, 6]


def test_conventions_agree_elsewhere():
    assert columns((11, 57), 140, "dsg") == columns((11, 57), 140, "rr") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "box, dsg, rr",
    [
        ((-30, 25), [0, 1, 2], [0, 1, 2]),
        ((125, 170), [12, 13], [12, 13]),
        ((-50, 300), list(range(14)), list(range(14))),
        ((-30, -5), [], [0]),  # truncation towards zero puts -0.5 into the border cell
        ((150, 170), [], []),
    ],
)
def test_boxes_beyond_the_border(box, dsg, rr):
    assert columns(box, 140, "dsg") == dsg
    assert columns(box, 140, "rr") == rr


def test_dsg_box_without_cells():
    assert columns((20, 20), 140, "dsg") == []
    assert columns((20, 20), 140, "rr") == [2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width, height", [(140, 259), (480, 320), (1024, 768), (37, 500)])
def test_rr_equals_whole_pixel_definition(dtype, width, height):
    rng = np.random.default_rng(0)
    corners = np.stack([rng.integers(0, width + 1, (300, 2)), rng.integers(0, height + 1, (300, 2))], axis=2)
    boxes = np.sort(corners, axis=1).reshape(300, 4)
    boxes[:20, 2] = width  # ends on the last grid line
    normalised = (boxes / np.array([width, height, width, height])).astype(dtype)
    expected = np.stack([pixel_mask_rr(box, width, height) for box in boxes])
    np.testing.assert_array_equal(boxes_to_mask(normalised, raster="rr"), expected)


def test_rows_and_columns_are_not_exchanged():
    mask = boxes_to_mask(np.array([[0.0, 0.5, 1 / 14, 1.0]]))[0]
    assert mask[7:, 0].all() and mask.sum() == 7


def test_other_sizes_and_empty_input():
    assert boxes_to_mask(np.array([[0, 0, 0.5, 1.0]]), size=4).sum() == 8
    assert boxes_to_mask(np.zeros((0, 4))).shape == (0, 14, 14)
    with pytest.raises(ValueError, match="raster"):
        box_cells(np.zeros((1, 4)), raster="RR")


def test_union_and_iou():
    masks = boxes_to_mask(np.array([[0, 0, 0.5, 1.0], [0.5, 0, 1.0, 1.0]]))
    unions = union_masks(np.array([[True, True], [True, False], [False, False]]), masks)
    assert [int(union.sum()) for union in unions] == [196, 98, 0]
    np.testing.assert_array_equal(mask_iou(unions, unions[[0, 0, 2]]), [1.0, 0.5, 0.0])
    assert union_masks(np.zeros((2, 0), bool), np.zeros((0, 14, 14), bool)).sum() == 0
