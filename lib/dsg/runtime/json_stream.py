"""Reading a large JSON object or list piece by piece, so that no more of it is in memory than one entry and
the piece of the file it stands in.

What is read, and what is refused with which words, is what `read_json` makes of the whole file.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from dsg.errors import UserError
from dsg.runtime.archives import DAMAGED, members, opened, read
from dsg.runtime.limits import Limits
from dsg.runtime.text import (
    BOM,
    MISSING,
    RepeatedKey,
    check_encoding,
    not_json,
    not_utf8,
    outlandish,
    unreadable,
    without_repeats,
)

CHUNK = 1 << 20  # bytes read at a time
LARGEST = 1 << 28  # characters of one entry
MARGIN = 64  # characters: a fault this close to the end of what was read may be a value that is cut in two
BLANK = re.compile(r"[ \t\n\r]*")
PARSE = json.JSONDecoder().raw_decode
PARSE_STRICTLY = json.JSONDecoder(object_pairs_hook=without_repeats).raw_decode
CLOSING = {"{": "}", "[": "]"}

Parse = Callable[[str, int], tuple[Any, int]]


class WrongKindError(Exception):
    """The file does not begin as the object, or the list, that was expected."""


def object_members(
    path: Path, keys: Callable[[Any], int] | None = None, missing: str = MISSING, chunk: int = CHUNK
) -> Iterator[tuple[str, Any]]:
    """Names and values of the JSON object in a file, in the order of the file.

    Args:
        path: a .json file, or a .zip with one such file.
        keys: how many keys a value has at least if it is of the expected form; whether one stands there twice
            is looked for, which takes time, only if there are more. None: everywhere.
        missing: what is said if there is no such file.
        chunk: bytes that are read at a time.

    Raises:
        UserError: the file is missing, unreadable, truncated or not JSON, or has a key twice in one object.
        WrongKindError: it holds something other than an object.
    """
    names: set[str] = set()
    for name, value in _entries(path, "{", PARSE_STRICTLY if keys is None else _parser(keys), missing, chunk):
        if name in names:
            raise UserError(f"{path}: {RepeatedKey(name)}")
        names.add(name)
        yield name, value


def list_elements(path: Path, *, again: bool = False, chunk: int = CHUNK) -> Iterator[Any]:
    """What a JSON list holds, in its order.

    Args:
        path: a .json file, or a .zip with one such file.
        again: the file was read before; keys that stand there twice, which takes time to see, were looked
            for then.
        chunk: bytes that are read at a time.

    Raises:
        UserError: see `object_members`; or it holds no list.
    """
    try:
        for _, value in _entries(path, "[", PARSE if again else PARSE_STRICTLY, MISSING, chunk):
            yield value
    except WrongKindError:
        raise UserError(f"{path}: contains no JSON list") from None


def _entries(path: Path, opening: str, parse: Parse, missing: str, chunk: int) -> Iterator[tuple[str, Any]]:
    try:
        with _opened(path) as file:
            yield from _Reader(path, file, opening, parse, chunk).entries()
    # NotImplementedError: packed in a way that Python does not know.
    except (*DAMAGED, NotImplementedError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fetch the file again") from error
    except OSError as error:
        raise unreadable(path, error, missing) from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file, or the one JSON file in a .zip."""
    if path.suffix.lower() != ".zip":
        with open(path, "rb") as file:
            yield file
        return
    with opened(path) as archive:
        found = [
            member for member in members(archive, path, Limits()) if member.name.lower().endswith(".json")
        ]
        if len(found) != 1:
            names = f" ({', '.join(member.name for member in found[:3])})" if found else ""
            raise UserError(f"{path}: contains {len(found)} JSON files{names}, but one is expected")
        with read(archive, found[0]) as content:
            yield content


