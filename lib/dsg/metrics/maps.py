"""Scores of attention maps against target maps, as the referring-relationships paper reports them.

For systems that answer with a map instead of boxes. Every function takes targets and predictions [S, L*L] (S
samples; targets 0 or 1, predictions in [0, 1)) and returns one float64 value per sample [S]; published
figures are means over samples, with threshold 0.5. Cells strictly above a threshold count as marked. EPSILON
is the release's, and keeps the scores of an empty map finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EPSILON = 1e-7
THRESHOLDS = (0.3, 0.5, 0.6)


def _counts(targets: np.ndarray, predictions: np.ndarray, threshold: float) -> tuple[np.ndarray, ...]:
    """True positives, false positives, false negatives [S]."""
    marked, truth = predictions > threshold, targets > 0
    return tuple(
        np.count_nonzero(cells, axis=1).astype(np.float64)
        for cells in (truth & marked, ~truth & marked, truth & ~marked)
    )


def map_iou(targets: np.ndarray, predictions: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Intersection over union of the marked cells [S]; an empty prediction scores 0."""
    hit, extra, missed = _counts(targets, predictions, threshold)
    return hit / (EPSILON + hit + extra + missed)


def map_recall(targets: np.ndarray, predictions: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """The share of target cells that are marked [S]."""
    hit, _, missed = _counts(targets, predictions, threshold)
    return hit / (hit + missed + EPSILON)


def map_precision(targets: np.ndarray, predictions: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """The share of marked cells that are target cells [S]."""
    hit, extra, _ = _counts(targets, predictions, threshold)
    return hit / (hit + extra + EPSILON)


def _distribution(maps: np.ndarray) -> np.ndarray:
    """Maps scaled to the sum 1 (an empty one stays empty), float64."""
    maps = np.asarray(maps, np.float64)
    return maps / (maps.sum(axis=1, keepdims=True) + EPSILON)


def kl_divergence(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of the prediction from the target over the cells [S]; lower is better."""
    truth, prediction = _distribution(targets), _distribution(predictions)
    return (truth * np.log(EPSILON + truth / (EPSILON + prediction))).sum(axis=1)


def correlation(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Pearson correlation over the cells [S] (population deviations); 0 for a constant map."""
    truth, prediction = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    centred = (values - values.mean(axis=1, keepdims=True) for values in (truth, prediction))
    covariance = np.multiply(*centred).mean(axis=1)
    return covariance / (truth.std(axis=1) * prediction.std(axis=1) + EPSILON)


def similarity(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Histogram intersection of the distributions [S]; cells where they are equal count 0, as released."""
    truth, prediction = _distribution(targets), _distribution(predictions)
    return np.where(truth == prediction, 0.0, np.minimum(truth, prediction)).sum(axis=1)


def map_metrics(
    targets: np.ndarray, predictions: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, np.ndarray]:
    """Every metric per sample: `iou_T`, `recall_T`, `precision_T` for each threshold T, `kl`, `cc`, `sim`."""
    values: dict[str, np.ndarray] = {}
    for threshold in thresholds:
        values[f"iou_{threshold}"] = map_iou(targets, predictions, threshold)
        values[f"recall_{threshold}"] = map_recall(targets, predictions, threshold)
        values[f"precision_{threshold}"] = map_precision(targets, predictions, threshold)
    values["kl"] = kl_divergence(targets, predictions)
    values["cc"] = correlation(targets, predictions)
    values["sim"] = similarity(targets, predictions)
    return values
