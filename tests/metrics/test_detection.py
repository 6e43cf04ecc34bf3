"""Best overlaps and recall, with the release's inclusive widths."""

from __future__ import annotations

import math

import numpy as np

from dsg.metrics.detection import best_overlaps, recall
from tests.golden import golden


def test_golden_overlaps():
    arrays = golden("layers")
    expected = arrays["bbox_overlaps/out"]
    found = best_overlaps(arrays["bbox_overlaps/boxes"], arrays["bbox_overlaps/query"])
    np.testing.assert_allclose(found, expected.max(axis=0), atol=1e-6)


def test_inclusive_widths():
    # 10 x 10 pixels each, 5 x 10 shared.
    overlaps = best_overlaps(
        np.array([[0, 0, 9, 9]]), np.array([[5, 0, 14, 9], [20, 20, 29, 29], [0, 0, 9, 9]])
    )
    np.testing.assert_allclose(overlaps, [50 / 150, 0, 1])


def test_recall_counts_the_threshold_itself():
    assert recall(np.array([0.5, 0.49, 0.7, 1.0]), 0.5) == 0.75
    assert math.isnan(recall(np.zeros(0), 0.5))


def test_no_boxes():
    np.testing.assert_array_equal(best_overlaps(np.zeros((0, 4)), np.ones((3, 4))), np.zeros(3))
    assert best_overlaps(np.ones((3, 4)), np.zeros((0, 4))).shape == (0,)