class _Reader:
    """The text that was read and not yet parsed, and where in the file it stands."""

    def __init__(self, path: Path, file: IO[bytes], opening: str, parse: Parse, chunk: int) -> None:
        self.path = path
        self.file = file
        self.opening = opening
        self.closing = CLOSING[opening]
        self.parse = parse
        self.chunk = chunk
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.ended = False
        self.bytes = 0  # read so far
        self.lines = 0  # ends of lines before `text`
        self.column = 0  # characters of its first line that stand before `text`
        self.count = 0  # entries so far

    def entries(self) -> Iterator[tuple[str, Any]]:
        self.read(max(self.chunk, len(BOM) + 1))
        start = self.skip_blanks(0)
        if not self.text.startswith(self.opening, start):
            raise WrongKindError
        position = _blank(self.text, start + 1)
        # `kept` is where the entry before this one begins: errors from there on are those of the whole file.
        last, kept, wanted = False, start + 1, self.chunk
        while not last:
            try:
                entry, after, last = self.entry(position)
            except RecursionError:
                raise outlandish(self.path, self.after()) from None
            except ValueError as error:
                if self.ended or self.is_final(error):
                    raise self.fault(kept) from None
                self.drop(kept)
                position, kept = position - kept, 0
                if len(self.text) > LARGEST:
                    raise outlandish(self.path, self.after()) from None
                self.read(wanted)
                wanted *= 2  # an entry is parsed a few times at most, however long it is
                continue
            if entry is not None:
                self.count += 1
                yield entry
            kept, position, wanted = position, after, self.chunk
        position = self.skip_blanks(position)
        if position < len(self.text):
            raise not_json(self.path, "Extra data", *self.place(position), at_end=False, place=self.after())

    def entry(self, position: int) -> tuple[tuple[str, Any] | None, int, bool]:
        """The entry that stands there, the position behind the comma or bracket that follows, and whether it
        is the bracket. None for an object or list without entries. An element of a list has no name.

        Raises:
            ValueError: it does not stand there, or not all of it.
        """
        text, name = self.text, ""
        begin = _blank(text, position)
        if not self.count and text.startswith(self.closing, begin):
            return None, begin + 1, True
        if self.opening == "{":
            if not text.startswith('"', begin):
                raise json.JSONDecodeError("no name", text, begin)
            name, end = PARSE(text, begin)
            end = _blank(text, end)
            if not text.startswith(":", end):
                raise json.JSONDecodeError("no colon", text, end)
            begin = _blank(text, end + 1)
        value, after = self.value(begin)
        end = _blank(text, after)
        if not text.startswith((",", self.closing), end):
            raise json.JSONDecodeError("no comma", text, end)
        return (name, value), end + 1, text[end] == self.closing

    def value(self, begin: int) -> tuple[Any, int]:
        """A value and the position behind it."""
        try:
            return self.parse(self.text, begin)
        except RepeatedKey as error:
            raise UserError(f"{self.path}: {self.after()}{error}") from None

    def after(self) -> str:
        """Which element of a list comes before a fault; in an object, line and column have to do."""
        return f"after element {self.count:,}: " if self.opening == "[" else ""

    def is_final(self, error: ValueError) -> bool:
        """Whether more text cannot mend an error: it stands well before the end."""
        if not isinstance(error, json.JSONDecodeError):
            return False  # a number of too many digits
        return error.pos < len(self.text) - MARGIN and not error.msg.startswith("Unterminated")

    def fault(self, kept: int) -> UserError:
        """The error that parsing the whole file ends with."""
        rest = self.opening + self.text[kept:]
        try:
            json.loads(rest)
        except json.JSONDecodeError as error:
            at_end = self.ended and error.pos >= len(rest.rstrip())
            place = self.place(kept + error.pos - 1)
            return not_json(self.path, error.msg, *place, at_end=at_end, place=self.after())
        except (RecursionError, ValueError):
            pass
        return outlandish(self.path, self.after())

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
        if not self.bytes:
            check_encoding(self.path, data)
            self.bytes = len(BOM) * data.startswith(BOM)
            data = data[self.bytes :]
        pending = len(self.decoder.getstate()[0])
        try:
            self.text += self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            line = self.lines + self.text.count("\n") + error.object.count(b"\n", 0, error.start) + 1
            raise not_utf8(self.path, line, self.bytes - pending + error.start) from None
        self.bytes += len(data)

    def skip_blanks(self, position: int) -> int:
        """The first position from there that is no blank; more is read if there is none."""
        position = _blank(self.text, position)
        while position == len(self.text) and not self.ended:
            self.drop(position)
            self.read(self.chunk)
            position = _blank(self.text, 0)
        return position


def _parser(keys: Callable[[Any], int]) -> Parse:
    """Parses strictly what may have more keys than `keys` says, see `object_members`."""

    def parse(text: str, begin: int) -> tuple[Any, int]:
        value, end = PARSE(text, begin)
        # Every key has its colon: if there are no more colons than keys, none stands there twice.
        return (value, end) if text.count(":", begin, end) == keys(value) else PARSE_STRICTLY(text, begin)

    return parse


def _blank(text: str, position: int) -> int:
    """The first position from there that is no blank."""
    found = BLANK.match(text, position)
    assert found is not None  # it matches nothing, too
    return found.end()
