"""From logits to a sorted graph, against what the release gave."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.models.grounding.answers import graph_of, suppressed_labels
from tests.models.grounding.goldens import Golden, needs_goldens


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("postprocess")


@needs_goldens
@pytest.mark.parametrize("setting", ["sgcls", "sgdet"])
def test_a_graph_is_the_release_s(golden: Golden, setting: str) -> None:
    logits = golden.load(f"{setting}/object_logits").copy()
    if f"{setting}/object_logits_changed" in golden:
        for row, label, value in golden[f"{setting}/object_logits_changed"]:
            logits[int(row), int(label)] = value
    class_boxes = golden[f"{setting}/boxes_per_cls"] if setting == "sgdet" else None
    predicates = golden.load(f"{setting}/predicate_logits")
    graph = graph_of(golden[f"{setting}/boxes"], logits, golden[f"{setting}/pairs"], predicates, class_boxes)
    for name, values in (
        ("labels", graph.labels),
        ("final_boxes", graph.boxes),
        ("sorted_pairs", graph.pairs),
        ("sorted_predicates", graph.predicates),
    ):
        np.testing.assert_array_equal(values, golden[f"{setting}/{name}"])
    golden.assert_close(graph.scores, f"{setting}/scores", 1e-5)
    golden.assert_close(graph.probabilities, f"{setting}/sorted_probabilities", 1e-5)
    golden.assert_close(graph.triple_scores, f"{setting}/sorted_triple_scores", 1e-5)


def test_a_box_over_a_settled_one_gets_its_next_label() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)
    class_boxes = np.repeat(boxes[:, None], 2, 1)
    probabilities = np.array([[0.9, 0.05], [0.8, 0.1], [0.7, 0.2]])
    assert suppressed_labels(probabilities, class_boxes).tolist() == [0, 1, 0]
