"""Is a part already there? By the receipt of an earlier fetch, file by file; else by what should be there.

A receipt is a text with a line for each unpacked file: CRC-32, bytes, name. An empty one says that unpacking
was begun and has not ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.content import problem, size_of
from dsg.apps.fetch.unpack import Unpacked, file_crc
from dsg.runtime.files import write_text


def write_receipt(receipt: Path, files: Sequence[Unpacked]) -> None:
    """Notes what was unpacked; without files, that unpacking begins.

    Raises:
        UserError: it cannot be written.
    """
    write_text(receipt, "".join(f"{file.crc:08x} {file.size} {file.name}\n" for file in files))


def read_receipt(receipt: Path) -> list[Unpacked]:
    """What was unpacked; nothing if there is no receipt, or a damaged one."""
    try:
        lines = receipt.read_text(encoding="utf-8").splitlines()
        fields = [line.split(" ", 2) for line in lines]
        return [Unpacked(name, int(size), int(crc, 16)) for crc, size, name in fields]
    except (OSError, ValueError):
        return []


def present(part: Part, target: Path, receipt: Path, thorough: bool = False) -> str:
    """What of `part` is in its folder, in words; empty if it is not there, or not all of it.

    Args:
        thorough: compare contents with the receipt's checksums, not only sizes.
    """
    if not part.is_archive:
        file = target / part.file
        return "" if not file.is_file() or problem(file, part) else f"{file}, {_verified(part)}"
    for name in part.instead:
        if (target / name).is_file():
            return f"{target / name}"
    files = read_receipt(receipt)
    if files:
        complete = all(_same(target / file.name, file, thorough) for file in files)
        compared = "sizes and checksums" if thorough else "sizes"
        return f"{target}, {len(files):,} files, {compared} as unpacked" if complete else ""
    if _begun(receipt):  # many files may be there, and the last ones not
        return ""
    counts = {pattern: _count(target, pattern) for pattern in part.there}
    if not counts or any(counts[pattern] < number for pattern, number in part.there.items()):
        return ""
    return f"{target}, {sum(counts.values()):,} files (put there by hand: counted, not compared)"


def _begun(receipt: Path) -> bool:
    return size_of(receipt, -1) == 0


def _verified(part: Part) -> str:
    return f"{part.digest[0]} as expected" if part.digest else "size as expected"


def _same(path: Path, file: Unpacked, thorough: bool) -> bool:
    return size_of(path, -1) == file.size and (not thorough or file_crc(path) == file.crc)


def _count(target: Path, pattern: str) -> int:
    return sum(size_of(path) > 0 for path in target.glob(pattern))
