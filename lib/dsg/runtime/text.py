"""Text and JSON that people write, or that programs of other people do: every reader of such files is here.

UTF-8, with or without a byte order mark. What cannot be read is refused with file and line.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.runtime.foreign import foreign_content

MISSING = "no such file"
BOM = codecs.BOM_UTF8
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, missing: str = MISSING) -> str:
    """The text of a file, its lines ended by a newline.

    Args:
        missing: what is said if there is no such file.

    Raises:
        UserError: it is missing, unreadable, or not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, missing) from None
    check_encoding(path, content[:4])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + len(BOM) * content.startswith(BOM)  # counts from behind the mark
        raise not_utf8(path, content.count(b"\n", 0, start) + 1, start) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, missing: str = MISSING) -> Any:
    """What a JSON file holds.

    Raises:
        UserError: it is missing, unreadable, truncated, not JSON, or has a key twice in one object; the
            message names line and column, or the key.
    """
    return parse_json(read_text(path, missing), path)


def parse_json(text: str, path: Path) -> Any:
    """What a JSON text says; `path` is where it was read.

    Raises:
        UserError: see `read_json`.
    """
    try:
        return json.loads(text, object_pairs_hook=without_repeats)
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip())
        other = foreign_content(text[:100].encode())
        if other:
            raise UserError(f"{path}: {other}") from None
        raise not_json(path, error.msg, error.lineno, error.colno, at_end) from None
    except RepeatedKey as error:
        raise UserError(f"{path}: {error}") from None
    except (RecursionError, ValueError):
        raise outlandish(path) from None


class RepeatedKey(Exception):
    """An object of a JSON text has a key twice, and a reader would lose the first value without a word."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} appears twice in one object; keep one of the two")


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON text.

    Raises:
        RepeatedKey: a key stands there twice.
    """
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RepeatedKey(key)
            seen.add(key)
    return result


def check_encoding(path: Path, head: bytes) -> None:
    """Refuse UTF-16, with or without its mark, by the first bytes of a file."""
    if head.startswith(WIDE) or head[:2].count(0) == 1:
        raise UserError(f"{path}: not UTF-8 text but, it seems, UTF-16; save it as UTF-8")


def unreadable(path: Path, error: OSError, missing: str = MISSING) -> UserError:
    """A file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: {missing}")
    return UserError(f"{path}: cannot be read ({error.strerror or error})")


def not_utf8(path: Path, line: int, position: int) -> UserError:
    """A file that is not text, from that byte on."""
    return UserError(
        f"{path}: line {line}: not UTF-8 text (byte {position:,}); save it as UTF-8, or fetch it again"
    )


def not_json(path: Path, said: str, line: int, column: int, at_end: bool, place: str = "") -> UserError:
    """A file that is not JSON at that place, maybe because it ends there.

    Args:
        place: more about where that is.
    """
    cut = "cut off" if at_end or said.startswith("Unterminated") else "damaged"
    return UserError(
        f"{path}: {place}line {line}, column {column}: not valid JSON ({said}); the file is {cut}: "
        "correct it, or fetch it again"
    )


def outlandish(path: Path, place: str = "") -> UserError:
    """Lists within lists within lists; numbers of thousands of digits."""
    return UserError(
        f"{path}: {place}JSON nested too deeply, or a number of thousands of digits; no data set looks like "
        "this"
    )


def json_kind(value: Any) -> str:
    """What a value is called in JSON, for messages."""
    kinds = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
