"""What every reader's file here provides, and what is asked of everything that was accepted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dsg.errors import UserError
from fuzz.mutations import Files

LONGEST_MESSAGE = 4000  # characters; a path may have 255 for each folder


class Unsound(AssertionError):
    """A reader took, or said, what it should not have."""


@dataclass(frozen=True)
class Reader:
    """One way from a file into the library.

    Args:
        name: for the table and the corpus.
        files: valid files by path below a folder.
        cases: what takes their places; an empty content: the file is absent.
        read: reads the folder and looks at all that comes out; raises nothing but `UserError`.
        share: of all cases.
        refusals: what it may raise besides.
    """

    name: str
    files: Callable[[], Files]
    cases: Callable[[Files], st.SearchStrategy[Files]]
    read: Callable[[Path], Any]
    share: float = 1.0
    refusals: tuple[type[Exception], ...] = ()


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """A folder with these files and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        if content:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def attempt(reader: Reader, folder: Path) -> str:
    """Reads a folder: "accepted", or "refused".

    Raises:
        Exception: whatever else happens is a fault.
    """
    try:
        reader.read(folder)
    except UserError as error:
        check_message(str(error))
        return "refused"
    except reader.refusals:
        return "refused"
    return "accepted"


def check_message(message: str) -> None:
    """A message is one line that a terminal shows as it is."""
    require(len(message) <= LONGEST_MESSAGE, f"a message of {len(message):,} characters")
    odd = [sign for sign in message if sign in "\n\r\x1b\0\u2028\x85"]
    require(not odd, f"a message with {odd[:1]}: {message[:200]!r}")


def require(holds: Any, otherwise: str) -> None:
    """Raises `Unsound` unless it holds."""
    if not holds:
        raise Unsound(otherwise)


def check_boxes(
    boxes: np.ndarray, *, width: float = np.inf, height: float = np.inf, empty: bool = False
) -> None:
    """Boxes x1 y1 x2 y2 are numbers, within the image if its size is given, and not inverted."""
    require(boxes.ndim == 2 and boxes.shape[1] == 4, f"boxes of shape {boxes.shape}")
    require(np.isfinite(boxes).all(), "boxes that are not finite")
    sides = boxes[:, 2:] - boxes[:, :2]
    require((sides >= 0).all() and (empty or (sides > 0).all()), "boxes without area")
    if np.isfinite(width):
        require((boxes >= 0).all() and (boxes <= [width, height, width, height]).all(), "boxes outside")


def check_range(values: np.ndarray, low: int, high: int, what: str) -> None:
    """Whole numbers from `low` up to, without, `high`."""
    require(not values.size or low <= values.min() <= values.max() < high, f"{what} outside {low} to {high}")
