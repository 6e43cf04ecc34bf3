"""Queries in words."""

from __future__ import annotations

import pytest

from dsg.datasets.shapes_scene import OBJECTS, PREDICATES
from dsg.errors import UserError
from dsg.query_words import parse_query, query_ids, similar_names

RED_CUBE, BLUE_BALL = OBJECTS.index("red_metal_cube"), OBJECTS.index("blue_rubber_sphere")


def test_names_that_differ_in_little_mean_themselves() -> None:
    names = ["t-shirt", "t shirt", "man"]
    assert query_ids(("t shirt", "on", "man"), names, ["on"]) == (1, 0, 2)
    assert query_ids(("T_Shirt", "on", "man"), names, ["on"]) == (0, 0, 2)
    assert parse_query("t shirt, on, man", names, ["on"]) == (1, 0, 2)


@pytest.mark.parametrize(
    "text",
    [
        "red metal cube, left, blue rubber sphere",
        "red_metal_cube,left,blue_rubber_sphere",
        "  Red  metal-CUBE ,LEFT,  blue rubber_sphere ",
    ],
)
def test_spelling_of_names_is_free(text: str) -> None:
    assert parse_query(text, OBJECTS, PREDICATES) == (RED_CUBE, PREDICATES.index("left"), BLUE_BALL)


def test_every_name_means_itself() -> None:
    for index, name in enumerate(OBJECTS):
        assert parse_query(f"{name}, {PREDICATES[0]}, {name}", OBJECTS, PREDICATES) == (index, 0, index)


@pytest.mark.parametrize("text", ["", "red metal cube left blue rubber sphere", "a, b", "a, b, c, d", "a,,c"])
def test_not_three_names(text: str) -> None:
    with pytest.raises(UserError, match=r"commas between them, for example 'blue metal cube, behind, yellow"):
        parse_query(text, OBJECTS, PREDICATES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "red metl cube, left, blue rubber sphere",
            "unknown category 'red metl cube'; did you mean 'red metal cube'",
        ),
        ("cube red metal, left, blue rubber sphere", "did you mean 'red metal cube'"),
        ("red cube, left, blue rubber sphere", r"did you mean 'red metal cube' or 'red rubber cube'\?"),
        ("red metal cube, lefft, blue rubber sphere", "unknown predicate 'lefft'; did you mean 'left'"),
        ("red metal cube, under, blue rubber sphere", "the 4 known ones: behind, front, left, right$"),
        ("xyz, left, blue rubber sphere", "the 48 known ones: blue metal cube, .*, [.]{3}$"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_query(text, OBJECTS, PREDICATES)


def test_similar_names_are_few_and_different() -> None:
    assert similar_names("cube", OBJECTS, 3) == ["blue_metal_cube", "blue_rubber_cube", "brown_metal_cube"]
    assert similar_names("qqqq", OBJECTS) == []
