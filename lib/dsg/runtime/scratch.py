"""Folders in which something is made that is moved to its place once it is complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPLACED = "-replaced"  # at the end of the name of what was moved out of the way


@contextlib.contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Within it, a new empty folder beside `target`; at its end it is removed, if it is still there.

    What killed processes left of theirs is removed, too: a folder that is in use is locked.

    Raises:
        OSError: the file system refuses.
    """
    _remove_abandoned(target)
    with contextlib.ExitStack() as stack:
        folder = _new_folder(target, stack)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _remove_abandoned(target, REPLACED)


def exchange(made: Path, target: Path) -> None:
    """Give a finished scratch folder its name; what has the name already is removed only after that.

    Raises:
        OSError: the file system refuses.
    """
    replaced = made.with_name(f"{made.name}{REPLACED}")
    if target.exists():
        target.rename(replaced)
    made.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def _new_folder(target: Path, stack: contextlib.ExitStack) -> Path:
    """A folder that is locked until the stack ends, where the file system has locks."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        with contextlib.suppress(FileNotFoundError):  # taken for abandoned before it was locked
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.is_dir():
                return folder


def _remove_abandoned(target: Path, *endings: str) -> None:
    """Remove the scratch folders of a target that nobody has locked.

    Args:
        endings: of names that are removed besides.
    """
    names = re.compile(rf"{re.escape(_prefix(target))}[a-z0-9_]{{8}}({'|'.join(map(re.escape, endings))})?")
    for path in target.parent.iterdir():
        if names.fullmatch(path.name):
            with contextlib.suppress(OSError):  # in use, or another process was quicker
                handle = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(handle)


def _prefix(target: Path) -> str:
    return f".{target.name}.unfinished-"
