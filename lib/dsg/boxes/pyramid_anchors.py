"""Anchors of a feature pyramid inside the graph: a grid for each level."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.boxes.anchors import cell_anchors


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
