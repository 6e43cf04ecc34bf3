"""Where messages go: standard output for the user, and a file in the run's folder with the time of each."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from dsg.errors import UserError

LOG = logging.getLogger("dsg")


class ConsoleHandler(logging.Handler):
    """Writes to standard output (or "stderr"), above a progress bar if there is one.

    A console that went away, or cannot write a name, must not end hours of work: the run's log has
    everything.
    """

    def __init__(self, stream: str = "stdout") -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        stream = getattr(sys, self._stream)  # as it is now: tests and notebooks replace it
        with contextlib.suppress(OSError, ValueError):
            tqdm.write(self.format(record), file=stream)
            stream.flush()


class QuietFileHandler(logging.FileHandler):
    """A log that cannot be written (full disk) must not bury the message that says so under tracebacks."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        pass


@contextlib.contextmanager
def console_messages(stream: str = "stdout") -> Iterator[None]:
    """Within it, messages of this package appear on a stream of `sys`, and in log files, and nowhere else."""
    before = LOG.level, LOG.propagate
    shown = [handler for handler in LOG.handlers if isinstance(handler, ConsoleHandler)]
    for handler in shown:
        LOG.removeHandler(handler)
    here = ConsoleHandler(stream)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    LOG.addHandler(here)
    try:
        yield
    finally:
        LOG.removeHandler(here)
        for handler in shown:
            LOG.addHandler(handler)
        LOG.level, LOG.propagate = before


@contextlib.contextmanager
def log_file(folder: Path, kind: str) -> Iterator[Path]:
    """Within it, messages go to `<folder>/<kind>_<time>.log` as well, and so does what ends it.

    Raises:
        UserError: if the file cannot be made.
    """
    path = folder / f"{kind}_{time.strftime('%Y-%m-%d_%H-%M-%S')}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = QuietFileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"{path}: cannot write the log ({error.strerror or error})") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    level, LOG.level = LOG.level, min(LOG.level or logging.INFO, logging.INFO)
    try:
        yield path
    except UserError as error:
        _to_file(handler, f"error: {error}")
        raise
    except BaseException:
        _to_file(handler, traceback.format_exc())
        raise
    finally:
        LOG.level = level
        LOG.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


def _to_file(handler: logging.Handler, message: str) -> None:
    handler.emit(logging.LogRecord("dsg", logging.ERROR, "", 0, message, None, None))
