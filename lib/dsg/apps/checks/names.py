"""Lists of names for a line of a report."""

from __future__ import annotations

from collections.abc import Sequence

NAMES_SHOWN = 6


def listed(names: Sequence[str]) -> str:
    """How many there are, and the first of them.

    Example:
        >>> listed(["cat", "dog"])
        '2: cat, dog'
    """
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names):,}: {', '.join(names[:NAMES_SHOWN])}{more}"
