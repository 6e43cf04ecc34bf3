"""Which boxes answer a query: by the roles that a classifier gives them, or by matching a labelled graph.

Matching is the second of the paper's TWO STEP: the graph's likeliest labels are facts, the query is looked up
among them, and where no fact fits, the most probable pair is the answer. Symbols: Q queries, N boxes, E
categories, R predicates.
"""

from __future__ import annotations

import numpy as np

from dsg.config import Config
from dsg.metrics.role_iou import OBJECT, SUBJECT, answer_boxes

Sets = tuple[np.ndarray, np.ndarray]
"""Subjects and objects, bool [Q, N] each."""


def answer_sets(
    queries: np.ndarray,
    probabilities: np.ndarray | None,
    entities: np.ndarray | None,
    predicates: np.ndarray | None,
    config: Config,
) -> Sets:
    """The boxes that answer each query about one image, as `config` reads them off the model's output.

    Args:
        queries: int [Q, 3].
        probabilities: [Q, N, 4] of the roles; None with RR_SOURCE symbolic.
        entities: [N, E]; read with RR_SOURCE symbolic only.
        predicates: [N, N, R], subject first; read with RR_SOURCE symbolic only.
        config: RR_SOURCE, TEST.ALWAYS_INCLUDE_BEST, TEST.TWO_STEP_TOPK.
    """
    if config.rr_source == "symbolic":
        assert entities is not None and predicates is not None
        return symbolic_sets(entities, predicates, queries, topk=config.test.two_step_topk)
    assert probabilities is not None
    policy = "always" if config.test.always_include_best else "if_empty"
    subjects, objects = (
        answer_boxes(probabilities, role, argmax_policy=policy) for role in (SUBJECT, OBJECT)
    )
    return subjects, objects


def symbolic_sets(
    entities: np.ndarray, predicates: np.ndarray, queries: np.ndarray, *, topk: int = 0
) -> Sets:
    """The boxes of the pairs that the labelled graph calls <s, r, o>; if there are none, the single pair
    of largest p(s | i) p(r | i, j) p(o | j), the first of equals.

    Args:
        entities: [N, E] probabilities.
        predicates: [N, N, R], [i, j] for subject i and object j.
        queries: int [Q, 3].
        topk: only so many relations, those of largest probability, are facts; 0: all. The pair that is taken
            where no fact fits is chosen among all.

    Returns:
        Subjects and objects, bool [Q, N] each; a box may be both. Empty where there are not two boxes.

    Example:
        >>> cat_on_mat = np.eye(2)[[0, 1]], np.ones((2, 2, 1))
        >>> symbolic_sets(*cat_on_mat, np.array([[0, 0, 1]]))
        (array([[ True, False]]), array([[False,  True]]))
    """
    queries = np.asarray(queries, np.int64).reshape(-1, 3)
    count = len(entities)
    if count < 2:
        nothing = np.zeros((len(queries), count), bool)
        return nothing, nothing.copy()
    pair = ~np.eye(count, dtype=bool)
    fact = pair & _surest(predicates.max(axis=2), pair, topk)
    label, relation = entities.argmax(axis=1), predicates.argmax(axis=2)
    subject, predicate, object_ = queries.T[:, :, None]
    is_subject, is_object = label == subject, label == object_  # [Q, N]
    fits = is_subject[:, :, None] & is_object[:, None, :] & (relation == predicate[:, :, None]) & fact
    for query in np.flatnonzero(~fits.any(axis=(1, 2))):
        s, r, o = queries[query]
        score = entities[:, s, None].astype(np.float64) * predicates[:, :, r] * entities[None, :, o]
        fits[query].flat[np.where(pair, score, -1.0).argmax()] = True
    return fits.any(axis=2), fits.any(axis=1)


def _surest(score: np.ndarray, pair: np.ndarray, topk: int) -> np.ndarray:
    """The `topk` pairs of largest score, bool [N, N]; all for 0."""
    if not topk:
        return pair
    order = np.argsort(-np.where(pair, score, -1.0), axis=None, kind="stable")[:topk]
    chosen = np.zeros(score.size, bool)
    chosen[order] = True
    return chosen.reshape(score.shape)
