"""Attention-map scores against their definitions written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dsg.metrics.maps import (
    EPSILON,
    correlation,
    kl_divergence,
    map_iou,
    map_metrics,
    map_precision,
    map_recall,
    similarity,
)


@pytest.fixture
def maps():
    """Targets and predictions [20, 196]; the first prediction is empty."""
    rng = np.random.default_rng(0)
    targets = (rng.random((20, 196)) < 0.3).astype(np.float32)
    predictions = (0.6 * rng.random((20, 196)) + 0.35 * targets).astype(np.float32)
    predictions[0] = 0
    return targets, predictions


def naive(y, p, t):
    """Every metric of one sample, cell by cell."""
    y, p = [float(a) for a in y], [float(b) for b in p]
    hit = sum(1 for a, b in zip(y, p) if a and b > t)
    extra = sum(1 for a, b in zip(y, p) if not a and b > t)
    missed = sum(1 for a, b in zip(y, p) if a and not b > t)
    n, sum_y, sum_p = len(y), sum(y), sum(p)
    yn = [a / (sum_y + EPSILON) for a in y]
    pn = [b / (sum_p + EPSILON) for b in p]
    mean_y, mean_p = sum_y / n, sum_p / n
    sd_y = math.sqrt(sum((a - mean_y) ** 2 for a in y) / n)
    sd_p = math.sqrt(sum((b - mean_p) ** 2 for b in p) / n)
    covariance = sum((a - mean_y) * (b - mean_p) for a, b in zip(y, p)) / n
    return {
        f"iou_{t}": hit / (EPSILON + hit + extra + missed),
        f"recall_{t}": hit / (hit + missed + EPSILON),
        f"precision_{t}": hit / (hit + extra + EPSILON),
        "kl": sum(a * math.log(EPSILON + a / (EPSILON + b)) for a, b in zip(yn, pn)),
        "cc": covariance / (sd_y * sd_p + EPSILON),
        "sim": sum(0.0 if a == b else min(a, b) for a, b in zip(yn, pn)),
    }


def test_against_naive_definitions(maps):
    targets, predictions = maps
    values = map_metrics(targets, predictions, thresholds=(0.3, 0.5, 0.6))
    for sample in range(len(targets)):
        for threshold in (0.3, 0.5, 0.6):
            for name, expected in naive(targets[sample], predictions[sample], threshold).items():
                assert values[name][sample] == pytest.approx(expected, rel=1e-9, abs=1e-12), name


def test_threshold_is_strict():
    target, prediction = np.array([[1.0, 0.0]]), np.array([[0.5, 0.0]])
    assert map_iou(target, prediction, 0.5)[0] == 0
    assert map_iou(target, prediction, 0.4999)[0] == pytest.approx(1, abs=1e-6)


def test_perfect_and_empty_predictions(maps):
    targets, _ = maps
    assert np.all(np.abs(kl_divergence(targets, targets)) < 1e-5)
    np.testing.assert_allclose(correlation(targets, targets), 1, atol=1e-5)
    for metric in (map_iou, map_recall, map_precision):
        np.testing.assert_allclose(metric(targets, targets), 1, atol=1e-6)
        assert np.all(metric(targets, np.zeros_like(targets)) == 0)
    empty = kl_divergence(targets, np.zeros_like(targets))
    assert np.all(np.isfinite(empty)) and np.all(empty > 5)
    assert np.all(similarity(targets, targets) == 0)  # equal cells count nothing, as released
    np.testing.assert_allclose(similarity(targets, targets * 0.5 + 1e-9), 1, atol=1e-5)


def test_all_scores_are_finite_and_per_sample(maps):
    targets, predictions = maps
    for values in map_metrics(
        np.concatenate([targets, 0 * targets]), np.concatenate([predictions] * 2)
    ).values():
        assert values.shape == (40,) and values.dtype == np.float64 and np.isfinite(values).all()
