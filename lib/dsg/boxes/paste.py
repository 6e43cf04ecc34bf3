"""Masks of a detector, 28 cells a side in their boxes, into the image: NumPy, as the last step for people."""

from __future__ import annotations

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
    places = expand(boxes, masks.shape[-1]).astype(np.int64)
    image = np.zeros((len(masks), height, width), np.float32)
    for mask, (x1, y1, x2, y2), pasted in zip(np.pad(masks, ((0, 0), (1, 1), (1, 1))), places, image):
        tall, wide = max(int(y2 - y1 + 1), 1), max(int(x2 - x1 + 1), 1)
        top, bottom = max(int(y1), 0), min(int(y2) + 1, height)
        left, right = max(int(x1), 0), min(int(x2) + 1, width)
        if top < bottom and left < right:
            whole = resize_bilinear(mask, tall, wide)
            pasted[top:bottom, left:right] = whole[top - y1 : bottom - y1, left - x1 : right - x1]
    return image
