"""The loss of a map: cross-entropy in which cells to be marked weigh more, because they are few."""

from __future__ import annotations

import tensorflow as tf

EPSILON = 1e-7  # probabilities are kept so far from 0 and 1, as Keras does


def cross_entropy(targets: tf.Tensor, maps: tf.Tensor, positive_weight: float) -> tf.Tensor:
    """Mean over the cells of weighted binary cross-entropy.

    Args:
        targets: float32 [..., L * L], 0 or 1.
        maps: float32 [..., L * L] in [0, 1].
        positive_weight: of cells whose target is 1; others weigh 1.

    Returns:
        float32 [...].
    """
    found = tf.clip_by_value(maps, EPSILON, 1.0 - EPSILON)
    entropy = -(targets * tf.math.log(found) + (1.0 - targets) * tf.math.log(1.0 - found))
    return tf.reduce_mean((1.0 + (positive_weight - 1.0) * targets) * entropy, -1)
