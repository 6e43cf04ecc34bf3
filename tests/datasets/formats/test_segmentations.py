"""Polygons and run lengths to masks and back; what the library must not see."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dsg.datasets.formats.segmentations import check_segmentation, decode, encode
from dsg.errors import UserError

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
HEIGHT, WIDTH = 20, 30


def test_a_rectangle_both_ways() -> None:
    pixels = decode([[5, 4, 15, 4, 15, 10, 5, 10]], HEIGHT, WIDTH, "x")
    wanted = np.zeros((HEIGHT, WIDTH), bool)
    wanted[4:10, 5:15] = True
    assert pixels.dtype == bool and np.array_equal(pixels, wanted)
    assert np.array_equal(decode(encode(wanted), HEIGHT, WIDTH, "x"), wanted)
    # column by column: 4 rows empty, 6 full, ... in the ten columns from the fifth on
    counts = [5 * HEIGHT + 4, *[6, HEIGHT - 6] * 9, 6, HEIGHT - 10 + 15 * HEIGHT]
    assert np.array_equal(decode({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH, "x"), wanted)


def test_parts_are_joined() -> None:
    parts = [[0, 0, 5, 0, 5, 5, 0, 5], [10, 10, 15, 10, 15, 15, 10, 15]]
    assert decode(parts, HEIGHT, WIDTH, "x").sum() == 50


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 1])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (1, 1), (400, 300)])
def test_any_mask_survives_and_is_written_as_by_the_library(share: float, shape: tuple) -> None:
    from pycocotools import mask as library

    mask = np.random.default_rng(3).random(shape) < share
    mask[: shape[0] // 2, shape[1] // 2 :] = share == 0.01  # long runs, and short ones
    assert np.array_equal(decode(encode(mask), *shape, "x"), mask)
    assert encode(mask)["counts"].encode() == library.encode(np.asfortranarray(mask, np.uint8))["counts"]


def test_masks_are_written_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pycocotools", "pycocotools.mask"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="pycocotools is not installed"):
        decode([[1, 1, 5, 1, 5, 5]], HEIGHT, WIDTH, "x")
    assert encode(np.eye(2, dtype=bool)) == {"size": [2, 2], "counts": "0120"}


def test_an_outline_that_would_fill_the_memory() -> None:
    side = 60_000
    with pytest.raises(UserError, match="a polygon whose outline is 2,400,000 pixels long"):
        check_segmentation([[0, 0, side, 0] * 20], side, side, "x")
    many = np.stack([np.arange(10_000) % 2000, np.arange(10_000) % 2], 1).ravel().tolist()
    check_segmentation([many], side, side, "x")  # of many points, but short


def test_more_pixels_than_run_lengths_can_count() -> None:
    side = 70_000
    with pytest.raises(UserError, match="a mask of 4,900,000,000 pixels; 4,294,967,295 are the most"):
        decode({"size": [side, side], "counts": [side * side]}, side, side, "x")


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([], "empty"),
        ([[1, 1, 5, 5]], "a polygon of 2 points; it needs 3"),
        ([[]], "a polygon of 0 points"),
        ([[1, 1, 5, 5, 3]], "not a list of x1, y1"),
        ([[1, 1, 5, 5, 3, float("nan")]], "not a list of x1, y1"),
        ([["a", 1, 5, 5, 3, 4]], "not a list of x1, y1"),
        ([[10**400, 1, 5, 5, 3, 4]], "not a list of x1, y1"),
        ([[True, 1, 5, 5, 3, 4]], "not a list of x1, y1"),
        ([3, 4], "not a list of x1, y1"),
        ([[1, 1, 5, 5, 1e8, 4]], "far outside the image"),
        ([[1, 1, 5, -40, 3, 4]], "far outside the image"),
        ("text", "neither polygons nor run lengths"),
        (None, "neither polygons nor run lengths"),
        ({"size": [30, 20], "counts": [600]}, r"size \[30, 20\], the image is \[20, 30\]"),
        ({"counts": [600]}, "size None"),
        ({"size": [20, 30]}, "not whole numbers"),
        ({"size": [20, 30], "counts": [599]}, "599 pixels, the image has 600"),
        ({"size": [20, 30], "counts": [10, 10**12]}, "1000000000010 pixels"),
        ({"size": [20, 30], "counts": [601, -1]}, "not whole numbers"),
        ({"size": [20, 30], "counts": [1.5]}, "not whole numbers"),
        ({"size": [20, 30], "counts": "1"}, "1 pixels, the image has 600"),
        ({"size": [20, 30], "counts": "zzzz"}, "not COCO's"),
        ({"size": [20, 30], "counts": "P"}, "is cut"),
        ({"size": [20, 30], "counts": "o" * 50}, "not COCO's"),
        ({"size": [20, 30], "counts": "é"}, "not COCO's|pixels"),
    ],
)
def test_refused_in_one_line(segmentation: object, reason: str) -> None:
    with pytest.raises(UserError, match=f"^here: .*{reason}"):
        check_segmentation(segmentation, HEIGHT, WIDTH, "here")
    with pytest.raises(UserError):
        decode(segmentation, HEIGHT, WIDTH, "here")
