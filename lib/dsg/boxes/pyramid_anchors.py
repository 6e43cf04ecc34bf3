"""Anchors of a feature pyramid: a grid for each level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """The anchors of one cell about the origin, corners rounded to whole pixels (halves to even).

    Args:
        sizes: side lengths in pixels; a box of another shape has the same area.
        ratios: height over width.

    Returns:
        float32 [A, 4], A = len(ratios) * len(sizes), ratios varying slowest; widths without +1.

    Example:
        >>> cell_anchors([32], [0.5, 1])
        array([[-23., -11.,  23.,  11.],
               [-16., -16.,  16.,  16.]], dtype=float32)
    """
    stretch = np.sqrt(np.asarray(ratios, np.float32))
    sides = np.asarray(sizes, np.float32)
    width = ((1 / stretch)[:, None] * sides).reshape(-1)
    height = (stretch[:, None] * sides).reshape(-1)
    return np.round(np.stack([-width, -height, width, height], 1) / 2).astype(np.float32)


def pyramid_anchors(
    grids: Sequence[tuple[tf.Tensor | int, tf.Tensor | int]],
    strides: Sequence[tuple[tf.Tensor | int, tf.Tensor | int]],
    sizes: Sequence[Sequence[float]],
    ratios: Sequence[Sequence[float]],
) -> tf.Tensor:
    """The anchors of all cells of all levels.

    Args:
        grids: (height, width) of each level's map in cells.
        strides: whole pixels from a cell to the next, down and right, of each level.
        sizes: of each level, see `cell_anchors`.
        ratios: of each level.

    Returns:
        float32 [A, 4], rows ordered (level, y, x, anchor), not clipped; widths without +1.
    """
    levels = []
    for (height, width), (down, right), level_sizes, level_ratios in zip(grids, strides, sizes, ratios):
        y = tf.cast(tf.range(height) * down, tf.float32)
        x = tf.cast(tf.range(width) * right, tf.float32)
        shift_x, shift_y = tf.meshgrid(x, y)
        shifts = tf.stack([shift_x, shift_y, shift_x, shift_y], -1)  # [h, w, 4]
        levels.append(tf.reshape(shifts[:, :, None] + cell_anchors(level_sizes, level_ratios), [-1, 4]))
    return tf.concat(levels, 0)
