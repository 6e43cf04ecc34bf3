"""A small disk in memory that can be filled and made read-only, where the system lets us mount one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

INSIDE = "CRASH_MOUNTS"  # set in the environment of the program that may mount
BLOCK = 1 << 16
FILLER = ".filler"


def enter(arguments: Sequence[str]) -> None:
    """Become the same program with mounts of its own, which end with it, if the system lets us."""
    if INSIDE in os.environ or not sys.platform.startswith("linux"):
        return
    words = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    with tempfile.TemporaryDirectory() as place:
        try:
            tried = subprocess.run([*words, *_mount(Path(place), 1)], capture_output=True)
        except OSError:
            return
    if tried.returncode == 0:
        again = [*words, sys.executable, "-m", "crash", *arguments]
        os.execvpe(again[0], again, {**os.environ, INSIDE: "1"})


def can_mount() -> bool:
    """Whether `Disk.mounted` works."""
    return INSIDE in os.environ


class Disk:
    """A mounted one.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    @contextlib.contextmanager
    def mounted(folder: Path, megabytes: int) -> Iterator[Disk]:
        """Within it, an empty disk at a folder, which is made."""
        folder.mkdir(parents=True)
        subprocess.run(_mount(folder, megabytes), check=True)
        try:
            yield Disk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    def fill(self) -> None:
        """Leave no room."""
        with open(self.folder / FILLER, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(BLOCK)):
                pass

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.folder / FILLER).unlink(missing_ok=True)

    def protect(self, protected: bool = True) -> None:
        """Make it read-only, or writable again; nobody may have a file open for writing."""
        mode = "ro" if protected else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)


def _mount(folder: Path, megabytes: int) -> list[str]:
    return [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
