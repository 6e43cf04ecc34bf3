"""From logits to a sorted graph."""

from __future__ import annotations

from dsg.models.grounding.answers import graph_of
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import MARGIN, boxes_of, numbers

CLOSE = Tolerance("relative", 1e-5)


def compare(checks: Checks) -> None:
    """All of `postprocess.npz`."""
    golden = checks.golden
    checks.given(r".*\.recipe", ".*/(boxes|boxes_per_cls|image_size_hw|pairs|object_logits_changed)")
    checks.skip(".*/sort_margin", MARGIN)
    for setting in ("sgcls", "sgdet"):
        logits = numbers(golden, f"{setting}/object_logits")
        for row, label, value in golden.get(f"{setting}/object_logits_changed", ()):
            logits[int(row), int(label)] = value
        boxes = boxes_of(golden, f"{setting}/boxes")
        class_boxes = golden[f"{setting}/boxes_per_cls"] if setting == "sgdet" else None
        predicates = numbers(golden, f"{setting}/predicate_logits")
        pairs = golden.array(f"{setting}/pairs", None, 2, low=0, high=len(boxes) - 1, whole=True)
        graph = graph_of(boxes, logits, pairs, predicates, class_boxes)
        for key, values, tolerance in (
            ("labels", graph.labels, EXACT),
            ("greedy_labels", graph.labels, EXACT),
            ("final_boxes", graph.boxes, EXACT),
            ("sorted_pairs", graph.pairs, EXACT),
            ("sorted_predicates", graph.predicates, EXACT),
            ("scores", graph.scores, CLOSE),
            ("sorted_probabilities", graph.probabilities, CLOSE),
            ("sorted_triple_scores", graph.triple_scores, CLOSE),
        ):
            checks.compare(f"{setting}/{key}", values, tolerance)
