"""Recall of scene graphs: every hit, and every figure."""

from __future__ import annotations

import numpy as np

from dsg.metrics.graph_recall import (
    KS,
    GraphPrediction,
    GraphRecall,
    GraphTruth,
    triple_hits,
    unconstrained_hits,
)
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.reading import boxes_of

CLOSE = Tolerance("absolute", 1e-9)
PREDICATES = 50


def compare(checks: Checks) -> None:
    """All of `metrics.npz`."""
    golden = checks.golden
    checks.given("zero_shot_.*", "gt/.*", ".*/(boxes|labels|scores|pairs|probabilities)")
    checks.skip("[a-z]+/A@.*", "the share of pairs that are right, which the paper does not report")
    numbers = sorted({key.split("/")[1] for key in golden if key.startswith("gt/")})
    for setting in ("predcls", "sgcls", "sgdet"):
        _compare_setting(checks, setting, numbers)


def _compare_setting(checks: Checks, setting: str, numbers: list[str]) -> None:
    golden = checks.golden
    recall = GraphRecall(PREDICATES, golden.array("zero_shot_triplets", None, 3, low=0, whole=True).tolist())
    counted = []
    for number in numbers:
        truth, prediction = _truth(golden, number), _prediction(golden, setting, number)
        if recall.add_image(prediction, truth) is None:
            continue
        counted.append(int(number))
        for key, hits in (
            ("hits", triple_hits(prediction, truth)),
            ("nogc_hits", unconstrained_hits(prediction, truth)),
        ):
            there = f"{setting}/{number}/{key}"
            checks.compare(there, _in_order(hits), EXACT, reference=_in_order(golden[there]))
    for k in KS:
        _compare_figures(checks, setting, recall, counted, k)


def _truth(golden: Golden, number: str) -> GraphTruth:
    there = f"gt/{number}"
    boxes = boxes_of(golden, f"{there}/boxes")
    rows = golden.array(f"{there}/relations", None, 3, low=0, whole=True, empty=True)
    return GraphTruth(boxes, golden[f"{there}/labels"], rows)


def _prediction(golden: Golden, setting: str, number: str) -> GraphPrediction:
    there = f"{setting}/{number}"
    boxes = boxes_of(golden, f"{there}/boxes")
    arrays = [golden[f"{there}/{key}"] for key in ("labels", "scores", "pairs", "probabilities")]
    if setting == "predcls":  # labels are given, and certain
        arrays[1] = np.ones_like(arrays[1])
    return GraphPrediction(boxes, *arrays)


def _in_order(hits: np.ndarray) -> np.ndarray:
    """Hits [H, 2] by rank, of a rank by relation."""
    return hits[np.lexsort(hits.T[::-1])]


def _compare_figures(checks: Checks, setting: str, recall: GraphRecall, counted: list[int], k: int) -> None:
    result = recall.results()[k]
    found = [(number, image) for number, image in zip(counted, recall.images) if image.zero_shot.any()]
    for key, value in (
        (f"R@{k}", result.recall),
        (f"R@{k}/per_image", [image.hits[k].mean() for image in recall.images]),
        (f"ngR@{k}", result.unconstrained),
        (f"ngR@{k}/per_image", [image.unconstrained[k].mean() for image in recall.images]),
        (f"mR@{k}_fixed", result.mean_recall),
        (f"mR@{k}_fixed/per_predicate", result.per_predicate),
        (f"mR@{k}_released", result.mean_recall_released),
        (f"mR@{k}_released/per_predicate", recall.per_predicate_released(k)),
        (f"zsR@{k}", result.zero_shot),
        (f"zsR@{k}/per_image", [image.hits[k][image.zero_shot].mean() for _, image in found]),
        (f"zsR@{k}/images", [number for number, _ in found]),
    ):
        checks.compare(f"{setting}/{key}", np.asarray(value, np.float64), CLOSE)
