"""Lists that people give, and what of them matches nothing: named, counted, with the nearest that exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

SHOWN = 3


def unmatched(entries: Iterable[str], known: Collection[str]) -> list[str]:
    """Those entries of a list that do not occur, in their order."""
    return [entry for entry in entries if entry not in known]


def unmatched_text(missing: list[str], number: int, known: Collection[str], what: str) -> str:
    """How many of a list's entries match nothing, and the first of them.

    Args:
        missing: see `unmatched`.
        number: entries of the list.
        known: what occurs.
        what: the entries are, such as `categories`.

    Example:
        >>> unmatched_text(["tabel"], 2, ["cup", "table"], "categories")
        "1 of 2 categories do not occur: 'tabel' (nearest: 'table')"
    """
    shown = "; ".join(_with_nearest(entry, known) for entry in missing[:SHOWN])
    more = f"; and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
    return f"{len(missing):,} of {number:,} {what} do not occur: {shown}{more}"


def nearest(entry: str, known: Collection[str]) -> str:
    """What an entry is likely to mean; empty if nothing is like it. Folders and endings make the least
    difference.
    """
    base, stem = PurePosixPath(entry).name, PurePosixPath(entry).stem
    alike = [name for name in known if PurePosixPath(name).name == base]
    alike = alike or [name for name in known if PurePosixPath(name).stem == stem]
    return (alike or difflib.get_close_matches(entry, known, n=1) or [""])[0]


def _with_nearest(entry: str, known: Collection[str]) -> str:
    close = nearest(entry, known)
    return f"{entry!r} (nearest: {close!r})" if close else repr(entry)
