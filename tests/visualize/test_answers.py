"""Panels of answers and of proposals."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.visualize.answers import Answer, draw_answer, draw_answers
from dsg.visualize.canvas import BLUE, GREEN, OBJECT_COLOUR, ORANGE, SUBJECT_COLOUR, WHITE
from dsg.visualize.proposals import blob_to_rgb, draw_proposals

GROUND = 90
SUBJECT, OBJECT = np.array([[60.0, 80, 160, 200]]), np.array([[300.0, 220, 420, 380]])
QUERY = ("green_metal_cube", "left", "red_rubber_sphere")


@pytest.fixture
def image():
    return np.full((440, 600, 3), GROUND, np.uint8)


def is_colour(picture, colour):
    return (picture == colour).all(axis=2)


def find_image(panel, image):
    """The first row of the image in a panel: captions and legends are white."""
    rows = np.flatnonzero(~is_colour(panel[:, : image.shape[1]], WHITE).any(axis=1))
    return next(int(row) for row in rows if row + image.shape[0] <= len(panel))


def test_predictions_are_solid_and_where_they_belong(image):
    panel = draw_answer(image, Answer(QUERY, pred_subject=SUBJECT, pred_object=OBJECT))
    top = find_image(panel, image)
    picture = panel[top : top + 440]
    assert is_colour(picture, SUBJECT_COLOUR)[80, 90:160].all()
    assert is_colour(picture, SUBJECT_COLOUR)[100:200, 60].all()
    assert is_colour(picture, OBJECT_COLOUR)[240:380, 420].all()
    assert (picture[400:, :200] == GROUND).all() and (picture[100:180, 80:140] == GROUND).all()


def test_truth_is_dashed_and_on_top(image):
    alone = draw_answer(image, Answer(QUERY, gt_subject=SUBJECT))
    both = draw_answer(image, Answer(QUERY, gt_subject=SUBJECT, pred_subject=SUBJECT))
    for panel in (alone, both):
        top = find_image(panel, image)
        side = panel[top + 80, 90:160]
        coloured, white = is_colour(side[None], SUBJECT_COLOUR)[0], is_colour(side[None], WHITE)[0]
        assert (coloured | white).all() and 0.3 < white.mean() < 0.7


def test_caption_and_legend(image):
    bare = draw_answer(image, Answer(QUERY), legend=False)
    explained = draw_answer(image, Answer(QUERY, subject_iou=0.91, object_iou=0.4, note="ambiguous"))
    assert bare.shape[1] == explained.shape[1] == 600
    assert explained.shape[0] > bare.shape[0] > 440
    caption = bare[: find_image(bare, image)]
    assert is_colour(caption, SUBJECT_COLOUR).any() and is_colour(caption, OBJECT_COLOUR).any()
    first = np.flatnonzero(is_colour(caption, SUBJECT_COLOUR).any(axis=0))
    second = np.flatnonzero(is_colour(caption, OBJECT_COLOUR).any(axis=0))
    assert first.max() < second.min()  # subject, then object
    assert (bare[-1] == GROUND).all() and (explained[-1] == 255).all()


def test_input_is_left_alone(image):
    draw_answer(image, Answer(QUERY, SUBJECT, OBJECT, SUBJECT, OBJECT))
    assert (image == GROUND).all()


def test_small_images_are_enlarged_with_their_boxes():
    image = np.full((100, 150, 3), GROUND, np.uint8)
    panel = draw_answer(
        image, Answer(QUERY, pred_subject=np.array([[10.0, 20, 60, 70]])), legend=False, min_side=400
    )
    assert panel.shape[1] == 600
    picture = panel[-400:]
    columns = np.flatnonzero(is_colour(picture, SUBJECT_COLOUR)[200])
    assert abs(columns.min() - 40) <= 2 and abs(columns.max() - 240) <= 2


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1), (20, 2000)])
def test_odd_images(shape):
    panel = draw_answer(
        np.zeros((*shape, 3), np.uint8), Answer("some free text", SUBJECT, OBJECT, SUBJECT, OBJECT)
    )
    assert panel.dtype == np.uint8 and panel.ndim == 3


def test_page_of_several_queries(image):
    answers = [Answer(QUERY, pred_subject=SUBJECT), Answer("any text"), Answer(QUERY, pred_object=OBJECT)]
    page = draw_answers(image, answers, columns=2)
    panel = draw_answer(image, answers[0], legend=False)
    assert page.shape[1] == 2 * 600 + 3 * 16
    assert page.shape[0] > 2 * panel.shape[0]
    assert is_colour(page[:, :616], SUBJECT_COLOUR).sum() > 500
    assert is_colour(page[-40:], OBJECT_COLOUR).any()  # the legend


def test_proposals(image):
    picture = draw_proposals(image, SUBJECT, OBJECT, refined=SUBJECT + 30)
    assert picture.shape[0] > 440 and (picture[-1] == 255).all()
    assert is_colour(picture, ORANGE)[100, [60, 160]].all()
    assert is_colour(picture, BLUE)[150:220, 90].all()
    assert (
        is_colour(picture, GREEN)[300, [300, 420]].any() or is_colour(picture, WHITE)[300, [300, 420]].all()
    )
    only = draw_proposals(image, np.zeros((0, 4)))
    assert (only[:440] == GROUND).all()


def test_blob_to_rgb():
    means = (102.9801, 115.9465, 122.7717)
    original = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)  # RGB
    blob = (original[:, :, ::-1] - np.array(means)).astype(np.float32)
    np.testing.assert_array_equal(blob_to_rgb(blob, means), original)
