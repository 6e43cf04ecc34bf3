"""How often the most probable box is right: accuracy at box IoU, and what limits it.

`box_overlaps` measures one image's queries, `accuracies` sums up those of a split. docs/metrics.md works
examples by hand. Letters: Q queries, N boxes of the model, P proposals, G true boxes, R annotated pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.metrics.bootstrap import LEVEL, RESAMPLES, SEED, share_intervals

THRESHOLDS = tuple((50 + 5 * step) / 100 for step in range(10))
ROLES = ("subject", "object", "both")
COUNTINGS = {"exclusive": False, "inclusive": True}
"""Of widths: x2 - x1, as other programs have it, or x2 - x1 + 1, as the release: whether + 1."""
AT_HALF, MEAN = "0.5", "0.5:0.95"

ANSWER, BEST_BOX, BEST_PROPOSAL, TRUE_BOXES = "answer", "best_box", "best_proposal", "true_boxes"
CASES = (ANSWER, BEST_BOX, BEST_PROPOSAL, TRUE_BOXES)
"""What is measured: the answer; the perfect choice among the model's boxes, and among the proposals before
refinement; the model's choice, where its box becomes the true box that it covers best.
"""


class ImageBoxes(NamedTuple):
    """One image's answers and what is true; boxes x1 y1 x2 y2 in pixels of the network's input."""

    boxes: np.ndarray  # [N, 4]: the model's, refined
    proposals: np.ndarray  # [P, 4]: before refinement
    truth: np.ndarray  # [G, 4]
    top: np.ndarray  # int [2, Q]: the most probable box as subject and as object; -1 if there is none
    # int [R, 3]: query, subject and object, of every annotated pair that answers a query
    pairs: np.ndarray


def box_overlaps(image: ImageBoxes, *, inclusive: bool) -> np.ndarray:
    """How well the boxes of each answer cover what was asked for, in each of `CASES`.

    A query may have several right answers: the one that is covered best counts. Subject and object are right
    together if they cover the subject and the object of the same annotated pair; the smaller IoU counts.

    Args:
        image: its boxes and answers.
        inclusive: see `COUNTINGS`.

    Returns:
        float64 [4, 3, Q], in [0, 1]: by `CASES` and `ROLES`. 0 where a query has no answer or no box.
    """
    boxes, proposals, truth = (
        np.asarray(one, np.float64).reshape(-1, 4) for one in (image.boxes, image.proposals, image.truth)
    )
    query, subject, object_ = np.asarray(image.pairs, np.int64).reshape(-1, 3).T
    found = np.zeros((len(CASES), len(ROLES), image.top.shape[1]))
    if not len(query):
        return found

    def of_answer(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # [N, G] -> [R], [R]
        padded = np.concatenate([overlaps, np.zeros((1, len(truth)))])  # -1: no box
        return padded[image.top[0, query], subject], padded[image.top[1, query], object_]

    def of_best(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        best = overlaps.max(axis=0, initial=0.0)
        return best[subject], best[object_]

    own = iou(boxes, truth, inclusive=inclusive)
    snapped = iou(truth, truth, inclusive=inclusive)[own.argmax(axis=1)]
    # A box that is better as it is stays, so that this is never below the answer.
    mended = np.maximum(own, np.where(own.max(axis=1, keepdims=True) > 0, snapped, 0.0))
    cases = (
        of_answer(own),
        of_best(own),
        of_best(iou(proposals, truth, inclusive=inclusive)),
        of_answer(mended),
    )
    for rows, (first, second) in zip(found, cases):
        for row, overlap in zip(rows, (first, second, np.minimum(first, second))):
            np.maximum.at(row, query, overlap)
    return found


@dataclass(frozen=True)
class Accuracy:
    """The share of queries that are right, and its bootstrap interval; nan where undefined."""

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.share):
            return "-"
        return f"{self.share:.3f}" + ("" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dump`."""
        return {"accuracy": self.share, "interval": [self.low, self.high]}


Accuracies = dict[str, dict[str, dict[str, Accuracy]]]
"""By `CASES`, `ROLES`, and `AT_HALF` or `MEAN`."""


def accuracies(overlaps: np.ndarray, image: np.ndarray, names: Sequence[str]) -> Accuracies:
    """Accuracy at IoU 0.5, and the mean of those at 0.5, 0.55 ... 0.95, in each of `CASES`.

    Args:
        overlaps: float64 [4, 3, S], of S queries as `box_overlaps` gives them.
        image: int [S], position in `names` of each query's image.
        names: of the images, all different; intervals do not depend on the order of evaluation.
    """
    reached = [(overlaps >= threshold).astype(np.float64) for threshold in THRESHOLDS]
    steps = len(THRESHOLDS)
    # Whole numbers, whose sums are exact in any order; they are divided at the end.
    hits = np.stack([reached[0] * steps, np.sum(reached, axis=0)], axis=2)
    hits = hits.reshape(2 * len(CASES) * len(ROLES), len(image))
    place = np.empty(len(names), np.int64)
    place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    where = place[image]
    queries = np.bincount(where, minlength=len(names))
    sums = np.stack([np.bincount(where, one, minlength=len(names)) for one in hits], axis=1)[queries > 0]
    queries = steps * queries[queries > 0]
    share = sums.sum(axis=0) / queries.sum() if len(queries) else np.full(len(hits), math.nan)
    low, high = share_intervals(sums, queries)
    cells = iter([Accuracy(*map(float, one)) for one in zip(share, low, high)])
    return {case: {role: {at: next(cells) for at in (AT_HALF, MEAN)} for role in ROLES} for case in CASES}


def accuracies_json(sets: Mapping[str, Mapping[str, Accuracies]]) -> dict[str, Any]:
    """Accuracies by `COUNTINGS` and set of queries, with how they were measured; nan is left in."""
    return {
        "thresholds": list(THRESHOLDS),
        "bootstrap": {"over": "images", "resamples": RESAMPLES, "seed": SEED, "level": LEVEL},
        **{
            counting: {
                name: {
                    case: {
                        role: {at: one.to_json() for at, one in cell.items()} for role, cell in row.items()
                    }
                    for case, row in found.items()
                }
                for name, found in named.items()
            }
            for counting, named in sets.items()
        },
    }
