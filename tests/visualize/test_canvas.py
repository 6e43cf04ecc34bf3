"""Drawing primitives: pixels change where they should and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dsg.errors import UserError
from dsg.visualize.canvas import (
    BLACK,
    BLUE,
    VERMILLION,
    WHITE,
    LegendItem,
    blank,
    draw_box,
    draw_tag,
    draw_text,
    enlarge,
    grid,
    ink,
    legend_strip,
    save_png,
    shorten,
    stack,
    text_size,
)


def changed(image, ground=0):
    """The bounding box x1 y1 x2 y2 (inclusive) of what differs from a uniform ground."""
    rows, columns = np.nonzero((image != ground).any(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_solid_box():
    image = np.zeros((60, 80, 3), np.uint8)
    draw_box(image, (10.4, 20, 50, 40.2), BLUE, thickness=1)
    assert changed(image) == (10, 20, 50, 40)
    assert (image[20, 10:51] == BLUE).all() and (image[21:40, 11:50] == 0).all()


def test_box_beyond_the_image_stays_visible():
    image = np.zeros((60, 80, 3), np.uint8)
    draw_box(image, (-30, -5, 500, 59.9), BLUE, thickness=3)
    assert changed(image) == (0, 0, 79, 59)
    assert (image[30, 0] == BLUE).all() and (image[30, 79] == BLUE).all()


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_dashes_alternate_with_white_and_begin_in_corners(thickness):
    image = np.zeros((100, 100, 3), np.uint8)
    draw_box(image, (20, 20, 79, 79), VERMILLION, thickness, dashed=True)
    side = image[20, 20:80]
    coloured, white = (side == VERMILLION).all(axis=1), (side == WHITE).all(axis=1)
    assert (coloured | white).all() and coloured[0] and coloured[-1]
    assert 0.35 < white.mean() < 0.6
    assert np.count_nonzero(np.diff(coloured)) >= 6


def test_halo_surrounds_the_line():
    image = np.zeros((60, 60, 3), np.uint8)
    draw_box(image, (20, 20, 40, 40), BLUE, thickness=1, halo=True)
    assert (image[30, 19] == WHITE).all() and (image[30, 20] == BLUE).all() and (image[30, 21] == WHITE).all()


def test_text_lies_in_its_measured_rectangle():
    image = blank(60, 300)
    draw_text(image, (20, 10), "green metal cube", BLACK, 15, bold=True)
    width, height = text_size("green metal cube", 15, bold=True)
    x1, y1, x2, y2 = changed(image, 255)
    assert x1 >= 20 and x2 < 20 + width and y1 >= 10 and y2 < 10 + height
    assert image.min() < 40


def test_text_is_cut_at_the_border():
    image = blank(20, 30)
    draw_text(image, (-10, -5), "wider than this image", BLACK)
    draw_text(image, (100, 100), "outside", BLACK)
    assert image.min() < 128


def test_shorten():
    assert shorten("cube", 200) == "cube"
    short = shorten("a rather long description of a cube", 100)
    assert short.endswith("…") and text_size(short)[0] <= 100


def test_ink_is_readable():
    assert ink((230, 159, 0)) == BLACK and ink(BLUE) == WHITE


def test_tag_stays_inside():
    image = np.zeros((40, 60, 3), np.uint8)
    draw_tag(image, (55, 0, 59, 10), "S", BLUE)
    draw_tag(image, (0, 30, 3, 39), "O", VERMILLION, right=True)
    assert (image == BLUE).all(axis=2).any() and (image == VERMILLION).all(axis=2).any()


@pytest.mark.parametrize("shape, factor", [((128, 192), 420 / 128), ((600, 900), 1.0), ((1, 300), 5.6)])
def test_enlarge(shape, factor):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    picture, used = enlarge(image, 420)
    assert used == pytest.approx(factor)
    assert picture.shape[:2] == tuple(max(1, round(side * factor)) for side in shape)
    assert picture is not image


def test_grid_and_stack():
    panels = [np.full((10, 20, 3), value, np.uint8) for value in (10, 20, 30)]
    page = grid(panels, columns=2, gap=4)
    assert page.shape == (2 * 10 + 3 * 4, 2 * 20 + 3 * 4, 3)
    assert (
        (page[4:14, 28:48] == 20).all()
        and (page[18:28, 4:24] == 30).all()
        and (page[18:28, 28:] == 255).all()
    )
    assert grid(panels[:1], columns=5, gap=0).shape == (10, 20, 3)
    assert stack([panels[0], np.zeros((5, 7, 3), np.uint8)]).shape == (15, 20, 3)


def test_legend_breaks_into_rows():
    items = [LegendItem("subject", BLUE), LegendItem("object", VERMILLION, dashed=True)]
    wide, narrow = legend_strip(items, 400), legend_strip(items, 110)
    assert wide.shape[1] == 400 and narrow.shape[0] > wide.shape[0]
    for strip in (wide, narrow):
        assert (strip == BLUE).all(axis=2).any() and (strip == VERMILLION).all(axis=2).any()


def test_save_png(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    save_png(image, tmp_path / "new" / "picture.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "new" / "picture.png"))[:, :, ::-1], image)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["picture.png"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save_png(image, tmp_path / "file" / "picture.png")
