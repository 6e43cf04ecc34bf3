"""Zip, tar.gz and tar archives seen alike: their members, with names that can be trusted.

Archives come from outside. A name that would leave its folder, a link, a device, an encrypted member, or
more data than the archive's size explains is refused before anything is read. What Macs add is left out.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Union

from dsg.errors import UserError
from dsg.runtime.limits import Limits, size_text

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    *(ValueError, OverflowError),  # a name that is no text; numbers in a header that are none, or too large
)
"""What reading a damaged archive raises."""
Opened = Union[zipfile.ZipFile, tarfile.TarFile]


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str  # slashes, relative, no '..'
    size: int  # bytes, as the archive states it
    crc: int | None  # of the content; tar has none
    entry: Any  # what the archive's module calls it


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The archive in a file."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            yield archive
    else:
        with tarfile.open(path, tar_mode(path.name)) as packed:
            yield packed


def tar_mode(name: str) -> Literal["r:", "r:gz"]:
    """How a tar archive of that name is opened."""
    return "r:" if name.lower().endswith(".tar") else "r:gz"


def members(archive: Opened, path: Path, limits: Limits) -> list[Member]:
    """The files of an archive, in its order; folders and what Macs add are left out.

    Raises:
        UserError: it holds what no data set holds, see above.
    """
    listed = _of_zip(archive, path) if isinstance(archive, zipfile.ZipFile) else _of_tar(archive, path)
    packed = path.stat().st_size
    allowed = limits.unpacked(packed)
    result: list[Member] = []
    total = 0
    for member in listed:
        total += member.size
        if len(result) >= limits.members:
            raise UserError(f"{path}: more than {limits.members:,} files; this is not the expected archive")
        if total > allowed:
            raise UserError(
                f"{path}: {size_text(packed)} that would unpack to more than {size_text(allowed)}; this is "
                "not the expected archive"
            )
        if not _is_from_mac(member.name):
            result.append(member)
    return result


def read(archive: Opened, member: Member) -> IO[bytes]:
    """The content of a member."""
    if isinstance(archive, zipfile.ZipFile):
        return archive.open(member.entry)
    content = archive.extractfile(member.entry)
    assert content is not None  # only files are members
    return content


def _is_from_mac(name: str) -> bool:
    """Whether a member is what macOS knows of the others, or of their folder."""
    *folders, file = name.split("/")
    return "__MACOSX" in folders or file == ".DS_Store" or file.startswith("._")


def _safe_name(name: str, path: Path) -> str:
    """A member's name with slashes, relative to where the archive is unpacked.

    Raises:
        UserError: it leads elsewhere.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = name.startswith(("/", "\\")) or (parts and parts[0].endswith(":"))
    if absolute or not parts or ".." in parts or "\0" in name or (parts[0][1:2] == ":"):
        raise UserError(f"{path}: holds {name!r}, a name that leads out of the folder; nothing was unpacked")
    return "/".join(parts)


def _of_zip(archive: zipfile.ZipFile, path: Path) -> Iterator[Member]:
    for info in archive.infolist():
        name = _safe_name(info.filename, path)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind == stat.S_IFDIR:
            continue
        if kind not in (0, stat.S_IFREG):
            raise _odd(path, info.filename)
        if info.flag_bits & 1:
            raise UserError(f"{path}: {info.filename!r} is encrypted; this is not the expected archive")
        yield Member(name, info.file_size, info.CRC, info)


def _of_tar(archive: tarfile.TarFile, path: Path) -> Iterator[Member]:
    for info in archive:
        name = _safe_name(info.name, path) if info.name not in (".", "./") else ""
        if info.isdir():
            continue
        if not info.isreg():
            raise _odd(path, info.name)
        yield Member(name, info.size, None, info)


def _odd(path: Path, name: str) -> UserError:
    return UserError(f"{path}: holds {name!r}, a link or a device; nothing was unpacked")
