"""The share of queries that reach an IoU."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics.iou_curves import THRESHOLDS, iou_curves, share_at_least
from dsg.metrics.maps import map_iou


def test_shares_fall_from_one():
    shares = share_at_least(np.array([0.0, 0.2, 0.5, 1.0]))
    at = dict(zip(THRESHOLDS, shares))
    assert (at[0.0], at[0.05], at[0.2], at[0.25], at[0.5], at[0.55], at[1.0]) == (
        *(1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25),
    )
    assert (np.diff(share_at_least(np.random.default_rng(0).random(99))) <= 0).all()


def test_ratios_of_cells_reach_the_threshold_they_equal():
    """Every ratio k/20 that 14 x 14 cells can make, in either way of dividing."""
    for place, threshold in enumerate(THRESHOLDS):
        for cells in (20, 40, 180):
            hit = round(threshold * cells)
            maps = np.zeros((2, 1, 196))
            maps[0, :, :cells] = maps[1, :, :hit] = 1
            for iou in (np.array([hit / cells]), map_iou(maps[0], maps[1])):
                shares = share_at_least(iou)
                assert shares[place] == 1 and not shares[place + 1 :].any()


def test_the_area_below_is_about_the_mean():
    values = np.random.default_rng(1).beta(2, 1, 5000)
    assert np.mean(share_at_least(values)[1:]) == pytest.approx(values.mean(), abs=0.03)


def test_sets_of_queries():
    subject = np.array([1.0, 0.3, np.nan, 0.6])  # the third is not asked in this convention
    object_ = np.array([0.0, 1.0, np.nan, 1.0])
    curves = iou_curves(subject, object_, np.array([False, True, True, False]))
    assert (curves["all"]["queries"], curves["ambiguous"]["queries"]) == (3, 1)
    assert curves["all"]["subject"][10] == curves["all"]["object"][20] == pytest.approx(2 / 3)
    assert curves["ambiguous"]["subject"] == [1.0] * 7 + [0.0] * 14
    assert list(iou_curves(subject, object_, np.zeros(4, bool))) == ["all"]


def test_without_queries():
    nothing = np.zeros(0)
    assert iou_curves(nothing, nothing, np.zeros(0, bool)) == {}
    assert np.isnan(share_at_least(nothing)).all()
