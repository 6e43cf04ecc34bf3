"""Bootstrap intervals: whole images are drawn, the same ones each time."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics import bootstrap
from dsg.metrics.bootstrap import RESAMPLES, SEED, share_intervals


def test_two_images_by_hand() -> None:
    """Of two images one is drawn twice in a quarter of the cases, the other in another, else each once."""
    low, high = share_intervals(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([2, 1]))
    np.testing.assert_allclose((low, high), ([0.0, 0.5], [1.0, 1.0]))


@pytest.mark.parametrize("at_once", [1, 40, 10**9])
def test_against_loops(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """However many draws are held at once."""
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 9, 13)
    sums = rng.random((13, 2)) * counts[:, None]
    draws, shares = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES):
        images = draws.integers(13, size=13)
        shares.append([sum(sums[i, k] for i in images) / sum(counts[i] for i in images) for k in (0, 1)])
    monkeypatch.setattr(bootstrap, "_AT_ONCE", at_once)
    np.testing.assert_allclose(share_intervals(sums, counts), np.percentile(shares, [2.5, 97.5], axis=0))


def test_width_is_that_of_the_normal_distribution_where_there_are_many_images() -> None:
    values = (np.random.default_rng(0).random(2000) < 0.3).astype(float)[:, None]
    low, high = share_intervals(values, np.ones(2000))
    assert low[0] < values.mean() < high[0]
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.1)


def test_queries_that_agree_within_images_widen_it() -> None:
    right = (np.random.default_rng(0).random(100) < 0.5).astype(float)[:, None]
    alone = share_intervals(np.repeat(right, 20, axis=0), np.ones(2000))
    together = share_intervals(20 * right, np.full(100, 20))
    assert np.ptp(together) > 3 * np.ptp(alone)


@pytest.mark.parametrize("images", [0, 1])
def test_too_few_images(images: int) -> None:
    assert np.isnan(share_intervals(np.ones((images, 3)), np.ones(images))).all()
