"""The convolution of crops and masks and the dense layer behind it as one matrix.

Nothing but a bias lies between the two, so together they are a linear function of the cells of a crop and of
a mask. As such they take a third of the operations; but the matrix takes as many as 1,024 regions do, once,
and more memory than the two.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.nets.layers import Dense

ROWS = 64  # of the matrix that are made at a time


class Composed:
    """Cells of crops and masks -> what the dense layer gives, before its ReLU.

    Args:
        kernel: [3, 3, C + V, C] of the convolution.
        bias: [C].
        dense: behind it, on [s, s, C].
        groups: int [V]: categories of the same number have the same masks, which are then looked at once.
    """

    def __init__(self, kernel: tf.Tensor, bias: tf.Tensor, dense: Dense, groups: np.ndarray) -> None:
        channels, weights = kernel.shape[3], tf.convert_to_tensor(dense.kernel)
        side, width = round((weights.shape[0] / channels) ** 0.5), weights.shape[1]
        self.first = np.unique(groups, return_index=True)[1].astype(np.int32)
        cells = tf.reshape(weights, [side, side, channels, width])
        alike = tf.one_hot(groups, len(self.first))  # [V, D]
        merged = tf.einsum("yxvc,vd->yxdc", kernel[:, :, channels:], alike)
        both = tf.concat([kernel[:, :, :channels], merged], 2)
        rows = [
            tf.Variable(tf.zeros([width, side * side * n]), trainable=False)
            for n in (channels, len(self.first))
        ]
        for start in range(0, width, ROWS):
            images = tf.transpose(cells[..., start : start + ROWS], [3, 0, 1, 2])
            shape = [images.shape[0], side, side, both.shape[2]]
            found = tf.nn.conv2d_transpose(images, both, shape, 1, "SAME")
            for variable, part in zip(rows, (found[..., :channels], found[..., channels:])):
                variable[start : start + ROWS].assign(tf.reshape(part, [shape[0], -1]))
        self._crops, self._masks = rows
        self.bias = dense.bias + tf.linalg.matvec(tf.reduce_sum(cells, [0, 1]), bias, transpose_a=True)

    def distinct(self, masks: tf.Tensor) -> tf.Tensor:
        """The masks [..., V] that differ: [..., D]."""
        return tf.gather(masks, self.first, axis=-1)

    def of_crops(self, crops: tf.Tensor) -> tf.Tensor:
        """The share [n, width] of crops [n, s, s, C]."""
        return _product(crops, self._crops)

    def of_masks(self, masks: tf.Tensor) -> tf.Tensor:
        """The share [n, width] of distinct masks [n, s, s, D]."""
        return _product(masks, self._masks)


def _product(cells: tf.Tensor, rows: tf.Variable) -> tf.Tensor:
    flat = tf.reshape(cells, [-1, rows.shape[1]])
    return tf.matmul(flat, tf.convert_to_tensor(rows), transpose_b=True)
