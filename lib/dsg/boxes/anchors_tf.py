"""Anchors inside the graph: `anchor_grid` for a feature map whose size is only known when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dsg.boxes.anchors import base_anchors


def anchor_grid_tf(
    height: tf.Tensor | int,
    width: tf.Tensor | int,
    stride: int,
    scales: Sequence[float],
    ratios: Sequence[float],
    *,
    truncate: bool = True,
) -> tf.Tensor:
    """The anchors of every cell of a feature map, as `dsg.boxes.anchors.anchor_grid` computes them.

    Args:
        height: rows of the feature map, an int32 scalar, symbolic or not.
        width: columns of the feature map, of the same kind.
        stride: pixels of the input per cell.
        scales: side lengths in strides.
        ratios: height over width.
        truncate: cut the corners of the base anchors to whole pixels, toward zero, as the release's graph
            does.

    Returns:
        float32 [height * width * A, 4], rows ordered (y, x, anchor); +1 widths.
    """
    base = base_anchors(scales, ratios, stride)
    if truncate:
        base = np.trunc(base)
    shift_x, shift_y = tf.meshgrid(
        tf.cast(tf.range(width) * stride, tf.float32), tf.cast(tf.range(height) * stride, tf.float32)
    )
    shifts = tf.stack([shift_x, shift_y, shift_x, shift_y], axis=-1)  # [H, W, 4]
    return tf.reshape(shifts[:, :, None] + tf.constant(base, tf.float32), [-1, 4])
