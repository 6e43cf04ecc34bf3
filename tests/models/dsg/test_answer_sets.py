"""Answers read off a labelled graph: the paper's TWO STEP reasoning."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.config import load_config
from dsg.models.dsg.answer_sets import answer_sets, symbolic_sets

CAT, MAT, ON, UNDER = 0, 1, 0, 1


def labels(categories: list[int], sure: float = 0.9) -> np.ndarray:
    """[N, 2] probabilities with those argmaxes."""
    return np.where(np.eye(2, dtype=bool)[categories], sure, 1 - sure).astype(np.float32)


def relations(count: int, pairs: dict[tuple[int, int], float]) -> np.ndarray:
    """[N, N, 2]: ON with that probability for the pairs, UNDER is surer elsewhere."""
    on = np.full((count, count), 0.2, np.float32)
    for pair, probability in pairs.items():
        on[pair] = probability
    return np.stack([on, 1 - on], -1)


def test_a_single_fact_is_the_answer():
    subjects, objects = symbolic_sets(
        labels([CAT, MAT, CAT]), relations(3, {(0, 1): 0.8}), np.array([[CAT, ON, MAT]])
    )
    np.testing.assert_array_equal(subjects, [[True, False, False]])
    np.testing.assert_array_equal(objects, [[False, True, False]])


def test_all_facts_answer_together_and_a_box_may_have_both_roles():
    subjects, objects = symbolic_sets(
        labels([CAT, CAT, CAT]),
        relations(3, {(0, 1): 0.8, (1, 2): 0.7, (2, 2): 1.0}),
        np.array([[CAT, ON, CAT]]),
    )
    np.testing.assert_array_equal(subjects, [[True, True, False]])
    np.testing.assert_array_equal(objects, [[False, True, True]])


def test_without_a_fact_the_likeliest_pair_is_taken():
    entities = labels([CAT, CAT, CAT])
    entities[2] = [0.6, 0.4]  # no mat, but this looks most like one
    found = symbolic_sets(
        entities, relations(3, {(0, 2): 0.6, (1, 2): 0.7, (2, 2): 1.0}), np.array([[CAT, ON, MAT]])
    )
    np.testing.assert_array_equal(found[0], [[False, True, False]])
    np.testing.assert_array_equal(found[1], [[False, False, True]])


def test_only_the_surest_relations_are_facts():
    entities, predicates = labels([CAT, MAT, MAT]), relations(3, {(0, 1): 0.95, (0, 2): 0.85})
    query = np.array([[CAT, ON, MAT]])
    assert symbolic_sets(entities, predicates, query)[1].tolist() == [[False, True, True]]
    assert symbolic_sets(entities, predicates, query, topk=1)[1].tolist() == [[False, True, False]]
    assert symbolic_sets(entities, predicates, query, topk=2)[1].tolist() == [[False, True, True]]
    # where no sure relation fits, all pairs are looked at
    assert symbolic_sets(entities, predicates, np.array([[MAT, UNDER, CAT]]), topk=1)[0].any()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_boxes_have_no_relation(count):
    subjects, objects = symbolic_sets(
        np.ones((count, 2)), np.ones((count, count, 2)), np.zeros((3, 3), np.int64)
    )
    assert subjects.shape == objects.shape == (3, count)
    assert not subjects.any() and not objects.any()


def test_against_the_rule_written_as_loops():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(2, 6))
        entities, predicates = rng.dirichlet(np.ones(3), n), rng.dirichlet(np.ones(2), (n, n))
        queries = rng.integers(0, [3, 2, 3], (5, 3))
        subjects, objects = symbolic_sets(entities, predicates, queries)
        for q, (s, r, o) in enumerate(queries):
            pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
            chosen = [
                (i, j)
                for i, j in pairs
                if (entities[i].argmax(), predicates[i, j].argmax(), entities[j].argmax()) == (s, r, o)
            ] or [max(pairs, key=lambda p: entities[p[0], s] * predicates[p][r] * entities[p[1], o])]
            assert set(np.flatnonzero(subjects[q])) == {i for i, _ in chosen}
            assert set(np.flatnonzero(objects[q])) == {j for _, j in chosen}


def test_the_configuration_says_which_rule_answers():
    entities, predicates, query = labels([CAT, MAT]), relations(2, {(0, 1): 0.8}), np.array([[CAT, ON, MAT]])
    roles = np.array([[[0.1, 0.2, 0.6, 0.1], [0.4, 0.3, 0.2, 0.1]]], np.float32)
    symbolic = answer_sets(query, None, entities, predicates, load_config(overrides=["VARIANT", "two_step"]))
    assert (symbolic[0].tolist(), symbolic[1].tolist()) == ([[True, False]], [[False, True]])
    surest = load_config(overrides=["VARIANT", "two_step", "TEST.TWO_STEP_TOPK", "1"])
    limited = answer_sets(query, None, entities, predicates, surest)
    for one, other in zip(limited, symbolic_sets(entities, predicates, query, topk=1)):
        np.testing.assert_array_equal(one, other)
    released = answer_sets(query, roles, None, None, load_config())
    assert (released[0].tolist(), released[1].tolist()) == ([[False, True]], [[True, False]])
    config = load_config(overrides=["TEST.ALWAYS_INCLUDE_BEST", "False"])
    roles[0, 0] = [0.1, 0.5, 0.3, 0.1]
    assert answer_sets(query, roles, None, None, config)[0].tolist() == [[True, False]]
