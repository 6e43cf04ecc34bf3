"""Reading a large JSON object member by member, so that no more of it is in memory than one member and the
piece of the file it stands in.

What is read, and what is refused with which words, is what `json.loads` makes of the whole file.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dsg.errors import UserError

CHUNK = 1 << 22  # bytes read at a time
MARGIN = 64  # characters: a fault this close to the end of what was read may be a value that is cut in two
BLANK = re.compile(r"[ \t\n\r]*")
PARSE = json.JSONDecoder().raw_decode


def members(path: Path, chunk: int = CHUNK) -> Iterator[tuple[str, Any]]:
    """Names and values of the JSON object in a file, in the order of the file; a name may come twice.

    Args:
        chunk: bytes that are read at a time.

    Raises:
        UserError: the file is missing, unreadable, truncated or not JSON; the message names line and column.
        NotAnObjectError: it holds something else than an object.
    """
    try:
        with open(path, "rb") as file:
            yield from _Reader(path, file, chunk).members()
    except OSError as error:
        raise unreadable(path, error) from None


class NotAnObjectError(Exception):
    """The file does not begin as a JSON object does."""


class _Reader:
    """The text that was read and not yet parsed, and where in the file it stands."""

    def __init__(self, path: Path, file: BinaryIO, chunk: int) -> None:
        self.path = path
        self.file = file
        self.chunk = chunk
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.ended = False
        self.bytes = 0  # read so far
        self.lines = 0  # ends of lines before `text`
        self.column = 0  # characters of its first line that stand before `text`

    def members(self) -> Iterator[tuple[str, Any]]:
        self.read(self.chunk)
        start = self.skip_blanks(0)
        if not self.text.startswith("{", start):
            raise NotAnObjectError
        position = _blank(self.text, start + 1)
        # `kept` is where the member before this one begins: errors from there on are those of the whole file.
        first, last, kept, wanted = True, False, start + 1, self.chunk
        while not last:
            try:
                name, value, after, last = _member(self.text, position, first)
            except RecursionError:
                raise outlandish(self.path) from None
            except ValueError as error:
                if self.ended or self.is_final(error):
                    raise self.fault(kept) from None
                self.drop(kept)
                position, kept = position - kept, 0
                self.read(wanted)
                wanted *= 2
                continue
            if name is not None:
                yield name, value
            kept, position, first, wanted = position, after, False, self.chunk
        position = self.skip_blanks(position)
        if position < len(self.text):
            raise not_json(self.path, "Extra data", *self.place(position), at_end=False)

    def is_final(self, error: ValueError) -> bool:
        """Whether more text cannot mend an error: it stands well before the end."""
        if not isinstance(error, json.JSONDecodeError):
            return False  # a number of too many digits
        return error.pos < len(self.text) - MARGIN and not error.msg.startswith("Unterminated")

    def fault(self, kept: int) -> UserError:
        """The error that parsing the whole file ends with."""
        rest = "{" + self.text[kept:]
        try:
            json.loads(rest)
        except json.JSONDecodeError as error:
            at_end = self.ended and error.pos >= len(rest.rstrip())
            return not_json(self.path, error.msg, *self.place(kept + error.pos - 1), at_end=at_end)
        except (RecursionError, ValueError):
            pass
        return outlandish(self.path)

    def place(self, position: int) -> tuple[int, int]:
        """Line and column in the file of a position in `text`, both counted from 1."""
        newlines = self.text.count("\n", 0, position)
        before = position - self.text.rfind("\n", 0, position) if newlines else self.column + position + 1
        return self.lines + newlines + 1, before

    def drop(self, count: int) -> None:
        """Forget the first characters of `text`."""
        line, column = self.place(count)
        self.lines, self.column = line - 1, column - 1
        self.text = self.text[count:]

    def read(self, count: int) -> None:
        """Append so many bytes of the file to `text`, or what is left of it."""
        data = self.file.read(count)
        self.ended = len(data) < count
        pending = len(self.decoder.getstate()[0])
        try:
            self.text += self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            raise not_utf8(self.path, self.bytes - pending + error.start) from None
        self.bytes += len(data)

    def skip_blanks(self, position: int) -> int:
        """The first position from there that is no blank; more is read where there is none."""
        position = _blank(self.text, position)
        while position == len(self.text) and not self.ended:
            self.drop(position)
            self.read(self.chunk)
            position = _blank(self.text, 0)
        return position


def _member(text: str, position: int, first: bool) -> tuple[str | None, Any, int, bool]:
    """A member of an object: its name, its value, the position behind the comma or brace that follows, and
    whether it is the brace. An object without members has None for a name.

    Raises:
        ValueError: it does not stand there, or not all of it.
    """
    begin = _blank(text, position)
    if first and text.startswith("}", begin):
        return None, None, begin + 1, True
    if not text.startswith('"', begin):
        raise json.JSONDecodeError("no name", text, begin)
    name, end = PARSE(text, begin)
    end = _blank(text, end)
    if not text.startswith(":", end):
        raise json.JSONDecodeError("no colon", text, end)
    value, end = PARSE(text, _blank(text, end + 1))
    end = _blank(text, end)
    if not text.startswith((",", "}"), end):
        raise json.JSONDecodeError("no comma", text, end)
    return name, value, end + 1, text[end] == "}"


def unreadable(path: Path, error: OSError) -> UserError:
    """A file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: no such file; data/README.md says which files a data set needs")
    return UserError(f"{path}: cannot be read ({error.strerror})")


def not_utf8(path: Path, position: int) -> UserError:
    """A file that is not text, from that byte on."""
    return UserError(f"{path}: not text in UTF-8 (byte {position}); fetch or write the file again")


def not_json(path: Path, said: str, line: int, column: int, at_end: bool) -> UserError:
    """A file that is not JSON at that place, maybe because it ends there."""
    cut = "cut off" if at_end or said.startswith("Unterminated") else "damaged"
    return UserError(
        f"{path}: line {line}, column {column}: not valid JSON ({said}); the file is {cut}, fetch it again"
    )


def outlandish(path: Path) -> UserError:
    """Lists within lists within lists; numbers of thousands of digits."""
    return UserError(f"{path}: JSON, but no data set looks like this; fetch it again")


def _blank(text: str, position: int) -> int:
    """The first position from there that is no blank."""
    found = BLANK.match(text, position)
    assert found is not None  # it matches nothing, too
    return found.end()
