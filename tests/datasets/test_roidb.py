"""Records: queries, roles, masks and the draw of one predicate, against plain loops that do what the text
says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsg.datasets.records import ImageRecord, Vocabulary, ambiguous, annotated_pairs
from dsg.datasets.roidb import build_record, draw_predicates
from tests.datasets.files import BUS, CAT, DOG, OBJECTS, PREDICATES, mention, relation

VOCABULARY = Vocabulary(tuple(OBJECTS), tuple(PREDICATES))


def record_of(relationships: list[Any], vocabulary: Vocabulary = VOCABULARY, seed: int = 3) -> ImageRecord:
    def report(*fault: object) -> None:
        raise AssertionError(fault)

    rng = np.random.RandomState(seed)
    return build_record("a.jpg", Path("a.jpg"), (100, 80), relationships, vocabulary, rng, report)


def test_two_subjects_and_one_object_are_one_query() -> None:
    vocabulary = Vocabulary(tuple(map(str, range(100))), tuple(map(str, range(70))))
    first, second = (
        {"category": 4, "bbox": [146, 628, 696, 1022]},
        {"category": 4, "bbox": [41, 743, 179, 925]},
    )
    third = {"category": 4, "bbox": [163, 587, 2, 170]}
    relationships = [relation(first, 3, second), relation(third, 3, second)]
    rng = np.random.RandomState(3)
    record = build_record("a.jpg", Path("a"), (1024, 768), relationships, vocabulary, rng, print)
    assert record.queries.tolist() == [[4, 3, 4]]
    assert record.roles.tolist() == [[1, 2, 1]]
    assert (record.predicates >= 0).sum() == 2
    assert record.boxes.tolist() == [[696, 146, 1022, 628], [179, 41, 925, 743], [2, 163, 170, 587]]


def test_relations_to_oneself_are_kept_on_request() -> None:
    relationships = [
        relation(DOG, 0, CAT),
        relation(CAT, 1, CAT),
        relation(CAT, 0, DOG),
        relation(DOG, 0, DOG),
    ]
    rng = np.random.RandomState(3)
    kept = build_record("a", Path("a"), (100, 80), relationships, VOCABULARY, rng, print, keep_self=True)
    assert kept.queries.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]]
    assert kept.subject_masks.tolist() == [[True, False], [False, True], [False, True], [True, False]]
    assert kept.object_masks.tolist() == [[False, True], [False, True], [True, False], [True, False]]
    assert kept.roles.tolist() == [[1, 2], [3, 3], [2, 1], [3, 3]]  # as without them
    left_out = record_of(relationships)
    assert left_out.queries.tolist() == [[1, 0, 0], [0, 0, 1]] and left_out.roles.tolist() == [[1, 2], [2, 1]]


def test_types_and_shapes() -> None:
    record = record_of([relation(CAT, 1, DOG), relation(DOG, 0, BUS)])
    assert (record.boxes.dtype, record.boxes.shape) == (np.float32, (3, 4))
    for name, shape in (("entities", (3,)), ("predicates", (3, 3)), ("queries", (2, 3)), ("roles", (2, 3))):
        value = getattr(record, name)
        assert (value.dtype, value.shape) == (np.int32, shape), name
    for name in ("subject_masks", "object_masks"):
        assert (getattr(record, name).dtype, getattr(record, name).shape) == (bool, (2, 3))
    assert record.triples.dtype == np.int32
    assert record.triples.tolist() == [[0, 1, 1], [1, 0, 2]]


def test_no_relationships_give_empty_arrays() -> None:
    record = record_of([])
    assert record.boxes.shape == (0, 4)
    assert record.queries.shape == (0, 3)
    assert record.roles.shape == (0, 0)
    assert record.predicates.shape == (0, 0)
    assert ambiguous(record).shape == (0,) and annotated_pairs(record).shape == (0, 3)


def test_repeated_relationships_and_self_relations() -> None:
    record = record_of([relation(CAT, 1, DOG), relation(CAT, 1, DOG), relation(DOG, 0, DOG)])
    assert record.triples.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert record.queries.tolist() == [[0, 1, 1]]
    assert record.predicates.tolist() == [[-1, 1], [-1, 0]]


def random_relationships(rng: np.random.RandomState, count: int) -> list[Any]:
    boxes = [mention(int(rng.randint(2)), x, 5, x + 10, 40) for x in range(6)]
    return [relation(boxes[rng.randint(6)], int(rng.randint(3)), boxes[rng.randint(6)]) for _ in range(count)]


@pytest.mark.parametrize("seed", range(8))
def test_roles_against_loops(seed: int) -> None:
    record = record_of(random_relationships(np.random.RandomState(seed), 25))
    related = {tuple(row) for row in record.triples.tolist()}
    categories = record.entities.tolist()
    number = len(categories)
    pairs = {tuple(row) for row in annotated_pairs(record).tolist()}
    assert len(pairs) == len(annotated_pairs(record))
    for query, (s, r, o) in enumerate(record.queries.tolist()):
        roles = [3] * number
        subjects, objects = set(), set()
        for i in range(number):
            for j in range(number):
                if i != j and categories[i] == s and categories[j] == o and (i, r, j) in related:
                    roles[i], roles[j] = 1, 2
                    pairs.remove((query, i, j))
                    subjects.add(i)
                    objects.add(j)
        assert record.roles[query].tolist() == roles
        assert set(np.flatnonzero(record.subject_masks[query])) == subjects
        assert set(np.flatnonzero(record.object_masks[query])) == objects
        rivals = any(categories[k] == s and k not in subjects for k in range(number))
        rivals |= any(categories[k] == o and k not in objects for k in range(number))
        assert ambiguous(record)[query] == rivals
    assert not pairs


@pytest.mark.parametrize("seed", range(4))
def test_draws_are_those_of_choice_pair_by_pair(seed: int) -> None:
    record = record_of(random_relationships(np.random.RandomState(seed), 40))
    number, predicates = len(record.entities), 70
    related = np.zeros((number, number, predicates))
    related[record.triples[:, 0], record.triples[:, 2], record.triples[:, 1]] = 1
    rng = np.random.RandomState(seed)
    expected = np.full((number, number), -1)
    for i in range(number):
        for j in range(number):
            total = related[i, j].sum()
            if total == 1:
                expected[i, j] = related[i, j].argmax()
            elif total > 1:
                expected[i, j] = rng.choice(predicates, 1, p=related[i, j] / total)[0]
    drawn = draw_predicates(record.triples, number, np.random.RandomState(seed))
    np.testing.assert_array_equal(drawn, expected)
    assert (related.sum(axis=2) > 1).any()


def test_ambiguous_by_hand() -> None:
    other_cat = mention(0, 70, 40, 90, 60)
    plain = record_of([relation(CAT, 1, DOG)])
    rival = record_of([relation(CAT, 1, DOG), relation(other_cat, 0, DOG)])
    both = record_of([relation(CAT, 1, DOG), relation(other_cat, 1, DOG)])
    chain = record_of([relation(CAT, 1, other_cat)])  # each is the other side's rival
    assert ambiguous(plain).tolist() == [False]
    assert ambiguous(rival).tolist() == [True, True]
    assert ambiguous(both).tolist() == [False]
    assert ambiguous(chain).tolist() == [True]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 10, 20), (10, 10, 11, 20)),
        ((10, 30, 20, 30), (10, 30, 20, 31)),
        ((10.2, 10, 10.9, 20), (10.2, 10, 11.9, 20)),
        ((99, 10, 99, 20), (99, 10, 100, 20)),
        ((-3, -4, 20, 200), (-3, -4, 20, 200)),
    ],
)
def test_boxes_without_length_grow_and_those_over_the_rim_stay(box: tuple, expected: tuple) -> None:
    record = record_of([relation(CAT, 1, mention(1, *box))])
    np.testing.assert_array_equal(record.boxes[1], np.array(expected, np.float32))
