"""Masks of a detector, 28 cells a side in their boxes, into the image: NumPy, as the last step for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dsg.boxes.resampling import resize_bilinear


def expand(boxes: np.ndarray, size: int) -> np.ndarray:
    """Boxes [N, 4] about their centres, as much larger as a mask of `size` cells is with a cell at each side:
    float32 [N, 4].
    """
    scale = np.float32((size + 2) / size)
    centre = (boxes[:, 2:] + boxes[:, :2]) * np.float32(0.5)
    half = (boxes[:, 2:] - boxes[:, :2]) * np.float32(0.5) * scale
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


class PlacedMask(NamedTuple):
    """The part of an image that a mask reaches; empty where its box lies outside."""

    top: int
    left: int
    probabilities: np.ndarray  # float32 [h, w]

    def pixels(self, height: int, width: int) -> np.ndarray:
        """What is more probable than not, in an image of that size: bool [height, width]."""
        image = np.zeros((height, width), bool)
        self.region(image)[:] = self.probabilities > 0.5
        return image

    def region(self, image: np.ndarray) -> np.ndarray:
        """The view of an image [height, width, ...] that the mask covers."""
        height, width = self.probabilities.shape
        return image[self.top : self.top + height, self.left : self.left + width]


def placed_masks(masks: np.ndarray, boxes: np.ndarray, height: int, width: int) -> Iterator[PlacedMask]:
    """Masks at their places in an image, one after another; arguments as of `paste_masks`."""
    places = expand(boxes, masks.shape[-1]).astype(np.int64)
    for mask, (x1, y1, x2, y2) in zip(np.pad(masks, ((0, 0), (1, 1), (1, 1))), places.tolist()):
        tall, wide = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        top, bottom = max(y1, 0), min(y2 + 1, height)
        left, right = max(x1, 0), min(x2 + 1, width)
        if top < bottom and left < right:
            seen = slice(top - y1, bottom - y1), slice(left - x1, right - x1)
            yield PlacedMask(top, left, resize_bilinear(mask, tall, wide, seen))
        else:
            yield PlacedMask(0, 0, np.zeros((0, 0), np.float32))


def paste_masks(masks: np.ndarray, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Masks at their places in an image.

    A mask gets a border of one empty cell, its box grows as much, is cut to whole pixels towards zero, and
    the mask is resized to it.

    Args:
        masks: float32 [N, m, m], probabilities.
        boxes: float32 [N, 4], pixels of the image; widths without +1.
        height: of the image.
        width: of the image.

    Returns:
        float32 [N, height, width], probabilities; compare with 0.5 for a mask of pixels.
    """
    image = np.zeros((len(masks), height, width), np.float32)
    for placed, pasted in zip(placed_masks(masks, boxes, height, width), image):
        placed.region(pasted)[:] = placed.probabilities
    return image
