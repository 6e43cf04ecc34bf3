"""Recall of scene graphs, by hand. What the release measured is in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics.graph_recall import (
    GraphPrediction,
    GraphRecall,
    GraphTruth,
    triple_hits,
    unconstrained_hits,
)

SQUARES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)


def test_by_hand() -> None:
    truth = GraphTruth(SQUARES, np.array([4, 5, 4]), np.array([[0, 1, 2], [2, 1, 1], [0, 1, 2]]))
    prediction = GraphPrediction(
        SQUARES + 1,  # IoU 81 / 119
        np.array([4, 5, 4]),
        np.array([1.0, 0.5, 1.0]),
        np.array([[2, 1], [0, 1]]),
        np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]),
    )
    # The first pair's predicate is 0, which is wrong; the second's is 2: both rows of that relation are hit.
    assert triple_hits(prediction, truth).tolist() == [[1, 0], [1, 2]]
    # Of all: 0.2 (pair 0, predicate 0), 0.15 (pair 0, 1) and 0.15 (pair 1, 2), 0.1, 0.1, 0.05.
    assert unconstrained_hits(prediction, truth).tolist() == [[1, 1], [2, 0], [2, 2]]
    recall = GraphRecall(3, [(4, 5, 1)], ks=(1, 2))
    recall.add_image(prediction, truth)
    first, second = recall.results()[1], recall.results()[2]
    assert (first.recall, first.unconstrained, first.zero_shot) == (0.0, 0.0, 0.0)
    assert second.recall == pytest.approx(2 / 3) and second.unconstrained == pytest.approx(1 / 3)
    assert second.per_predicate.tolist() == [0.0, 0.0, 1.0]
    assert second.mean_recall == pytest.approx(1 / 3)
    assert second.zero_shot == 0.0 and recall.images[0].zero_shot.tolist() == [False, True, False]


def test_the_released_mean_recall_gives_predicate_0_the_overall_recall() -> None:
    """Where predicate 0 never occurs the two differ by the mean recall of an image over their number."""
    recall = GraphRecall(50, ks=(20,))
    for label in (5, 6):  # the second image is missed
        truth = GraphTruth(SQUARES, np.array([4, 5, 4]), np.array([[0, 1, 2]]))
        probabilities = np.eye(51)[[2]]
        prediction = GraphPrediction(
            SQUARES, np.array([4, label, 4]), np.ones(3), np.array([[0, 1]]), probabilities
        )
        recall.add_image(prediction, truth)
    result = recall.results()[20]
    assert result.recall == 0.5
    assert result.mean_recall_released - result.mean_recall == pytest.approx(0.5 / 50)


def test_nothing_to_be_found_is_nan() -> None:
    recall = GraphRecall(3)
    truth = GraphTruth(SQUARES, np.array([0, 1, 2]), np.zeros((0, 3), int))
    prediction = GraphPrediction(
        SQUARES, np.array([0, 1, 2]), np.ones(3), np.zeros((0, 2), int), np.zeros((0, 4))
    )
    assert recall.add_image(prediction, truth) is None
    assert all(np.isnan(result.recall) and np.isnan(result.zero_shot) for result in recall.results().values())


def test_no_pairs_hit_nothing() -> None:
    truth = GraphTruth(SQUARES, np.array([0, 1, 2]), np.array([[0, 1, 2]]))
    prediction = GraphPrediction(
        *(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros((0, 2), int), np.zeros((0, 4)))
    )
    assert len(triple_hits(prediction, truth)) == len(unconstrained_hits(prediction, truth)) == 0
