"""Anchors that fit boxes: known answers, and the best of all choices where these can be counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dsg.boxes import anchor_fit
from dsg.boxes.anchor_fit import fit_anchors
from dsg.boxes.anchor_reach import AnchorGrid, Anchors, best_overlaps
from dsg.boxes.anchors import anchor_grid

STRIDE = 8


def boxes_of(width: np.ndarray, height: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of these sides (+1 widths) somewhere in images of 320 x 480 pixels."""
    rng = np.random.default_rng(seed)
    sides = np.stack([width, height], 1)
    return _placed(sides, rng.uniform(0, 1, sides.shape) * ((480, 320) - sides))


def boxes_about_cells(width: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with centres on those of cells, where an anchor of a box's size covers it wholly."""
    sides = np.stack([width, height], 1)
    cells = np.random.default_rng(0).integers(14, 20, sides.shape)
    return _placed(sides, cells * STRIDE + (STRIDE - 1) / 2 - (sides - 1) / 2)


def _placed(sides: np.ndarray, corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([corner, corner + sides - 1], 1), np.tile((320, 480), (len(sides), 1))


def photographed(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of as many sizes and shapes as in photographs."""
    rng = np.random.default_rng(seed)
    side, shape = np.exp(rng.uniform(np.log(12), np.log(220), count)), np.exp(rng.normal(0, 0.5, count))
    return boxes_of(np.minimum(side / shape, 400), np.minimum(side * shape, 300), seed)


def sizes_of(fit: anchor_fit.Fit) -> list[list[float]]:
    """Widths and heights of the anchors, which the net cuts to whole pixels."""
    anchors = anchor_grid(1, 1, STRIDE, *fit)
    return (anchors[:, 2:] - anchors[:, :2] + 1).tolist()


def mean_iou(boxes: np.ndarray, sizes: np.ndarray, scales, ratios) -> float:
    anchors = Anchors([AnchorGrid(anchor_grid(1, 1, STRIDE, scales, ratios), STRIDE)])
    return float(best_overlaps(boxes, sizes, anchors).mean())


def test_boxes_of_one_size_get_that_anchor() -> None:
    assert fit_anchors(*boxes_about_cells(np.full(40, 48), np.full(40, 48)), STRIDE, 4, 3) == ((6,), (1,))
    fit = fit_anchors(*boxes_about_cells(np.full(40, 48), np.full(40, 96)), STRIDE, 4, 3)
    assert sizes_of(fit) == [[48, 96]]


def test_boxes_of_a_few_sizes_get_those_anchors() -> None:
    side = np.repeat([20.0, 44.0, 100.0], [30, 50, 20])
    fit = fit_anchors(*boxes_about_cells(side, side), STRIDE, 3, 2)
    assert sizes_of(fit) == [[20, 20], [44, 44], [100, 100]]


def test_given_values_stay() -> None:
    boxes = photographed(300)
    fit = fit_anchors(*boxes, STRIDE, 3, (0.5, 1, 2))
    assert fit.ratios == (0.5, 1, 2) and len(fit.scales) == 3
    fit = fit_anchors(*boxes, STRIDE, (2, 4, 8), 2)
    assert fit.scales == (2, 4, 8) and len(fit.ratios) == 2
    assert fit_anchors(*boxes, STRIDE, [8, 2], [1]) == ((8, 2), (1,))


@pytest.mark.parametrize("seed", range(3))
def test_as_good_as_the_best_of_all_choices(seed: int) -> None:
    """Of candidates so few that all choices can be counted; the real ones lie closer together."""
    boxes, sizes = photographed(60, seed)
    scales, ratios = np.geomspace(1.5, 28, 9), np.geomspace(0.4, 2.5, 6)
    best = max(
        mean_iou(boxes, sizes, *choice)
        for choice in itertools.product(itertools.combinations(scales, 3), itertools.combinations(ratios, 2))
    )
    assert mean_iou(boxes, sizes, *fit_anchors(boxes, sizes, STRIDE, 3, 2)) >= best


def test_the_search_finds_the_best_of_all_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same candidates, before they are refined."""
    boxes, sizes = photographed(60)
    for name, value in (("COARSE", (9, 6)), ("SMALLER", 0), ("FINE", 0)):
        monkeypatch.setattr(anchor_fit, name, value)
    fit = fit_anchors(boxes, sizes, STRIDE, 3, 2)
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    values = np.sqrt(sides.prod(1)) / STRIDE, sides[:, 1] / sides[:, 0]
    scales, ratios = (
        np.round(np.geomspace(*np.percentile(each, (0.5, 99.5)), count), 2)
        for each, count in zip(values, (9, 6))
    )
    best = max(
        mean_iou(boxes, sizes, *choice)
        for choice in itertools.product(itertools.combinations(scales, 3), itertools.combinations(ratios, 2))
    )
    assert mean_iou(boxes, sizes, *fit) == pytest.approx(best, abs=1e-5)


def test_the_border_and_the_grid_count() -> None:
    """Large boxes get anchors that lie inside the image, where training sees them."""
    width, height = np.full(20, 470.0), np.full(20, 310.0)
    boxes, sizes = boxes_of(width, height)
    fit = fit_anchors(boxes, sizes, STRIDE, 2, 2)
    assert mean_iou(boxes, sizes, *fit) > 0.9


def test_the_same_boxes_give_the_same_anchors() -> None:
    boxes, sizes = photographed(800)
    fit = fit_anchors(boxes, sizes, STRIDE, 4, 3)
    assert fit == fit_anchors(boxes, sizes, STRIDE, 4, 3)
    assert list(fit.scales) == sorted(fit.scales) and list(fit.ratios) == sorted(fit.ratios)
    assert fit == fit_anchors(boxes[::-1], sizes, STRIDE, 4, 3)


def test_some_of_many_boxes_speak_for_all() -> None:
    boxes, sizes = photographed(5 * anchor_fit.BOXES)
    few = slice(0, None, 20)
    known, fixed = (2, 4, 9, 20), fit_anchors(boxes[few], sizes[few], STRIDE, 4, (0.5, 1, 2)).scales
    fit = fit_anchors(boxes, sizes, STRIDE, 4, (0.5, 1, 2)).scales
    mean = {each: mean_iou(boxes, sizes, each, (0.5, 1, 2)) for each in (known, fixed, fit)}
    assert mean[fit] > mean[fixed] - 0.005 and mean[fit] > mean[known]
