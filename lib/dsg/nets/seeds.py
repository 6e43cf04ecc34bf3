"""Random choices of a training step that follow from its numbers alone: a run that resumes makes those that
an uninterrupted one makes.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def content_seed(values: tf.Tensor, salt: Any) -> tf.Tensor:
    """A seed for TensorFlow's stateless operations, int32 [2].

    Args:
        values: of floats, which change from step to step.
        salt: whole number, tells apart seeds of the same values.
    """
    bits = tf.bitcast(tf.cast(tf.stop_gradient(values), tf.float32), tf.int32)
    return tf.stack([tf.reduce_sum(bits), tf.cast(salt, tf.int32)])  # the sum may wrap around
