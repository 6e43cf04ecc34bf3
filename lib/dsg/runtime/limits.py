"""How much a file from outside may hold, and sizes as people read them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

MAX_MEMBERS = 1_000_000
MAX_RATIO = 100  # unpacked by packed; annotations as JSON reach 30
ALWAYS_ALLOWED = 100_000_000  # bytes that a small archive may become, whatever the ratio


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold."""

    members: int = MAX_MEMBERS
    ratio: float = MAX_RATIO
    allowed: int = ALWAYS_ALLOWED

    def unpacked(self, packed: int) -> int:
        """Bytes that an archive of so many may become."""
        return max(self.allowed, int(self.ratio * packed))


def is_figure(value: Any) -> bool:
    """Whether a JSON value is a number that can be computed with: neither true or false, nor nan, infinite or
    beyond all floating-point numbers.

    Example:
        >>> is_figure(0.5), is_figure(10**400), is_figure(float("nan")), is_figure(True)
        (True, False, False, False)
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max


def size_text(number: int) -> str:
    """Bytes for people.

    Example:
        >>> size_text(610500788), size_text(812)
        ('611 MB', '812 bytes')
    """
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= power:
            return f"{number / power:.3g} {unit}"
    return f"{number} bytes"
