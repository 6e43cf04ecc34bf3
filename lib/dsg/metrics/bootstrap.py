"""How far a share could be off, had other images been drawn: bootstrap intervals over images.

Queries about the same image share its boxes and are not independent, so whole images are drawn, not queries.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES, SEED, LEVEL = 1000, 0, 0.95
_AT_ONCE = 2_000_000  # draws held in memory


def share_intervals(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The interval in which the middle `LEVEL` of the resampled shares lie (percentiles); always the same.

    As many images as there are, are drawn with replacement `RESAMPLES` times. A share is the sum over the
    drawn images of what is right, divided by the sum of what was asked, so each query counts equally.

    Args:
        sums: float64 [I, K], of each image the sum of K values over its queries.
        counts: [I], of each image the number of its queries, or the largest value of such a sum; above 0.

    Returns:
        float64 [2, K]: lower and upper ends; nan where there are fewer than two images.

    Example:
        >>> share_intervals(np.array([[2.0], [0.0], [1.0]]), np.array([2, 1, 1])).round(2).tolist()
        [[0.0], [1.0]]
    """
    images = len(counts)
    if images < 2:
        return np.full((2, sums.shape[1]), np.nan)
    shares = np.concatenate(
        [(drawn @ sums) / (drawn @ counts.astype(np.float64))[:, None] for drawn in _draws(images)]
    )
    tail = 50 * (1 - LEVEL)
    return np.asarray(np.percentile(shares, [tail, 100 - tail], axis=0))


def _draws(images: int) -> Iterator[np.ndarray]:
    """How often each image is drawn, float64 [some, images] each, `RESAMPLES` rows together."""
    rng, step = np.random.default_rng(SEED), max(1, _AT_ONCE // images)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        # Drawn row by row, so that the numbers do not depend on how many fit in memory.
        drawn = rng.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)
        yield counted.astype(np.float64)
