"""Locks between processes; they end with the process that holds them."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from dsg.errors import UserError

LOG = logging.getLogger("dsg")


@contextlib.contextmanager
def locked(file: Path, held: str, advice: str) -> Iterator[None]:
    """Within it, no other process is within the lock of the same file, which is made.

    Args:
        held: the message where another process holds the lock.
        advice: what the warning says to do where the file system has no locks, as some of networks have not.

    Raises:
        UserError: another process holds it.
        OSError: the file cannot be made.
    """
    with open(file, "w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(held) from None
        except OSError as error:
            LOG.warning("%s: cannot be locked (%s); %s", file.parent, error.strerror, advice)
        yield
