"""Queries in words."""

from __future__ import annotations

import pytest

from dsg.datasets.shapes.scene import OBJECTS, PREDICATES
from dsg.errors import UserError
from dsg.models.dsg.query_words import parse_query, query_ids, similar_names

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
        ("red metal cube, under, blue rubber sphere", "the 4 known names: behind, front, left, right$"),
        ("xyz, left, blue rubber sphere", "the 48 known names: blue metal cube, .*, [.]{3}$"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_query(text, OBJECTS, PREDICATES)


@pytest.mark.parametrize(
    "text",
    [
        "building, edifice, next to, by, tree",
        "Building,edifice,next-to,by,tree",
        "building edifice, next to by, tree",
        "building, edifice, next to by, tree",
    ],
)
def test_names_may_have_commas(text: str) -> None:
    assert parse_query(text, ["building, edifice", "tree"], ["on", "next_to, by"]) == (0, 1, 1)


def test_the_example_can_be_asked_for() -> None:
    objects, predicates = ["building, edifice", "tree"], ["next to"]
    with pytest.raises(UserError) as caught:
        parse_query("building, edifice, tree, next to", objects, predicates)
    example = str(caught.value).split("for example ")[1].strip("'")
    assert parse_query(example, objects, predicates) == (0, 0, 1)


def test_commas_that_can_be_read_in_several_ways() -> None:
    objects, predicates = ["building", "building, edifice", "tree"], ["next to", "edifice, next to"]
    with pytest.raises(UserError) as caught:
        parse_query("building, edifice, next to, tree", objects, predicates)
    assert str(caught.value) == (
        "query 'building, edifice, next to, tree': can mean 'building' 'edifice, next to' 'tree' or "
        "'building, edifice' 'next to' 'tree'; leave out the commas within names"
    )
    assert parse_query("building edifice, next to, tree", objects, predicates) == (1, 0, 2)
    assert parse_query("building, edifice next to, tree", objects, predicates) == (0, 1, 2)


def test_names_that_differ_in_commas_mean_themselves() -> None:
    names = ["t shirt", "t, shirt", "man"]
    assert parse_query("man, on, t shirt", names, ["on"]) == (2, 0, 0)
    assert parse_query("t, shirt, on, t, shirt", names, ["on"]) == (1, 0, 1)


def test_many_commas_are_refused_at_once() -> None:
    with pytest.raises(UserError, match="commas between them"):
        parse_query("building, " * 3000, ["building, edifice", "tree"], ["next to"])


def test_similar_names_are_few_and_different() -> None:
    assert similar_names("cube", OBJECTS, 3) == ["blue_metal_cube", "blue_rubber_cube", "brown_metal_cube"]
    assert similar_names("qqqq", OBJECTS) == []
