"""What a fetch asks of the world around it (network, clock, disk), in one record that a test can replace."""

from __future__ import annotations

import contextlib
import errno
import gzip
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dsg.errors import UserError
from dsg.runtime.limits import size_text

USER_AGENT = "dsg-fetch/1"
MAX_REDIRECTS = 5
SPARE_BYTES = 200_000_000  # kept free beside what is fetched: the system needs some


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A few redirects, to web addresses only, and never from an encrypted to a plain one."""

    max_redirections = MAX_REDIRECTS

    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new != "https"):
            raise urllib.error.URLError(RefusedRedirect(f"it redirects to {newurl}, which is not followed"))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class RefusedRedirect(Exception):
    """Why a redirect was not followed."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects())


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Tools:
    """Network, clock and disk."""

    opener: Any = field(default_factory=_opener)
    sleep: Callable[[float], None] = time.sleep
    free: Callable[[Path], int] = _free
    """Free bytes on the disk of a folder."""
    timeout: float = 60.0
    """Seconds without a byte after which a connection counts as dead."""
    attempts: int = 6
    """Tries of one mirror without any progress."""
    backoff: float = 2.0
    """Seconds before the second try; doubled each time."""
    chunk: int = 1 << 18
    spare: int = SPARE_BYTES


def need_space(tools: Tools, folder: Path, needed: int, what: str) -> None:
    """Stops before a disk is filled.

    Raises:
        UserError: there is less free than `needed` bytes and some to spare.
    """
    free = tools.free(folder)
    if needed + tools.spare > free:
        raise UserError(
            f"{folder}: {what} needs {size_text(needed)}, and {size_text(max(free, 0))} are free on the disk "
            f"({size_text(tools.spare)} must remain free); free some space, or choose another disk with "
            "--data DIR"
        )


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the file system's refusals into a line.

    Raises:
        UserError: the disk is full, or `path` cannot be written.
    """
    try:
        yield
    except gzip.BadGzipFile:
        raise  # an OSError of the archive that is read, not of the file system
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{path}: the disk is full; free some space and run the same command again, which resumes"
            ) from error
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
