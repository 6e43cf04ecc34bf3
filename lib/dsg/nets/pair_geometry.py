"""How two boxes lie to each other, as numbers that do not depend on where in the image they are.

The union box of a pair says nothing about which box is which; these numbers do. For the ordered pair [i, j]:
offset of j's centre from i's over the geometric mean of their sizes (signed logarithm, so that far boxes stay
in range), and the logarithm of their ratio of sizes, each in x and y; and their IoU.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.boxes.overlaps_tf import overlaps_tf
from dsg.nets.layers import Block, Dense

NUMBERS = 5


def pair_geometry(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes [B, N, 4] in pixels (+1 widths) -> float32 [B, N, N, 5] at [i, j]; exchanging i and j turns the
    first four around.
    """
    size = tf.maximum(boxes[..., 2:] - boxes[..., :2] + 1.0, 1.0)
    centre = 0.5 * (boxes[..., :2] + boxes[..., 2:])
    offset = centre[:, None] - centre[:, :, None]  # [i, j]: from i to j
    offset /= tf.sqrt(size[:, None] * size[:, :, None])
    offset = tf.sign(offset) * tf.math.log1p(tf.abs(offset))
    ratio = tf.math.log(size[:, None] / size[:, :, None])
    return tf.concat([offset, ratio, overlaps_tf(boxes, boxes)[..., None]], -1)


class PairGeometry(Block):
    """An embedding of `pair_geometry`: boxes [B, N, 4] -> [B, N, N, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = Dense(NUMBERS, width)

    def call(self, boxes: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        return tf.nn.relu(self.embed(tf.cast(pair_geometry(boxes), dtype)))
