"""Queries in words, such as `red metal cube, left, blue rubber sphere`, as the integers that a model takes.

Spaces, underscores, hyphens, capitals, a name's own commas and full-width characters make no difference; for
an unknown name, the message suggests similar names.
"""

from __future__ import annotations

import difflib
import numbers
import unicodedata
from collections.abc import Sequence

from dsg.errors import UserError
from dsg.runtime.words import COMMAS, plain

SUGGESTIONS = 4
Query = tuple[int, int, int]


def parse_query(text: str, objects: Sequence[str], predicates: Sequence[str]) -> Query:
    """Subject category, predicate and object category of a query in words.

    Args:
        text: three names, commas between them; a name's own commas may stay or be left out.
        objects: names of the categories; the position of a name is its index.
        predicates: names of the predicates.

    Raises:
        UserError: there are not three names; a name is unknown, and the message suggests similar ones; or
            there are more commas and several ways to read them.

    Example:
        >>> parse_query("Cat, left of, grey dog", ["cat", "grey_dog"], ["left_of", "on"])
        (0, 0, 1)
    """
    parts = [part.strip() for part in COMMAS.split(unicodedata.normalize("NFKC", text))]
    found = _readings(parts, objects, predicates)
    if not found:
        example = ", ".join(spoken(name) for name in (objects[0], predicates[0], objects[-1]))
        raise UserError(
            f"query {text!r}: a query is a subject, a predicate and an object with commas between them, "
            f"for example {example!r}"
        )
    if len(found) > 1:
        ways = " or ".join(" ".join(map(repr, way)) for way in found)
        raise UserError(f"query {text!r}: can mean {ways}; leave out the commas within names")
    return query_ids(found[0], objects, predicates, text)


def query_ids(
    query: Sequence[str | int], objects: Sequence[str], predicates: Sequence[str], text: str = ""
) -> Query:
    """The integers of a query whose parts are names or integers already.

    Args:
        query: subject category, predicate, object category.
        objects: names of the categories.
        predicates: names of the predicates.
        text: the query as it was written, for messages.

    Raises:
        UserError: a name is unknown, or an integer is not among those of the vocabulary.

    Example:
        >>> query_ids(("cat", 0, 1), ["cat", "grey_dog"], ["left_of", "on"])
        (0, 0, 1)
    """
    text = text or ", ".join(map(str, query))
    if len(query) != 3:
        raise UserError(f"query {text!r}: a query has a subject, a predicate and an object")
    subject, predicate, object_ = query
    return (
        _find(subject, objects, "category", text),
        _find(predicate, predicates, "predicate", text),
        _find(object_, objects, "category", text),
    )


def similar_names(name: str, names: Sequence[str], count: int = SUGGESTIONS) -> list[str]:
    """Up to `count` of `names` that someone may have meant by `name`: those that contain all of its words or,
    if there are none, those with a similar spelling.

    Example:
        >>> similar_names("cube red", ["red_metal_cube", "red_ball", "red_rubber_cube"])
        ['red_metal_cube', 'red_rubber_cube']
    """
    words = set(plain(name).split())
    having_all = [other for other in names if words <= set(plain(other).split())]
    by_spelling = {plain(other): other for other in reversed(names)}
    alike = difflib.get_close_matches(plain(name), by_spelling, n=count, cutoff=0.6)
    return (having_all or [by_spelling[key] for key in alike])[:count]


def spoken(name: str) -> str:
    """A name of the vocabulary for display: spaces instead of underscores."""
    return name.replace("_", " ")


def _readings(
    parts: Sequence[str], objects: Sequence[str], predicates: Sequence[str]
) -> list[tuple[str, str, str]]:
    """All ways to join parts of a text, commas between them, into three known names. Three parts are taken as
    they are: `query_ids` tells which is unknown.
    """
    if not all(map(plain, parts)):
        return []
    if len(parts) == 3:
        return [(parts[0], parts[1], parts[2])]
    categories, relations = set(map(plain, objects)), set(map(plain, predicates))
    most = max(len(name.split()) for name in categories)  # parts that a category may have

    def joined(start: int, end: int) -> str:
        return ", ".join(parts[start:end])

    count = len(parts)
    subjects = [end for end in range(1, min(most, count) + 1) if plain(joined(0, end)) in categories]
    others = [
        start for start in range(max(count - most, 1), count) if plain(joined(start, count)) in categories
    ]
    return [
        (joined(0, end), joined(end, start), joined(start, count))
        for end in subjects
        for start in others
        if plain(joined(end, start)) in relations
    ]


def _find(name: str | int, names: Sequence[str], kind: str, query: str) -> int:
    """The index of a name, or the index given."""
    if not isinstance(name, str):
        if isinstance(name, bool) or not isinstance(name, numbers.Integral):
            raise UserError(f"query {query!r}: {name!r} is neither the name nor the number of a {kind}")
        if not 0 <= name < len(names):
            raise UserError(f"query {query!r}: no {kind} {name}; the numbers go from 0 to {len(names) - 1}")
        return int(name)
    if name in names:  # another may differ from it in what makes no difference else
        return names.index(name)
    for index, other in enumerate(names):
        if plain(other) == plain(name):
            return index
    near = similar_names(name, names)
    hint = f"did you mean {' or '.join(repr(spoken(other)) for other in near)}?"
    if not near:
        shown = ", ".join(map(spoken, names[:10])) + (", ..." if len(names) > 10 else "")
        hint = f"the {len(names)} known names: {shown}"
    raise UserError(f"query {query!r}: unknown {kind} {name.strip()!r}; {hint}")
