"""Resizing by half-pixel centres without antialiasing, in float32: NumPy.

Output pixel i reads the input at (i + 0.5) * in / out - 0.5, not below 0, between two pixels or at the
nearest.
"""

from __future__ import annotations

import numpy as np


def bilinear_axis(cells: int, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each of `pixels` reads of `cells`: the two cells beside it, int64, and the share of the second,
    float32 [pixels].
    """
    ratio = float(np.float32(cells) / np.float32(pixels))
    # rounded to float32 once, as a processor does that multiplies and adds in one step
    place = np.maximum(ratio * (np.arange(pixels) + 0.5) - 0.5, 0).astype(np.float32)
    low = np.minimum(place.astype(np.int64), cells - 1)
    return low, np.minimum(low + 1, cells - 1), place - low.astype(np.float32)


def resize_bilinear(
    image: np.ndarray, height: int, width: int, part: tuple[slice, slice] = (slice(None), slice(None))
) -> np.ndarray:
    """float32 [h, w, ...] -> float32 [height, width, ...], or of that only the rows and columns of `part`."""
    left, right, share = (values[part[1]] for values in bilinear_axis(image.shape[1], width))
    share = share.reshape(-1, *[1] * (image.ndim - 2))
    rows = image[:, left] * (1 - share) + image[:, right] * share
    top, bottom, share = (values[part[0]] for values in bilinear_axis(image.shape[0], height))
    share = share.reshape(-1, 1, *[1] * (image.ndim - 2))
    return rows[top] * (1 - share) + rows[bottom] * share


def resize_nearest(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """[h, w, ...] -> [height, width, ...] of the same type: pixel floor(i * in / out)."""
    rows, columns = (
        np.minimum(
            (np.arange(pixels, dtype=np.float32) * (np.float32(cells) / np.float32(pixels))), cells - 1
        )
        for cells, pixels in zip(mask.shape, (height, width))
    )
    return mask[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
