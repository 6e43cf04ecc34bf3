"""Entries of JSON files: what they must have, checked and named by their place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.outlines import Box
from dsg.datasets.formats.relationships import LIMIT, is_coordinate
from dsg.errors import UserError
from dsg.runtime.files import write_text
from dsg.runtime.ids import described, read_id, twice, whole_number
from dsg.runtime.text import json_kind, read_json


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        UserError: it is something else; `what` says what is expected.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: a JSON {json_kind(content)}, not {what}")
    return content


def list_of(content: dict[str, Any], key: str, path: Path, kind: str = "a COCO file") -> list[Any]:
    """The list that a file has under a key.

    Raises:
        UserError: it has none.
    """
    if not isinstance(content.get(key), list):
        raise UserError(f"{path}: has no list `{key}`; it is not {kind}")
    return list(content[key])


def optional_list(entry: dict[str, Any], key: str, place: str) -> list[Any]:
    """The list that an entry has under a key; empty if it has none, or null.

    Raises:
        UserError: it has something else there.
    """
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise UserError(f"{place}: {key!r} is {described(value)}, not a list")
    return value


def text_of(entry: Any, name: str, place: str) -> str:
    """The text that an entry has under a name.

    Raises:
        UserError: it has none, or an empty one.
    """
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, str) or not value:
        raise UserError(f"{place}: has no {name!r}")
    return value


def stated_size(entry: dict[str, Any], place: str) -> tuple[int, int] | None:
    """Width and height of an image; None if neither is stated.

    Raises:
        UserError: they are no positive whole numbers.
    """
    if entry.get("width") is None and entry.get("height") is None:
        return None
    width, height = (whole_number(entry.get(side)) for side in ("width", "height"))
    if width is None or height is None or not (0 < width < LIMIT and 0 < height < LIMIT):
        shown = f"{described(entry.get('width'))} and {described(entry.get('height'))}"
        raise UserError(f"{place}: no valid width and height ({shown})")
    return width, height


def needed_size(entry: dict[str, Any], place: str) -> tuple[int, int]:
    """Width and height of an image.

    Raises:
        UserError: they are missing, or no positive whole numbers.
    """
    size = stated_size(entry, place)
    if size is None:
        raise UserError(f"{place}: no width and height")
    return size


def corners_of_sides(box: Any) -> Box | None:
    """x1 y1 x2 y2 of a box [x, y, width, height]; None if it is none."""
    four = four_numbers(box)
    return None if four is None else (four[0], four[1], four[0] + four[2], four[1] + four[3])


def four_numbers(box: Any) -> Box | None:
    """The four numbers of a list; None if it is something else."""
    if not (isinstance(box, list) and len(box) == 4 and all(map(is_coordinate, box))):
        return None
    return box[0], box[1], box[2], box[3]


def sides_of_corners(box: Box) -> list[float]:
    """[x, y, width, height]."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def score_of(entry: dict[str, Any]) -> float | None:
    """The score of an entry; None if it has none."""
    return float(entry["score"]) if is_coordinate(entry.get("score")) else None


def names_by_id(entries: Sequence[Any], what: str, path: Path) -> dict[str, str]:
    """The names of a list of `{"id", "name"}`, by id, in its order.

    Raises:
        UserError: an entry has no id or name, or an id appears twice.
    """
    names: dict[str, str] = {}
    for number, entry in enumerate(entries):
        place = f"{path}: {what}, entry {number}"
        key, name = read_id(entry, "id", place), text_of(entry, "name", place)
        if key in names:
            raise twice(f"{path}: {what}", key, repr(names[key]), repr(name))
        names[key] = name
    return names


def name_list(content: dict[str, Any], key: str, path: Path, kind: str) -> tuple[str, ...]:
    """A list of names.

    Raises:
        UserError: there is none, or something else is in it.
    """
    names = list_of(content, key, path, kind)
    if not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: {key} is not a list of names")
    return tuple(names)


def numbered(value: Any, names: Sequence[str], what: str, place: str, first: int = 0) -> str:
    """The name that a number stands for.

    Args:
        first: the number of the first name.

    Raises:
        UserError: it is no number of a name.
    """
    number = whole_number(value)
    if number is None or not first <= number < first + len(names):
        limits = f"{first} to {first + len(names) - 1}"
        raise UserError(f"{place}: the {what} is {described(value)}; the file has {limits}")
    return names[number - first]


def positions(names: Sequence[str], first: int = 0) -> dict[str, int]:
    """The number of each name; of two that are the same, the earlier one's."""
    result: dict[str, int] = {}
    for number, name in enumerate(names, first):
        result.setdefault(name, number)
    return result


def write_json(path: Path, content: Any) -> None:
    """Write, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_text(path, json.dumps(content) + "\n")
