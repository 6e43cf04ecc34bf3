"""Recall of scene graphs: R@K, ng-R@K, mR@K and zsR@K, in NumPy.

A true relation is hit if one of the best K predicted triples has its three labels and its two boxes, each
with IoU >= 0.5 (widths are x2 - x1). Every true relation counts, repeated ones too, and one triple may hit
several. Images without relations are left out of every mean.

Predicates are numbered from 0, the background comes last. B boxes, T true relations, P pairs of predicted
boxes, R predicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou

KS = (20, 50, 100)
UNCONSTRAINED_LIMIT = 100  # triples an image without the graph constraint


class GraphTruth(NamedTuple):
    """The annotated graph of an image."""

    boxes: np.ndarray  # [B, 4]: x1 y1 x2 y2
    labels: np.ndarray  # int [B]
    relations: np.ndarray  # int [T, 3]: subject row, object row, predicate


class GraphPrediction(NamedTuple):
    """The predicted graph of an image, in the coordinates of the truth."""

    boxes: np.ndarray  # [B', 4]
    labels: np.ndarray  # int [B']
    scores: np.ndarray  # [B']: of the labels; 1 where labels are given
    pairs: np.ndarray  # int [P, 2]: subject row, object row; the best triple first
    probabilities: np.ndarray  # [P, R + 1]: of the predicates


class ImageRecall(NamedTuple):
    """What was hit in an image that has relations."""

    predicates: np.ndarray  # int [T]: of its relations
    zero_shot: np.ndarray  # bool [T]: relations whose triple of labels never occurs in training
    hits: dict[int, np.ndarray]  # K -> bool [T], one predicate a pair
    unconstrained: dict[int, np.ndarray]  # K -> bool [T], every predicate of every pair


class Recall(NamedTuple):
    """The figures of a split for one K; NaN where nothing is to be found."""

    recall: float  # R@K
    unconstrained: float  # ng-R@K
    mean_recall: float  # mR@K
    mean_recall_released: float  # mR@K as the release prints it, see `per_predicate_released`
    zero_shot: float  # zsR@K
    per_predicate: np.ndarray  # float64 [R]: recall of each predicate, 0 where it never occurs


class GraphRecall:
    """Adds up the recall of a split, image by image.

    Args:
        predicates: how many there are, R.
        zero_shot: int [Z, 3], triples (subject label, object label, predicate) that never occur in training.

    Example:

        recall = GraphRecall(50)
        for truth, prediction in images:
            recall.add_image(prediction, truth)
        recall.results()[20].mean_recall
    """

    def __init__(
        self, predicates: int, zero_shot: Iterable[Sequence[int]] = (), ks: Sequence[int] = KS
    ) -> None:
        self._predicates, self._ks = predicates, tuple(ks)
        self._zero_shot = {tuple(int(number) for number in triple) for triple in zero_shot}
        self.images: list[ImageRecall] = []

    def add_image(self, prediction: GraphPrediction, truth: GraphTruth) -> ImageRecall | None:
        """The hits of an image; None, and nothing is counted, if it has no relations."""
        if len(truth.relations) == 0:
            return None
        triples = _label_triples(truth)
        image = ImageRecall(
            truth.relations[:, 2],
            np.array([tuple(triple) in self._zero_shot for triple in triples.tolist()], bool),
            self._rows(triple_hits(prediction, truth), len(truth.relations)),
            self._rows(unconstrained_hits(prediction, truth), len(truth.relations)),
        )
        self.images.append(image)
        return image

    def results(self) -> dict[int, Recall]:
        """The figures by K."""
        return {k: self._result(k) for k in self._ks}

    def _rows(self, hits: np.ndarray, relations: int) -> dict[int, np.ndarray]:
        rows = {}
        for k in self._ks:
            rows[k] = np.zeros(relations, bool)
            rows[k][hits[hits[:, 0] < k, 1]] = True
        return rows

    def _result(self, k: int) -> Recall:
        hits = [image.hits[k] for image in self.images]
        zero_shot = [
            (rows & image.zero_shot).sum() / image.zero_shot.sum()
            for image, rows in zip(self.images, hits)
            if image.zero_shot.any()
        ]
        fixed = self.per_predicate(k)
        return Recall(
            _mean([rows.mean() for rows in hits]),
            _mean([image.unconstrained[k].mean() for image in self.images]),
            float(fixed.mean()) if self.images else np.nan,
            float(self.per_predicate_released(k).mean()) if self.images else np.nan,
            _mean(zero_shot),
            fixed,
        )

    def per_predicate(self, k: int) -> np.ndarray:
        """Recall of each predicate, the mean over the images that have it: float64 [R], 0 where none has."""
        return self._per_predicate(k, released=False)

    def per_predicate_released(self, k: int) -> np.ndarray:
        """`per_predicate` as the release computes it: predicate 0 also gets every relation of every image,
        because there the numbers from which the code was adapted kept 0 for the total.
        """
        return self._per_predicate(k, released=True)

    def _per_predicate(self, k: int, *, released: bool) -> np.ndarray:
        recalls: list[list[float]] = [[] for _ in range(self._predicates)]
        for image in self.images:
            counts = np.bincount(image.predicates, minlength=self._predicates)
            found = np.bincount(image.predicates[image.hits[k]], minlength=self._predicates)
            if released:
                counts[0] += len(image.predicates)
                found[0] += image.hits[k].sum()
            for predicate in np.flatnonzero(counts):
                recalls[predicate].append(found[predicate] / counts[predicate])
        return np.array([np.mean(values) if values else 0.0 for values in recalls])


def triple_hits(prediction: GraphPrediction, truth: GraphTruth) -> np.ndarray:
    """Which triple hits which relation, one predicate a pair (its most probable): int [H, 2] of rank and row
    of the relation, by rank.
    """
    predicates = prediction.probabilities[:, :-1].argmax(1)
    return _hits(prediction, truth, prediction.pairs, predicates)


def unconstrained_hits(
    prediction: GraphPrediction, truth: GraphTruth, limit: int = UNCONSTRAINED_LIMIT
) -> np.ndarray:
    """`triple_hits` of the `limit` best triples among all predicates of all pairs."""
    subjects, objects = prediction.pairs[:, 0], prediction.pairs[:, 1]
    certainty = prediction.scores[subjects] * prediction.scores[objects]
    scores = certainty[:, None] * prediction.probabilities[:, :-1]
    best = np.argsort(-scores, axis=None, kind="stable")[:limit]
    rows, predicates = np.unravel_index(best, scores.shape)
    return _hits(prediction, truth, prediction.pairs[rows], predicates)


def _hits(
    prediction: GraphPrediction, truth: GraphTruth, pairs: np.ndarray, predicates: np.ndarray
) -> np.ndarray:
    if not len(truth.relations) or not len(pairs):
        return np.zeros((0, 2), np.int64)
    close = iou(prediction.boxes, truth.boxes, inclusive=False) >= 0.5  # [B', B]
    same = close & (prediction.labels[:, None] == truth.labels[None])
    subjects, objects = truth.relations[:, 0], truth.relations[:, 1]
    hits = same[pairs[:, :1], subjects[None]] & same[pairs[:, 1:], objects[None]]
    return np.argwhere(hits & (predicates[:, None] == truth.relations[None, :, 2]))


def _label_triples(truth: GraphTruth) -> np.ndarray:
    subjects, objects, predicates = truth.relations.T
    return np.stack([truth.labels[subjects], truth.labels[objects], predicates], 1)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else np.nan
