"""Random choices of a training step that depend on nothing outside it: an interrupted run that resumes makes
those that it would have made.
"""

from __future__ import annotations

import tensorflow as tf


def step_seed(seed: int, index: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """A seed int32 [2] of an image in a step.

    Args:
        seed: RNG_SEED.
        index: int32 [], the image in its data set.
        values: float32, what the network says of the image; it changes from step to step.
    """
    bits = tf.bitcast(tf.cast(values, tf.float32), tf.int32)
    mixed = tf.reduce_sum(tf.reshape(bits, [-1]))  # wraps around
    return tf.stack([mixed, index + tf.constant(seed % 2**31, tf.int32)])


class SeededOrder:
    """`dsg.boxes.matching.Permutation` from a seed; every call in a graph draws another order."""

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed, self._calls = seed, 0

    def __call__(self, count: tf.Tensor) -> tf.Tensor:
        self._calls += 1
        own = tf.random.experimental.stateless_fold_in(self._seed, self._calls)
        return tf.random.experimental.stateless_shuffle(tf.range(count), own)
