"""How much disk a fetch takes: known, roughly, before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.content import size_of


@dataclass(frozen=True)
class Demand:
    """Bytes that one part takes of the disk."""

    peak: int  # while it is fetched and unpacked
    left: int  # afterwards; negative where an archive that lay there goes


def demand(
    part: Part, target: Path, archive: Path, *, keep: bool = False, given: Path | None = None
) -> Demand:
    """What a part takes that is not there yet, or not all of it.

    Args:
        target: its folder.
        archive: where its archive is during the download; also a file that is not unpacked.
        keep: archives stay.
        given: the file in a folder of the user's, if it comes from there.
    """
    size = given.stat().st_size if given else part.size_guess
    if not part.is_archive:
        arriving = size if given else max(size - _arrived(archive), 0)
        return Demand(arriving, arriving)
    unpacked = max(int(size * part.expands) - _there(part, target), 0)
    if given:
        return Demand(unpacked, unpacked)
    arrived = _arrived(archive)
    arriving = max(size - arrived, 0)
    return Demand(unpacked + arriving, unpacked + arriving if keep else unpacked - arrived)


def most_at_once(demands: Iterable[Demand]) -> int:
    """Bytes that parts take, one after the other, when they take most.

    Example:
        >>> most_at_once([Demand(peak=20, left=10), Demand(peak=12, left=6)])
        22
    """
    before = most = 0
    for one in demands:
        most = max(most, before + one.peak)
        before += one.left
    return most


def _arrived(file: Path) -> int:
    """Bytes of a download that are on the disk already."""
    places = (file, file.with_name(file.name + ".part"))
    return max(map(size_of, places))


def _there(part: Part, target: Path) -> int:
    """Bytes of what an archive unpacks to that are on the disk already."""
    return sum(size_of(path) for pattern in part.there for path in target.glob(pattern))
