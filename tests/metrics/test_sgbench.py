"""Recall of scene graphs against SGBench, an independent implementation, where the definitions are the same.

They are where each predicted box covers one annotated box of its label at most and no relation is annotated
twice; docs/graph-metrics.md lists the differences, and each is shown below.
"""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics.graph_recall import GraphPrediction, GraphRecall, GraphTruth

sgbench = pytest.importorskip("sgbench", reason="sgbench is not installed (requirements-compare.txt)")

LABELS, PREDICATES, KS = 4, 5, (1, 5, 20, 60)


def random_image(rng: np.random.Generator) -> tuple[GraphPrediction, GraphTruth]:
    """Boxes on a grid, found well, badly or not at all, some with another label; no relation twice."""
    count = int(rng.integers(4, 8))
    corners = np.stack([np.arange(count) * 40.0, rng.integers(0, 3, count) * 40.0], 1)
    boxes = np.concatenate([corners, corners + 20 + rng.integers(0, 10, (count, 2))], 1)
    labels = rng.integers(0, LABELS, count)
    pairs = np.argwhere(~np.eye(count, dtype=bool))
    chosen = rng.permutation(len(pairs))[: int(rng.integers(6, 13))]
    relations = np.concatenate([pairs[chosen], rng.integers(0, PREDICATES, (len(chosen), 1))], 1)
    shift = rng.choice([0.0, 2.0, 12.0], (count, 1), p=[0.4, 0.4, 0.2])
    found = np.where(rng.random(count) < 0.85, labels, rng.integers(0, LABELS, count))
    scores = rng.random(count)
    probabilities = rng.dirichlet(np.ones(PREDICATES + 1), len(pairs))
    triple = scores[pairs].prod(1) * probabilities[:, :-1].max(1)
    order = np.argsort(-triple)
    prediction = GraphPrediction(boxes + shift, found, scores, pairs[order], probabilities[order])
    return prediction, GraphTruth(boxes, labels, relations)


def matched(prediction: GraphPrediction, truth: GraphTruth, constrained: bool = True) -> np.ndarray:
    """SGBench's triples in the rows of the truth, the best first."""
    certainty = prediction.scores[prediction.pairs].prod(1)
    scores = certainty[:, None] * prediction.probabilities[:, :-1]
    if constrained:
        rows, predicates = np.arange(len(scores)), scores.argmax(1)
    else:
        rows, predicates = np.unravel_index(np.argsort(-scores, axis=None)[:100], scores.shape)
    triples = np.concatenate([prediction.pairs[rows], predicates[:, None]], 1)
    same = sgbench.match_instances(truth.boxes, truth.labels, prediction.boxes, prediction.labels)
    return sgbench.remap_triplets(same, triples)


def theirs(k: int, truth: GraphTruth, triples: np.ndarray, mean: bool = False):
    return sgbench.recall(k, mean, truth.relations, triples, PREDICATES)


def test_the_same_on_random_graphs() -> None:
    rng = np.random.default_rng(0)
    images = [random_image(rng) for _ in range(40)]
    zero_shot = [tuple(map(int, rng.integers(0, (LABELS, LABELS, PREDICATES)))) for _ in range(12)]
    recall = GraphRecall(PREDICATES, zero_shot, KS)
    rows = [recall.add_image(*image) for image in images]
    results = recall.results()
    for k in KS:
        means, unseen = [], []
        for (prediction, truth), row in zip(images, rows):
            assert row is not None
            triples = matched(prediction, truth)
            assert row.hits[k].mean() == pytest.approx(theirs(k, truth, triples))
            free = matched(prediction, truth, constrained=False)
            assert row.unconstrained[k].mean() == pytest.approx(theirs(k, truth, free))
            means.append(theirs(k, truth, triples, mean=True))
            if row.zero_shot.any():
                unseen.append(theirs(k, truth._replace(relations=truth.relations[row.zero_shot]), triples))
        assert results[k].mean_recall == pytest.approx(np.nanmean(means, 0).mean())
        assert results[k].zero_shot == pytest.approx(np.mean(unseen))
    assert 0 < results[5].recall < results[60].recall < results[60].unconstrained < 1
    assert len(unseen) > 10 and 0 < results[20].zero_shot < 1


def one_pair(
    relations: list[list[int]], boxes: np.ndarray, labels: list[int]
) -> tuple[GraphPrediction, GraphTruth]:
    """Boxes 0 and 1 are found, with predicate 2."""
    truth = GraphTruth(boxes, np.array(labels), np.array(relations))
    found = np.eye(PREDICATES + 1)[[2]]
    return GraphPrediction(boxes[:2], np.array(labels[:2]), np.ones(2), np.array([[0, 1]]), found), truth


SQUARES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [20, 0, 30, 9]], float)


def test_a_repeated_relation_counts_once_there() -> None:
    prediction, truth = one_pair([[0, 1, 2], [0, 1, 2], [1, 0, 3]], SQUARES[:2], [0, 1])
    recall = GraphRecall(PREDICATES, ks=(20,))
    recall.add_image(prediction, truth)
    assert recall.results()[20].recall == pytest.approx(2 / 3)
    assert theirs(20, truth, matched(prediction, truth)) == pytest.approx(1 / 2)


def test_a_box_stands_for_one_there() -> None:
    prediction, truth = one_pair([[0, 1, 2], [0, 2, 2]], SQUARES, [0, 1, 1])
    recall = GraphRecall(PREDICATES, ks=(20,))
    recall.add_image(prediction, truth)
    assert recall.results()[20].recall == 1
    assert theirs(20, truth, matched(prediction, truth)) == 0.5


def test_a_predicate_that_never_occurs_is_no_number_there() -> None:
    prediction, truth = one_pair([[0, 1, 2]], SQUARES[:2], [0, 1])
    recall = GraphRecall(PREDICATES, ks=(20,))
    recall.add_image(prediction, truth)
    assert recall.results()[20].mean_recall == pytest.approx(1 / PREDICATES)
    there = theirs(20, truth, matched(prediction, truth), mean=True)
    assert there[2] == 1 and np.isnan(np.delete(there, 2)).all()
