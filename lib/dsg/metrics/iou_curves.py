"""The share of answers whose IoU is at least t, for rising t: what a mean hides, as precision-recall does.

A curve begins at 1 (every IoU is at least 0) and falls to the share of answers whose cells are all right; the
area under it is about the mean IoU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

THRESHOLDS = tuple(index / 20 for index in range(21))
# The IoU of maps has an epsilon in its divisor, with which equal maps would miss 1. IoUs of at most 14 x 14
# cells are either on a threshold or further from it than this.
TOLERANCE = 1e-6

Curves = dict[str, dict[str, Any]]


def share_at_least(iou: np.ndarray) -> np.ndarray:
    """The share of the values [S] that are at least each of `THRESHOLDS`, float64 [T]; nan without values."""
    if not len(iou):
        return np.full(len(THRESHOLDS), np.nan)
    reached = iou[:, None] >= np.array(THRESHOLDS) - TOLERANCE
    return np.asarray(reached.mean(axis=0))


def iou_curves(subject: np.ndarray, object_: np.ndarray, ambiguous: np.ndarray) -> Curves:
    """The curves of a convention for all and for ambiguous queries, ready for `json.dump`.

    Args:
        subject, object_: IoU of each query [S]; nan where the convention does not ask it.
        ambiguous: bool [S].

    Returns:
        'all' and 'ambiguous' -> 'queries' (their number), 'subject' and 'object' (a share for each of
        `THRESHOLDS`). A set without queries is left out.
    """
    asked = ~np.isnan(subject)
    curves: Curves = {}
    for name, chosen in (("all", asked), ("ambiguous", asked & ambiguous)):
        if chosen.any():
            curves[name] = {
                "queries": int(chosen.sum()),
                "subject": share_at_least(subject[chosen]).tolist(),
                "object": share_at_least(object_[chosen]).tolist(),
            }
    return curves
