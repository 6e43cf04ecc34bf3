"""Checks of single relationships: what is not of the format stops the loader, what is invalid is left out
and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.runtime.text import json_kind

LIMIT = 1_000_000_000  # pixels: coordinates and sides are below
Report = Callable[[str, int, str], None]  # reason, position of the relationship in its image, detail


def sound_relationships(
    image: str,
    size: tuple[int, int] | None,
    relationships: list[Any],
    vocabulary: Vocabulary,
    report: Report,
    source: str,
) -> tuple[list[int], list[dict[str, Any]]]:
    """The relationships without fault: their predicates, and their entities, subject before object, two for
    each.

    Args:
        size: width and height of the image; None admits boxes wholly outside it.
        report: called for each relationship that is left out.
        source: name of the file, for messages.

    Raises:
        UserError: a relationship is not of the format; the message names file, image and relationship.
    """
    try:
        predicates = [relationship["predicate"] for relationship in relationships]
        mentions = [relationship[role] for relationship in relationships for role in ("subject", "object")]
        well_formed = all(type(predicate) is int for predicate in predicates)
    except (TypeError, KeyError, IndexError):
        well_formed = False
    if not well_formed or any(_entity_fault(mention) for mention in mentions):
        raise _format_error(image, relationships, source)

    problems = [_entity_problem(mention, size, vocabulary) for mention in mentions]
    known = len(vocabulary.predicates)
    if not any(problems) and all(0 <= predicate < known for predicate in predicates):
        return predicates, mentions
    kept = []
    for position, predicate in enumerate(predicates):
        problem = problems[2 * position] or problems[2 * position + 1]
        if problem is None and not 0 <= predicate < known:
            problem = "predicate out of range", f"{predicate}, predicates.json has 0 to {known - 1}"
        if problem is None:
            kept.append(position)
        else:
            report(problem[0], position, problem[1])
    return [predicates[position] for position in kept], [
        mention for position in kept for mention in mentions[2 * position : 2 * position + 2]
    ]


def is_whole(value: Any) -> bool:
    """Whether a JSON value is an integer; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _format_error(image: str, relationships: list[Any], source: str) -> UserError:
    faults = ((position, format_fault(relationship)) for position, relationship in enumerate(relationships))
    position, fault = next((position, fault) for position, fault in faults if fault)
    return UserError(
        f"{source}: image {image!r}, relationship {position}: {fault}; see the format in data/README.md"
    )


def format_fault(relationship: Any) -> str | None:
    """What about one relationship is not of the format, in words, or None."""
    if not isinstance(relationship, dict):
        return f"a JSON {json_kind(relationship)}, not a relationship"
    for key in ("subject", "predicate", "object"):
        if key not in relationship:
            return f"no {key!r}"
    if not is_whole(relationship["predicate"]):
        return f"the predicate is {relationship['predicate']!r}, not a whole number"
    for key in ("subject", "object"):
        fault = _entity_fault(relationship[key])
        if fault:
            return f"the {key} {fault}"
    return None


def _entity_fault(entity: Any) -> str | None:
    """What about one subject or object is not of the format, in words, or None."""
    if not isinstance(entity, dict):
        return f"is a JSON {json_kind(entity)}, not an object"
    for key in ("category", "bbox"):
        if key not in entity:
            return f"has no {key!r}"
    if not is_whole(entity["category"]):
        return f"has the category {entity['category']!r}, not a whole number"
    box = entity["bbox"]
    if not (isinstance(box, list) and len(box) == 4 and all(map(is_coordinate, box))):
        return f"has the bbox {box!r}, not [ymin, ymax, xmin, xmax]"
    return None


def _entity_problem(
    entity: dict[str, Any], size: tuple[int, int] | None, vocabulary: Vocabulary
) -> tuple[str, str] | None:
    """Reason and detail, if an entity of the right format has an unknown category or an impossible box."""
    known = len(vocabulary.objects)
    if not 0 <= entity["category"] < known:
        return "category out of range", f"{entity['category']}, objects.json has 0 to {known - 1}"
    y1, y2, x1, x2 = entity["bbox"]
    x2, y2 = x2 + (int(x1) == int(x2)), y2 + (int(y1) == int(y2))
    if x2 <= x1 or y2 <= y1:
        return "box inverted", f"[ymin, ymax, xmin, xmax] = {entity['bbox']}"
    if size is not None and (x1 >= size[0] or y1 >= size[1] or x2 <= 0 or y2 <= 0):
        detail = f"[ymin, ymax, xmin, xmax] = {entity['bbox']}, image {size[0]} x {size[1]}"
        return "box outside the image", detail
    return None


def is_coordinate(value: Any) -> bool:
    """Whether a JSON value is a number that a coordinate in pixels can be."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LIMIT
    )  # NaN is not
