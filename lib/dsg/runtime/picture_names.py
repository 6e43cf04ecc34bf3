"""Names of picture files, made from names of images."""

from __future__ import annotations

import re
from pathlib import Path


class PlainNames:
    """File names for images: without folder and ending, all different.

    Example:
        >>> names = PlainNames()
        >>> names.of("x/a.jpg"), names.of("a.png"), names.of("a b.png", mirrored=True)
        ('a', 'a_2', 'a_b_mirrored')
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, name: str, mirrored: bool = False) -> str:
        """The name of an image, or of its mirror image, which was not asked for before."""
        plain = re.sub(r"[^\w.-]", "_", Path(name).stem) + ("_mirrored" if mirrored else "")
        found, number = plain, 1
        while found in self._used:
            number += 1
            found = f"{plain}_{number}"
        self._used.add(found)
        return found
