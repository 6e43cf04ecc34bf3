"""How a generated data set comes into its folder: made beside it by some processes, and complete when it
appears.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

import cv2

from dsg.errors import UserError
from dsg.runtime.scratch import exchange, scratch_folder

Task = TypeVar("Task")
Result = TypeVar("Result")


def is_there(folder: Path, file_name: str, settings: dict[str, Any], force: bool) -> bool:
    """Whether the folder holds exactly this data set.

    Args:
        folder: of the data set.
        file_name: of the settings in it.
        settings: of this data set.
        force: whether one of other settings may be replaced.

    Raises:
        UserError: it holds what is not ours, or not the same.
    """
    if not folder.is_dir():
        if folder.exists():
            raise UserError(f"{folder}: a file, not a folder; give another folder for the data set")
        return False
    if not any(folder.iterdir()):
        return False
    file = folder / file_name
    try:
        present = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        present = None
    if not isinstance(present, dict):
        raise UserError(
            f"{folder}: not empty, and not generated shapes (no {file_name}); name another folder"
        )
    if force:
        return False
    if present == settings:
        return True
    other = [
        f"{key} {present.get(key)} instead of {settings[key]}"
        for key in settings
        if present.get(key) != settings[key]
    ]
    raise UserError(
        f"{folder}: already exists with other settings ({', '.join(other) or 'unknown ones'}); "
        "replace it with --force, or name another folder"
    )


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `folder` at the end; after an error nothing has
    changed.

    Raises:
        UserError: it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as partial:
            yield partial
            partial.chmod(0o755)
            exchange(partial, folder)
    except OSError as error:
        place = error.filename or folder
        raise UserError(
            f"{place}: cannot be written ({error.strerror or error}); nothing was changed"
        ) from None


def mapped(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Generator[Result, None, None]:
    """What a function of a module gives for each task, in their order."""
    if workers == 1 or len(tasks) < 16:
        yield from map(function, tasks)
        return
    # Forking is quick, but not safe once TensorFlow has started its threads.
    quick = "fork" in multiprocessing.get_all_start_methods() and "tensorflow" not in sys.modules
    context = multiprocessing.get_context("fork" if quick else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker)
    try:
        # One by one: after an interruption only what was begun is waited for. To end the processes instead
        # makes the pool of Python 3.9 and 3.10 print a traceback.
        yield from pool.map(function, tasks)
    except BrokenProcessPool:
        raise UserError("shapes: a worker process ended (out of memory?); try fewer workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


def worker_count(workers: int | None) -> int:
    """How many processes: as many as given, or as there are processors."""
    if workers is not None:
        return max(workers, 1)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _start_worker() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends the pool
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not what the parent does then
    cv2.setNumThreads(1)  # the processes share the processors already


def _end_with_parent() -> None:
    """A worker would wait for tasks for ever where its parent was killed: it keeps the pipe open itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
