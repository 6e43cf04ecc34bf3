"""Which ordered pairs of boxes a step learns relations from, and which are asked for in a test: NumPy.

N boxes of an image, T annotated relations (subject row, object row, predicate), R predicates; predicate R is
the background. Random choices come from a generator with NumPy's `permutation` and `choice`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou

PLACEHOLDER = np.zeros((1, 2), np.int32)
"""Where no pair is left: the first box with itself."""


class PairSettings(NamedTuple):
    """How many pairs of an image, and of which kind."""

    predicates: int = 50
    pairs: int = 64
    related_share: float = 0.25  # of the pairs at most
    matches: int = 4  # of boxes with the two boxes of one relation, at most
    threshold: float = 0.5  # IoU above which a box matches an annotated one
    released: bool = False  # the release's two slips, see `sample_detected_pairs`

    @property
    def related(self) -> int:
        """Related pairs of an image at most."""
        return int(self.pairs * self.related_share)


class PairSample(NamedTuple):
    """Pairs to learn from, related ones first."""

    pairs: np.ndarray  # int32 [P, 2]
    predicates: np.ndarray  # int32 [P]
    related: np.ndarray  # float32 [N, N]: 1 for every annotated pair, both ways


class ProposalSample(NamedTuple):
    """Boxes of an image that a step of SGDet detects in, objects first."""

    boxes: np.ndarray  # float32 [S, 4]
    labels: np.ndarray  # int32 [S]: of the annotated box that each matches, else the background
    matches: np.ndarray  # int32 [S]: row of that box; 0 for the background


def sample_proposals(
    boxes: np.ndarray,
    true_boxes: np.ndarray,
    true_labels: np.ndarray,
    *,
    count: int = 512,
    share: float = 0.25,
    threshold: float = 0.5,
    background: int,
    rng: Any,
) -> ProposalSample:
    """At most `count` boxes, at most `share` of them objects.

    Args:
        boxes: float32 [N, 4], the annotated ones among them.
        true_boxes: float32 [G, 4].
        true_labels: int [G].
        count: boxes at most.
        share: of objects at most.
        threshold: IoU from which a box is an object.
        background: the label of other boxes.
        rng: draws among objects, then among other boxes.
    """
    overlaps = iou(true_boxes, boxes, inclusive=False)
    best = overlaps.max(0) if len(true_boxes) else np.zeros(len(boxes))
    match = overlaps.argmax(0) if len(true_boxes) else np.zeros(len(boxes), np.int64)
    objects, others = np.flatnonzero(best >= threshold), np.flatnonzero(best < threshold)
    objects = objects[rng.permutation(len(objects))[: int(count * share)]]
    others = others[rng.permutation(len(others))[: count - len(objects)]]
    rows = np.concatenate([objects, others])
    labels = np.full(len(rows), background, np.int32)
    matches = np.zeros(len(rows), np.int32)
    matches[: len(objects)] = match[objects]
    labels[: len(objects)] = np.asarray(true_labels)[matches[: len(objects)]]
    return ProposalSample(boxes[rows].astype(np.float32), labels, matches)


def sample_annotated_pairs(count: int, relations: np.ndarray, settings: PairSettings, rng: Any) -> PairSample:
    """Pairs of the annotated boxes themselves (PredCls, SGCls).

    Args:
        count: boxes.
        relations: int [T, 3].
        settings: numbers.
        rng: draws among the relations if there are too many, then among the other pairs.
    """
    related = _symmetric(count, relations[:, :2])
    free = ~np.eye(count, dtype=bool)
    free[relations[:, 0], relations[:, 1]] = False
    if len(relations) > settings.related:
        relations = relations[rng.permutation(len(relations))[: settings.related]]
    return _with_background(relations, free, related, settings, rng)


def sample_detected_pairs(
    boxes: np.ndarray,
    labels: np.ndarray,
    true_boxes: np.ndarray,
    true_labels: np.ndarray,
    relations: np.ndarray,
    settings: PairSettings,
    rng: Any,
    *,
    background: int,
) -> PairSample:
    """Pairs of detected boxes (SGDet).

    A box matches an annotated one of its label with enough overlap; each relation gives the combinations of
    its matches, some of them drawn in proportion to the product of their IoUs. Other pairs are background if
    their boxes overlap without being identical. Of several predicates of a pair the last one holds.

    With `settings.released`, predicate 0 counts as no relation, and boxes of the label that has the number of
    predicates are in no pair: both come from a change of numbering.

    Args:
        boxes: float32 [N, 4].
        labels: int [N]; `background` where a box is none.
        true_boxes: float32 [G, 4].
        true_labels: int [G].
        relations: int [T, 3], rows of the annotated boxes.
        settings: numbers.
        rng: draws among matches, related pairs, background.
        background: the label of the background.
    """
    overlaps = iou(true_boxes, boxes, inclusive=False)
    match = (overlaps > settings.threshold) & (true_labels[:, None] == labels[None])
    own = iou(boxes, boxes, inclusive=False)
    free = (own > 0) & (own < 1) & ~np.eye(len(boxes), dtype=bool)
    left_out = labels == (settings.predicates if settings.released else background)
    free[left_out] = False
    free[:, left_out] = False
    chosen, all_matches = [np.zeros((0, 3), np.int64)], [np.zeros((0, 2), np.int64)]
    for subject, object_, predicate in _last_predicates(relations, settings.released):
        pairs = np.argwhere(match[subject][:, None] & match[object_][None])
        all_matches.append(pairs)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        free[pairs[:, 0], pairs[:, 1]] = False
        if len(pairs) > settings.matches:
            weights = overlaps[subject, pairs[:, 0]] * overlaps[object_, pairs[:, 1]]
            rows = rng.choice(len(pairs), size=settings.matches, replace=False, p=weights / weights.sum())
            pairs = pairs[rows]
        chosen.append(np.concatenate([pairs, np.full((len(pairs), 1), predicate)], 1))
    triples = np.concatenate(chosen)
    if len(triples) > settings.related:
        triples = triples[rng.permutation(len(triples))[: settings.related]]
    related = _symmetric(len(boxes), np.concatenate(all_matches))
    return _with_background(triples, free, related, settings, rng)


def test_pairs(boxes: np.ndarray, *, overlapping: bool) -> np.ndarray:
    """Every ordered pair of different boxes, with `overlapping` (SGDet) only those that overlap: int32
    [P, 2] by rows; the placeholder if none is left.
    """
    wanted = ~np.eye(len(boxes), dtype=bool)
    if overlapping:
        wanted &= iou(boxes, boxes, inclusive=False) > 0
    pairs = np.argwhere(wanted).astype(np.int32)
    return pairs if len(pairs) else PLACEHOLDER


test_pairs.__test__ = False  # type: ignore[attr-defined]  # of a test, not one


def _last_predicates(relations: np.ndarray, released: bool) -> list[tuple[int, int, int]]:
    """One relation a pair, by rows."""
    last = {(subject, object_): predicate for subject, object_, predicate in relations.tolist()}
    return [(*pair, last[pair]) for pair in sorted(last) if last[pair] or not released]


def _symmetric(count: int, pairs: np.ndarray) -> np.ndarray:
    related = np.zeros((count, count), np.float32)
    related[pairs[:, 0], pairs[:, 1]] = 1.0
    related[pairs[:, 1], pairs[:, 0]] = 1.0
    return related


def _with_background(
    triples: np.ndarray, free: np.ndarray, related: np.ndarray, settings: PairSettings, rng: Any
) -> PairSample:
    candidates = np.argwhere(free)
    others = candidates[rng.permutation(len(candidates))[: settings.pairs - len(triples)]]
    if not len(triples) and not len(others):
        return PairSample(PLACEHOLDER, np.zeros(1, np.int32), related)
    pairs = np.concatenate([triples[:, :2], others])
    predicates = np.concatenate([triples[:, 2], np.full(len(others), settings.predicates)])
    return PairSample(pairs.astype(np.int32), predicates.astype(np.int32), related)
