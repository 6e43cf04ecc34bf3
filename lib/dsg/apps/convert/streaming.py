"""The elements of a JSON list one by one, from a file of gigabytes, or from the .zip it came in."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dsg.apps.fetch.content import DAMAGED
from dsg.errors import UserError

BLOCK = 1 << 20  # characters
LARGEST = 1 << 28  # characters of one element
_SPACE = re.compile(r"[\s]*")


def elements(path: Path) -> Iterator[Any]:
    """What a JSON list holds, in its order.

    Args:
        path: a .json file, or a .zip with one such file.

    Raises:
        UserError: it is missing, cut off, not JSON, or no list; the message says after which element.
    """
    with _opened(path) as file:
        yield from _elements(file, path)


def _elements(file: IO[str], path: Path) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    text, at, count = _read(file, path), 0, 0
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise UserError(f"{path}: holds no JSON list")
    at += 1
    while True:
        text, at = _after_space(file, path, text, at)
        if text[at : at + 1] == "]":
            return
        if count:
            if text[at : at + 1] != ",":
                raise _damaged(path, count, "a comma is missing" if at < len(text) else "the file is cut off")
            text, at = _after_space(file, path, text, at + 1)
        text, element, at = _decode(decoder, file, path, text, at, count)
        count += 1
        yield element


def _decode(
    decoder: json.JSONDecoder, file: IO[str], path: Path, text: str, at: int, count: int
) -> tuple[str, Any, int]:
    """The element of `text` that begins at `at`, read on as far as it needs."""
    while True:
        try:
            element, end = decoder.raw_decode(text, at)
            if end < len(text) or text[-1:] in "}]":  # a number may go on behind the end
                return text, element, end
            reason = "the file is cut off"
        except json.JSONDecodeError as error:
            reason = error.msg
        except RecursionError:
            raise _damaged(path, count, "nested too deeply") from None
        except ValueError as error:  # a number of thousands of digits
            raise _damaged(path, count, str(error)) from None
        text, at = text[at:], 0
        # Twice as much each time: an element is decoded a few times at most, however long it is.
        more = _read(file, path, max(BLOCK, len(text)))
        if not more:
            raise _damaged(path, count, reason)
        if len(text) > LARGEST:
            raise _damaged(path, count, f"more than {LARGEST:,} characters without an end")
        text += more


def _after_space(file: IO[str], path: Path, text: str, at: int) -> tuple[str, int]:
    at = _skip(text, at)
    while at == len(text):
        more = _read(file, path)
        if not more:
            return text, at
        text, at = more, _skip(more, 0)
    return text, at


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _damaged(path: Path, count: int, reason: str) -> UserError:
    return UserError(f"{path}: after element {count:,}: not valid JSON ({reason}); fetch the file again")


def _read(file: IO[str], path: Path, size: int = BLOCK) -> str:
    try:
        return file.read(size)
    except (*DAMAGED, OSError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fetch the file again") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    with contextlib.ExitStack() as stack:
        try:
            file = _open(path, stack)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file") from None
        # RuntimeError: the archive is encrypted, or packed in a way that Python does not know.
        except (IsADirectoryError, PermissionError, zipfile.BadZipFile, RuntimeError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from error
        yield file


def _open(path: Path, stack: contextlib.ExitStack) -> IO[str]:
    """The text of a file, or of the one JSON file in a .zip; what is open is closed with the stack."""
    if path.suffix != ".zip":
        return stack.enter_context(open(path, encoding="utf-8"))
    archive = stack.enter_context(zipfile.ZipFile(path))
    names = [name for name in archive.namelist() if name.endswith(".json")]
    if len(names) != 1:
        raise UserError(f"{path}: holds {len(names)} JSON files where one is expected")
    content = stack.enter_context(archive.open(names[0]))
    return stack.enter_context(io.TextIOWrapper(content, "utf-8"))
