"""IoU curves as pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dsg.errors import UserError
from dsg.metrics.iou_curves import THRESHOLDS, iou_curves
from dsg.visualize.canvas import OBJECT_COLOUR, SUBJECT_COLOUR
from dsg.visualize.iou_curves import draw_iou_curves, save_iou_curves

RNG = np.random.default_rng(0)
IOU = RNG.random((2, 50))
FLAGS = RNG.random(50) < 0.5
CURVES = {"thresholds": list(THRESHOLDS), "dsg": iou_curves(*IOU, FLAGS), "rr": iou_curves(*IOU, FLAGS)}


def has_colour(picture, colour):
    return bool((np.abs(picture.astype(int) - colour).sum(axis=2) < 30).any())


def test_both_roles_are_drawn_in_their_colours(tmp_path):
    picture = draw_iou_curves(CURVES)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert has_colour(picture, SUBJECT_COLOUR) and has_colour(picture, OBJECT_COLOUR)
    save_iou_curves(CURVES, tmp_path / "iou_curves.png")
    written = cv2.imread(str(tmp_path / "iou_curves.png"))[:, :, ::-1]
    np.testing.assert_array_equal(written, picture)


def test_a_panel_for_each_convention():
    half = draw_iou_curves({**CURVES, "rr": {}})
    assert half.shape[1] == draw_iou_curves(CURVES).shape[1] // 2


@pytest.mark.parametrize("curves", [{}, {"thresholds": list(THRESHOLDS), "dsg": {}, "rr": {}}])
def test_without_queries_it_says_so(curves):
    picture = draw_iou_curves(curves)
    assert (picture != 255).any() and not has_colour(picture, SUBJECT_COLOUR)


def test_out_of_reach(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save_iou_curves(CURVES, tmp_path / "file" / "iou_curves.png")
