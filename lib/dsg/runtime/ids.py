"""Ids and whole numbers as people's files have them: 12, 12.0, "12" and "12.0" are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dsg.errors import UserError

EXACT = 2.0**53
"""Beyond, numbers with a point stand for several whole numbers."""
WHOLE = re.compile(r"[+-]?\d{1,20}(\.0*)?")


def whole_number(value: Any) -> int | None:
    """The whole number that a JSON value or the cell of a table is; None if it is none.

    Example:
        >>> [whole_number(value) for value in (12, 12.0, "12", "12.0", 12.5, "a", True, None)]
        [12, 12, 12, 12, None, None, None, None]
    """
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_id(entry: Any, key: str, place: str) -> str:
    """The id that an entry of a file has under a key, as text.

    Args:
        place: file and entry, for messages.

    Raises:
        UserError: it has none, or something else; the message says what it is.
    """
    value = _value(entry, key, place)
    number = whole_number(value)
    if number is not None and not (isinstance(value, str) and value.strip().startswith("0")):
        return str(number)
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise UserError(f"{place}: the {key!r} is {described(value)}; ids are whole numbers or texts")


def read_number(entry: Any, key: str, place: str) -> int:
    """The id that an entry has under a key where ids are whole numbers.

    Raises:
        UserError: it has none, or something else; the message says what it is.
    """
    value = _value(entry, key, place)
    number = whole_number(value)
    if number is None:
        raise UserError(f"{place}: the {key!r} is {described(value)}; it is a whole number")
    return number


def twice(place: str, key: str, first: str, second: str) -> UserError:
    """The error for two things with one id; `first` and `second` name them."""
    return UserError(f"{place}: the id {key} appears twice, for {first} and for {second}; ids must be unique")


def described(value: Any) -> str:
    """A JSON value for a message, in a few words.

    Example:
        >>> described(None), described([1, 2]), described(1.5), described("")
        ('null', 'a list', '1.5', 'an empty text')
    """
    kinds: Mapping[type, str] = {dict: "an object", list: "a list", bool: "a boolean", type(None): "null"}
    if type(value) in kinds:
        return kinds[type(value)]
    if value == "":
        return "an empty text"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _value(entry: Any, key: str, place: str) -> Any:
    if not isinstance(entry, dict):
        raise UserError(f"{place}: {described(entry)}, not an object with {key!r}")
    if key not in entry:
        raise UserError(f"{place}: has no {key!r}")
    return entry[key]
