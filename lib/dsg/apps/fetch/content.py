"""Is a file what it should be? Web pages and Git LFS pointers in its place, size, checksum, structure."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dsg.apps.fetch.catalogue import Part
from dsg.runtime.archives import DAMAGED, tar_mode
from dsg.runtime.foreign import foreign_file
from dsg.runtime.limits import Limits, size_text

BLOCK = 1 << 20


def problem(path: Path, part: Part, limits: Limits | None = None) -> str:
    """Why a file cannot be `part`; empty if it can. Reads it all if there is a checksum, or if it is a
    tar.gz; of what that unpacks to, no more than an archive may hold. Of a tar it reads where each file
    begins.

    Args:
        limits: replaced in tests.

    Raises:
        OSError: it cannot be read.
    """
    reason = foreign_file(path)
    if reason:
        return f"it is {reason}"
    size = path.stat().st_size
    if part.bytes and size != part.bytes:
        return f"it has {size:,} bytes, but {part.bytes:,} are expected"
    if part.digest:
        algorithm, expected = part.digest
        found = digest(path, algorithm)
        if not found.startswith(expected):
            begins = "" if len(expected) == len(found) else "one that begins with "
            return f"its {algorithm} is {found}, but {begins}{expected} is expected"
    return _structure_problem(path, part, limits or Limits())


def digest(path: Path, algorithm: str) -> str:
    """The checksum of a file in hexadecimal."""
    state = hashlib.new(algorithm)
    for block in blocks(path):
        state.update(block)
    return state.hexdigest()


def size_of(path: Path, absent: int = 0) -> int:
    """Bytes of a file; `absent` if it does not exist."""
    return path.stat().st_size if path.is_file() else absent


def blocks(path: Path) -> Iterator[bytes]:
    """The content of a file, a piece at a time."""
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


def _structure_problem(path: Path, part: Part, limits: Limits) -> str:
    """Zip: a look at the frame, for unpacking compares the checksum of every file. Tar: to its end."""
    try:
        if part.file.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                return "" if archive.namelist() else "it is an empty archive"
        if part.is_archive:
            return _tar_problem(path, part, limits)
    except (*DAMAGED, NotImplementedError, OSError) as error:
        reason = str(error) or type(error).__name__
        kind = next(kind for kind in ("zip", "tar", "tar.gz") if part.file.endswith((f".{kind}", ".tgz")))
        return f"it is not a complete {kind} archive ({reason})"
    return ""


def _tar_problem(path: Path, part: Part, limits: Limits) -> str:
    mode = tar_mode(part.file)
    if mode == "r:gz":
        # First: tarfile would take a name of gigabytes into memory.
        allowed, unpacked = limits.unpacked(path.stat().st_size), 0
        with gzip.open(path) as stream:  # its checksum stands at the very end
            while block := stream.read(BLOCK):
                unpacked += len(block)
                if unpacked > allowed:
                    return f"it would unpack to more than {size_text(allowed)}"
    with tarfile.open(path, mode) as packed:
        if packed.next() is None:
            return "it is an empty archive"
        while mode == "r:" and packed.next() is not None:  # it notices where the archive is cut
            pass
    return ""
