"""Small text files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dsg.errors import UserError


def refuse_folder(path: Path) -> None:
    """See, before there is anything to write, that a file's name is not that of a folder.

    Raises:
        UserError: it is, or it is empty.
    """
    if not path.name or os.path.isdir(path):
        raise UserError(f"{path}: is a folder; name a file")


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader never sees half of it; what is not Unicode, such as some
    names of files, is escaped.

    Raises:
        UserError: where it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # others may write the same file
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UserError(f"{path}: cannot write it ({error.strerror or error})") from error
