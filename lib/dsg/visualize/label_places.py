"""Where the labels of boxes stand, so that they neither hide each other nor leave the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

Size = tuple[int, int]
"""Width and height of a label in pixels."""


class Place(NamedTuple):
    """Where a label stands, and which of its wordings fits there."""

    x: int
    y: int
    wording: int


def label_places(
    boxes: np.ndarray, sizes: Sequence[Sequence[Size]], height: int, width: int
) -> list[Place | None]:
    """A place for the label of each box, the first boxes choosing first.

    A label stands at an edge of its box, where it hides as little as possible of any box. Where no place is
    free, its next wording is tried; where that does not fit either, the box has no label.

    Args:
        boxes: [N, 4], x1 y1 x2 y2 in pixels of the picture.
        sizes: for each box, the sizes of its label's wordings, the best one first.
        height: of the picture.
        width: of the picture.
    """
    taken = np.zeros((0, 4))
    places: list[Place | None] = []
    for box, wordings in zip(boxes, sizes):
        place = _free_place(box, wordings, boxes, taken, height, width)
        places.append(place)
        if place is not None:
            wide, tall = wordings[place.wording]
            own = [place.x, place.y, place.x + wide, place.y + tall]
            taken = np.concatenate([taken, [own]])
    return places


def _free_place(
    box: np.ndarray,
    wordings: Sequence[Size],
    boxes: np.ndarray,
    taken: np.ndarray,
    height: int,
    width: int,
) -> Place | None:
    for most_hidden in (0.5, np.inf):  # of any box; all of it rather than no label
        for wording, (wide, tall) in enumerate(wordings):
            if wide > width or tall > height:
                continue
            corners = np.array(list(_corners(box, wide, tall)))
            corners = np.clip(np.rint(corners), 0, [width - wide, height - tall])
            labels = np.concatenate([corners, corners + [wide, tall]], axis=1)
            areas = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1.0)
            hidden = (_shared(labels, boxes) / areas).max(axis=1)
            free = ~(_shared(labels, taken) > 0).any(axis=1) & (hidden <= most_hidden)
            if free.any():
                cost = np.where(free, hidden + 0.01 * np.arange(len(labels)), np.inf)  # the first of equals
                x, y = corners[int(cost.argmin())]
                return Place(int(x), int(y), wording)
    return None


def _corners(box: np.ndarray, wide: int, tall: int) -> Iterator[tuple[float, float]]:
    """Upper left corners of a label at the edges of its box: outside, inside, and further along the sides."""
    x1, y1, x2, y2 = map(float, box)
    for x in (x1, x2 - wide):
        for y in (y1 - tall, y1, y2, y2 - tall):
            yield x, y
    for step in range(1, int((y2 - y1) / tall)):
        for x in (x1, x2 - wide, x1 - wide, x2):
            yield x, y1 + step * tall


def _shared(labels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The area that each of [L, 4] shares with each of [N, 4]: [L, N]."""
    low = np.maximum(labels[:, None, :2], boxes[None, :, :2])
    high = np.minimum(labels[:, None, 2:], boxes[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)
