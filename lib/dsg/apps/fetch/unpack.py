"""An archive to its folder: the wanted files, each whole or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.fetch.content import BLOCK, blocks, size_of
from dsg.apps.fetch.tools import Tools, explained, need_space
from dsg.errors import UserError
from dsg.runtime.archives import DAMAGED, Member, Opened, members, opened, read
from dsg.runtime.files import replacing
from dsg.runtime.limits import Limits
from dsg.runtime.progress import Progress


@dataclass(frozen=True)
class Unpacked:
    """A file that was written: its place below the target folder, bytes, CRC-32."""

    name: str
    size: int
    crc: int


class Damaged(Exception):
    """The archive's content does not agree with its checksums, or ends early."""


class Unsupported(UserError):
    """The archive is packed in a way that Python cannot unpack; another program may."""


def unpack(
    path: Path,
    target: Path,
    *,
    anchor: str = "",
    only: Sequence[str] = (),
    tools: Tools | None = None,
    limits: Limits | None = None,
) -> list[Unpacked]:
    """Unpacks a zip, tar.gz or tar archive.

    A file that already exists with the right content is left alone, so that an interrupted run resumes.

    Args:
        target: the folder that receives the files.
        anchor: a file or, with a slash at its end, a folder; what holds it becomes `target`, wherever that
            lies in the archive.
        only: what below that is wanted; all where empty.

    Returns:
        Every file of the archive that is now in `target`.

    Raises:
        UserError: the archive is dangerous or not the expected one, or there is no disk for it.
        Unsupported: Python cannot unpack it.
        Damaged: it is cut off or has wrong checksums.
    """
    tools = tools or Tools()
    try:
        with opened(path) as archive:
            wanted = _wanted(members(archive, path, limits or Limits()), path, anchor, only)
            with explained(target):
                target.mkdir(parents=True, exist_ok=True)
            missing = sum(member.size for name, member in wanted if size_of(target / name, -1) != member.size)
            need_space(tools, target, missing, f"what {path.name} holds")
            done = []
            with Progress(f"unpacking {path.name}, files", len(wanted)) as progress:
                for name, member in wanted:
                    done.append(_write(archive, member, name, target))
                    progress.advance()
            return done
    except NotImplementedError as error:
        raise Unsupported(
            f"{path}: packed in a way that Python cannot unpack ({error}); unpack it with another program, "
            f"so that {target} holds {anchor or 'it'}"
        ) from error
    except DAMAGED as error:
        raise Damaged(str(error) or type(error).__name__) from error


def _wanted(
    found: Sequence[Member], path: Path, anchor: str, only: Sequence[str]
) -> list[tuple[str, Member]]:
    """(name below the target, member) of what is to be written."""
    root = _root([member.name for member in found], anchor)
    if root is None:
        raise UserError(f"{path}: has no {anchor}; this is not the expected archive")
    below = [(member.name[len(root) :], member) for member in found if member.name.startswith(root)]
    return [(name, member) for name, member in below if not only or name.startswith(tuple(only))]


def _root(names: Sequence[str], anchor: str) -> str | None:
    """The folder, with a slash at its end, that holds the anchor nearest to the top; None if none does."""
    if not anchor:
        return ""
    roots = []
    for name in names:
        padded = f"/{name}"
        at = padded.find(f"/{anchor}")
        if at >= 0 and (anchor.endswith("/") or padded[at + 1 :] == anchor):
            roots.append(name[:at])
    return min(roots, key=lambda root: (root.count("/"), root)) if roots else None


def _write(archive: Opened, member: Member, name: str, target: Path) -> Unpacked:
    place = target / name
    if member.crc is not None and size_of(place, -1) == member.size and file_crc(place) == member.crc:
        return Unpacked(name, member.size, member.crc)
    crc = written = 0
    with explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, alone=True) as temporary:
            with open(temporary, "wb") as file, read(archive, member) as content:
                while block := content.read(BLOCK):
                    written += len(block)
                    if written > member.size:
                        raise Damaged(f"{member.name} is longer than the archive states")
                    crc = zlib.crc32(block, crc)
                    file.write(block)
            if written < member.size:
                raise Damaged(f"{member.name} is cut off")
    return Unpacked(name, written, crc)


def file_crc(path: Path) -> int:
    """CRC-32 of a file."""
    crc = 0
    for block in blocks(path):
        crc = zlib.crc32(block, crc)
    return crc
