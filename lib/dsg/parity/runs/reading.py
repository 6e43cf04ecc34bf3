"""What the unit cases have in common: sizes, boxes, and keys that follow a pattern."""

from __future__ import annotations

import re

import numpy as np

from dsg.parity.checks import Tolerance
from dsg.parity.golden import Golden

CLOSE = Tolerance("relative", 1e-6)
STRIDE = 16
TINY, HUGE, MOST_CELLS = 1e-6, 1e6, 2000  # sizes beyond these are no case of anything


def sides(golden: Golden, key: str) -> tuple[int, int]:
    """Height and width of a grid, in cells."""
    height, width = golden.array(key, 2, low=1, high=MOST_CELLS, whole=True)
    return int(height), int(width)


def image_size(golden: Golden, key: str) -> np.ndarray:
    """Height and width in pixels, float32 [2], of the release's (height, width, scale)."""
    return golden.floats(key, 3, low=TINY, high=HUGE)[:2]


def rois_of(golden: Golden, key: str) -> np.ndarray:
    """Boxes float32 [N, 4]; the file has the number of the image before each."""
    return golden.floats(key, None, 5)[:, 1:]


def matching(golden: Golden, pattern: str) -> list[tuple[str, ...]]:
    """Keys that match a regular expression, each with what its groups caught."""
    found = ((key, re.fullmatch(pattern, key)) for key in golden)
    return [(key, *match.groups()) for key, match in found if match]


def cases(golden: Golden, group: str) -> list[str]:
    """`group/0`, `group/1` ..."""
    return sorted({"/".join(key.split("/")[:2]) for key in golden if key.startswith(f"{group}/")})
