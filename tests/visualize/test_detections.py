"""Drawn detections: boxes, masks, labels, colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsg.boxes.paste import placed_masks
from dsg.visualize.canvas import text_size
from dsg.visualize.detections import (
    HUES,
    draw_detections,
    mask_outlines,
    name_colours,
    numbered_colour,
)
from dsg.visualize.label_places import label_places

GROUND = 90


@pytest.fixture
def image() -> np.ndarray:
    return np.full((440, 600, 3), GROUND, np.uint8)


def is_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (picture == colour).all(axis=2)


def test_boxes_lie_where_they_belong_and_their_inside_is_seen(image: np.ndarray) -> None:
    picture = draw_detections(
        image, np.array([[60, 80, 160, 200], [300, 220, 420, 380]]), ["dog", "cat"], classes=[12, 8]
    )
    assert picture.shape == image.shape and (image == GROUND).all()
    objects = {("dog", 12): (60, 80, 160, 200), ("cat", 8): (300, 220, 420, 380)}
    for (name, number), (x1, y1, x2, y2) in objects.items():
        lines = is_colour(picture, numbered_colour(number))
        assert lines[y1 + 10 : y2 - 10, x1].all() and lines[y2, x1 + 10 : x2 - 10].all()
        assert (picture[y1 + 10 : y2 - 10, x1 + 10 : x2 - 10] == GROUND).all()
        height = text_size(name, 13, bold=True)[1]
        assert lines[y1 - height + 1 : y1, x1 : x1 + 3].all()  # the label's left edge


def test_a_mask_tints_what_it_covers(image: np.ndarray) -> None:
    masks = np.zeros((1, 28, 28), np.float32)
    masks[0, :, :14] = 1  # the left half
    picture = draw_detections(image, np.array([[100, 100, 300, 300]]), ["dog"], [0.9], masks, classes=[3])
    tinted = np.rint(0.8 * GROUND + 0.2 * np.array(numbered_colour(3)))
    np.testing.assert_array_equal(picture[120:280, 120:180], np.broadcast_to(tinted, (160, 60, 3)))
    assert (picture[120:280, 220:280] == GROUND).all()


def test_outlines_go_around_parts_and_holes() -> None:
    mask = np.zeros((1, 28, 28), np.float32)
    mask[0, 2:12, 2:26] = mask[0, 16:26, 2:26] = 1
    mask[0, 5:9, 8:20] = 0
    (placed,) = placed_masks(mask, np.array([[50, 60, 106, 116]], np.float32), 200, 200)
    outlines = mask_outlines(placed)
    assert len(outlines) == 3
    points = np.concatenate(outlines)[:, 0]
    assert (points >= (50, 60)).all() and (points <= (106, 116)).all()
    (outside,) = placed_masks(mask, np.array([[500, 60, 560, 116]], np.float32), 200, 200)
    assert mask_outlines(outside) == []


@st.composite
def crowds(draw: st.DrawFn) -> tuple[np.ndarray, list[list[tuple[int, int]]], int, int]:
    height, width = draw(st.integers(20, 300)), draw(st.integers(20, 300))
    count = draw(st.integers(0, 25))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    boxes = np.sort(rng.uniform(0, [width, height], (count, 2, 2)), axis=1).reshape(-1, 4)
    sizes = [[(int(wide), 14), (max(1, int(wide) // 2), 14)] for wide in rng.integers(10, 120, count)]
    return boxes, sizes, height, width


@given(crowds())
@settings(max_examples=60, deadline=None)
def test_labels_neither_overlap_nor_leave_the_picture(crowd: tuple) -> None:
    boxes, sizes, height, width = crowd
    places = label_places(boxes, sizes, height, width)
    assert len(places) == len(boxes)
    taken = np.zeros((height, width), bool)
    for place, wordings in zip(places, sizes):
        if place is None:
            continue
        wide, tall = wordings[place.wording]
        assert 0 <= place.x <= width - wide and 0 <= place.y <= height - tall
        own = taken[place.y : place.y + tall, place.x : place.x + wide]
        assert not own.any()
        own[:] = True
    if len(boxes) and min(sizes[0][-1][0], width) == sizes[0][-1][0]:
        assert places[0] is not None  # the best is labelled wherever its label fits


def test_a_label_touches_its_box_or_stands_beside_it() -> None:
    boxes = np.array([[40.0, 40, 200, 200]] * 12)
    places = label_places(boxes, [[(60, 14)]] * 12, 300, 300)
    for place in places:
        assert place is not None
        assert 40 - 60 <= place.x <= 200 and 40 - 14 <= place.y <= 200


def test_colours() -> None:
    colours = [numbered_colour(number) for number in range(2 * HUES)]
    assert len(set(colours)) == 2 * HUES and numbered_colour(2 * HUES) == colours[0]
    differences = np.abs(np.diff(np.array([*colours, colours[0]], int), axis=0)).sum(1)
    assert differences.min() > 150  # of classes that follow each other, of at most 765


def test_by_object(image: np.ndarray) -> None:
    boxes = np.array([[60, 80, 160, 200], [300, 220, 420, 380]])
    picture = draw_detections(image, boxes, ["dog", "dog"])
    assert is_colour(picture, numbered_colour(0))[100:190, 60].all()
    assert is_colour(picture, numbered_colour(1))[240:370, 300].all()


@pytest.mark.parametrize(("shape", "expected"), [((30, 40), (420, 560)), ((3000, 4000), (1500, 2000))])
def test_small_and_large_images(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    height, width = shape
    box = np.array([[width / 4, height / 4, width / 2, height / 2]])
    picture = draw_detections(np.full((*shape, 3), GROUND, np.uint8), box, ["dog"], classes=[5])
    assert picture.shape[:2] == expected
    x, y = expected[1] / 4, (expected[0] * 3) // 8
    near = picture[y, round(x) - 4 : round(x) + 5]
    assert is_colour(near[None], numbered_colour(5)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (2000, 3), (60, 60)])
def test_strange_shapes_and_boxes(shape: tuple[int, int]) -> None:
    """Boxes outside, without area, inverted; names longer than the picture; nothing at all."""
    image = np.full((*shape, 3), GROUND, np.uint8)
    boxes = np.array([[0, 0, 900, 900], [-50, -50, -10, -10], [5, 5, 5, 5], [30, 30, 20, 20]], np.float32)
    masks = np.ones((4, 28, 28), np.float32)
    names = ["a very long name of a class " * 20, "日本", "", "x_y"]
    for mask in (None, masks):
        assert draw_detections(image, boxes, names, [0.9, 0.8, 0.7, 0.6], mask).dtype == np.uint8
    nothing = draw_detections(image, np.zeros((0, 4)), [], [])
    assert len(np.unique(nothing)) == 1


def test_names_of_a_picture_have_colours_of_their_own() -> None:
    names = [f"class {number}" for number in range(2 * HUES)]
    assert len(set(name_colours([*names, *names]))) == 2 * HUES  # hashes of so many names meet
    assert name_colours(names) == name_colours(names[::-1])[::-1]
    assert len(name_colours([*names, "one more"])) == 2 * HUES + 1
