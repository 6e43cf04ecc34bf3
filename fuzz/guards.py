"""What a case may not do: take memory without end, start programs, ask the network, write elsewhere."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTS = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile"),
    *("pickle.find_class", "socket.connect", "socket.getaddrinfo", "socket.bind", "ctypes.dlopen"),
)
"""Events of Python's audit: code of others is run, or the network is asked."""
WRITES = (
    *("os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("shutil.rmtree", "shutil.move", "shutil.copyfile"),
)
REMOVALS = ("os.remove", "os.rmdir", "shutil.rmtree")  # a path, and the folder to which it is relative
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Escaped(BaseException):
    """A case did what no reader does; no handler of the library's catches it."""


class Watch:
    """Notes what is done outside of a folder while it is on.

    An audit hook cannot be removed: there is one for the whole process.
    """

    def __init__(self, folder: Path) -> None:
        self._allowed = (str(folder.resolve()) + os.sep, str(folder.resolve()))
        self._on = False
        self.seen: list[str] = []
        sys.addaudithook(self._see)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks on; what was seen is raised at the end, whatever else happened.

        Raises:
            Escaped: something was done outside of the folder.
        """
        self.seen, self._on = [], True
        try:
            yield
        finally:
            self._on = False
            if self.seen:
                raise Escaped("; ".join(self.seen[:3]))

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event in STARTS:
            self.seen.append(f"{event} {arguments[0]!r}"[:200])
        elif (event == "open" and _writes(arguments)) or event in WRITES:
            named = [one for one in arguments[:2] if isinstance(one, (str, bytes))]
            if event == "open":
                named = named[:1]
            base = _base(arguments[1]) if event in REMOVALS and len(arguments) > 1 else ""
            self.seen += [f"{event} {path!r}"[:200] for path in named if not self._inside(path, base)]

    def _inside(self, path: str | bytes, base: str) -> bool:
        place = os.path.realpath(os.path.join(base, os.fsdecode(path)))
        return place == self._allowed[1] or place.startswith(self._allowed[0]) or place == os.devnull


def _base(folder: int | None) -> str:
    """The open folder to which a name is relative; empty: none. `shutil.rmtree` removes by such names."""
    link = f"/proc/self/fd/{folder}"
    return os.readlink(link) if isinstance(folder, int) and folder >= 0 and os.path.islink(link) else ""


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & WRITING)


def limit_memory(more: int) -> None:
    """Lets this process take so many bytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        bound = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
