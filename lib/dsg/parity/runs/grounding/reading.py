"""What the files have in common: generated inputs, lists of arrays, files beside them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from dsg.datasets.formats.segmentations import polygons_in_box
from dsg.errors import UserError
from dsg.parity.golden import Golden, open_golden
from dsg.parity.recipes import grounding_input

RECIPE = re.compile(r"([^|]+)\|(\d{1,8}(?:,\d{1,8})*)\|(uniform|scores|normal(?:\d+(?:\.\d+)?)?)")
MOST_NUMBERS = 2**25  # of a generated array
SPAN = 1e5  # pixels; boxes beyond are no case of anything
MASK_SIDE = 28
MARGIN = "how clear the reference's decisions were"


def numbers(golden: Golden, key: str) -> np.ndarray:
    """The array float32 `key`, stored, or generated from `key.recipe`: name|shape|kind."""
    if key in golden:
        return golden[key].astype(np.float32)
    text = str(golden[f"{key}.recipe"])
    parts = RECIPE.fullmatch(text)
    shape = [int(side) for side in parts[2].split(",")] if parts else []
    if parts is None or math.prod(shape) > MOST_NUMBERS:
        raise UserError(f"{golden.path}: {key}.recipe is {text[:80]!r}, expected name|shape|kind")
    return grounding_input(parts[1], shape, parts[3])


def boxes_of(golden: Golden, key: str) -> np.ndarray:
    """Boxes float32 [N, 4]."""
    return golden.floats(key, None, 4, low=-SPAN, high=SPAN)


def count_of(golden: Golden, key: str) -> int:
    """How many there are of `key/0`, `key/1` ..."""
    count = 0
    while f"{key}/{count}" in golden:
        count += 1
    return count


def each(golden: Golden, key: str) -> list[np.ndarray]:
    """The arrays `key/0`, `key/1` ... of the images; one at least."""
    return [golden[f"{key}/{number}"] for number in range(max(count_of(golden, key), 1))]


def each_boxes(golden: Golden, key: str) -> list[np.ndarray]:
    """`boxes_of` `key/0`, `key/1` ..."""
    return [boxes_of(golden, f"{key}/{number}") for number in range(max(count_of(golden, key), 1))]


def images_of(parts: list[np.ndarray]) -> np.ndarray:
    """The image of each row: int32 [N]."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)


def starts_of(parts: list[np.ndarray]) -> np.ndarray:
    """The first row of each image, and the end: int [images + 1]."""
    return np.cumsum([0, *(len(part) for part in parts)])


def joined_pairs(pairs: list[np.ndarray], boxes: list[np.ndarray]) -> np.ndarray:
    """Pairs of the images as rows of all boxes: int32 [P, 2]."""
    starts = starts_of(boxes)
    return np.concatenate([part + start for part, start in zip(pairs, starts)]).astype(np.int32)


def mask_targets(golden: Golden, polygons: str, boxes: list[np.ndarray]) -> np.ndarray:
    """What boxes' masks should be: bool [N, 28, 28], from the polygons `polygons/image/box/part`.

    Args:
        golden: the file.
        polygons: where they are.
        boxes: of each image.
    """
    places = [(number, row) for number, part in enumerate(boxes) for row in range(len(part))]
    return np.array(
        [box_target(golden, f"{polygons}/{number}/{row}", boxes[number][row]) for number, row in places]
    )


def box_target(golden: Golden, key: str, box: np.ndarray) -> np.ndarray:
    """The polygons `key/0`, `key/1` ... in the grid of a box: bool [28, 28]."""
    parts = [
        golden.array(f"{key}/{part}", None, low=-SPAN, high=SPAN)
        for part in range(max(count_of(golden, key), 1))
    ]
    if any(len(part) < 6 or len(part) % 2 for part in parts):
        raise UserError(f"{golden.path}: {key} has a polygon of fewer than three points")
    return polygons_in_box([part.tolist() for part in parts], box, MASK_SIDE)


def beside(golden: Golden, name: str, data: str = "") -> Path | None:
    """The file `name` beside the golden file, or in the folder `data` of the reference data; None if it is in
    neither place.
    """
    folders = [golden.path.parent]
    if data:
        folders += [above / "data" / data for above in list(golden.path.resolve().parents)[2:3]]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def transfer_of(golden: Golden) -> np.ndarray:
    """The matrix float32 [masks, categories] that the reference's `transfer.npz` beside the file has."""
    path = beside(golden, "transfer.npz")
    if path is None:
        raise UserError(
            f"{golden.path.parent / 'transfer.npz'}: the matrix of {golden.path.name} should be there"
        )
    return open_golden(path).floats("A", 80, 150)
