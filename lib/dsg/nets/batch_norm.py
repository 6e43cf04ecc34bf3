"""Batch normalisation with statistics that training follows."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.layers import Block

EPSILON = 1e-5


class BatchNorm(Block):
    """Rows [N, C] -> [N, C], each column of mean 0 and variance 1, then scaled and shifted; N may be 0.

    In training mean and variance are those of the rows, and the stored ones move towards them by
    1 - `momentum` (the variance unbiased, as PyTorch keeps it).
    """

    def __init__(self, channels: int, momentum: float = 0.999) -> None:
        super().__init__()
        self.gamma = self.weight("gamma", (channels,), "ones")
        self.beta = self.weight("beta", (channels,), "zeros")
        self.moving_mean = self.weight("moving_mean", (channels,), "zeros", trained=False)
        self.moving_variance = self.weight("moving_variance", (channels,), "ones", trained=False)
        self._momentum = momentum

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            mean, variance = tf.nn.moments(rows, [0])
            count = tf.cast(tf.shape(rows)[0], rows.dtype)
            # Of no rows there is neither.
            mean = tf.where(count > 0, mean, tf.convert_to_tensor(self.moving_mean))
            variance = tf.where(count > 0, variance, tf.convert_to_tensor(self.moving_variance))
            unbiased = variance * count / tf.maximum(count - 1.0, 1.0)
            for kept, value in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
                old = tf.convert_to_tensor(kept)
                moved = old + (1.0 - self._momentum) * (tf.stop_gradient(value) - old)
                kept.assign(tf.where(count > 0, moved, old))
        else:
            mean, variance = (
                tf.convert_to_tensor(self.moving_mean),
                tf.convert_to_tensor(self.moving_variance),
            )
        shift, scale = tf.convert_to_tensor(self.beta), tf.convert_to_tensor(self.gamma)
        return tf.nn.batch_normalization(rows, mean, variance, shift, scale, EPSILON)
