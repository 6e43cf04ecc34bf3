"""Files that appear whole or not at all: what is written takes the place of an older file in one step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dsg.errors import UserError


def refuse_folder(path: Path) -> None:
    """See, before there is anything to write, that a file's name is not that of a folder.

    Raises:
        UserError: it is, or it is empty.
    """
    if not path.name or os.path.isdir(path):
        raise UserError(f"{path}: is a folder; name a file")


def prepare_place(path: Path) -> None:
    """See that a file can be written, and make its folder, before much is computed that is to go there.

    Raises:
        UserError: it cannot.
    """
    refuse_folder(path)
    probe = path.with_name(f".{path.name}.probe")
    write_bytes(probe, b"", make_folder=True)
    probe.unlink()


@contextlib.contextmanager
def replacing(path: Path, *, alone: bool = False, durable: bool = False) -> Iterator[Path]:
    """Within it, the path of a file beside `path` to write to. At its end that file becomes `path`; after an
    error it is removed, and what was there before is untouched.

    Args:
        alone: no other process writes `path`. Then the file beside it always has the same name, and what a
            killed process left is overwritten.
        durable: the new file outlasts a power cut, where the system can do so.

    Raises:
        OSError: the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.tmp" if alone else f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        with contextlib.suppress(OSError):
            _sync(path.parent)


def write_bytes(path: Path, content: bytes, what: str = "it", *, make_folder: bool = False) -> None:
    """Write a file in one step, so that a reader never sees half of it.

    Args:
        what: what cannot be written, for the message.

    Raises:
        UserError: it cannot be written; what was there before is untouched.
    """
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: cannot write {what} ({error.strerror or error})") from error


def write_text(path: Path, text: str, what: str = "it", *, make_folder: bool = False) -> None:
    """Write a text as `write_bytes` writes; what is not Unicode, such as some names of files, is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), what, make_folder=make_folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
