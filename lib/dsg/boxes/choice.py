"""Choosing among scored boxes: by size, and by suppression within groups; TensorFlow, widths without +1."""

from __future__ import annotations

import tensorflow as tf


def large_enough(boxes: tf.Tensor, side: float) -> tf.Tensor:
    """Which boxes [..., 4] have both sides of `side` or more: bool [...]."""
    return tf.reduce_all(boxes[..., 2:] - boxes[..., :2] >= side, -1)


def suppress(
    boxes: tf.Tensor, scores: tf.Tensor, threshold: float, limit: tf.Tensor | int | None = None
) -> tf.Tensor:
    """Rows of the boxes [N, 4] that no better kept box overlaps by more than `threshold`, best first, int32.

    Of equal scores the first row is the better; boxes without area neither suppress nor are suppressed.
    `limit` is the largest number of rows; None: all.
    """
    most = tf.shape(scores)[0]
    most = most if limit is None else tf.minimum(most, limit)
    # the op compares overlaps only, so x and y may change places
    return tf.image.non_max_suppression(boxes, scores, most, threshold)


def suppress_in_groups(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    groups: tf.Tensor,
    threshold: float,
    limit: tf.Tensor | int | None = None,
) -> tf.Tensor:
    """`suppress` where boxes of different groups do not meet: rows of all groups, best first, int32.

    Args:
        boxes: float32 [N, 4], not negative.
        scores: float32 [N].
        groups: int32 [N], e.g. the class or the level of each.
        threshold: IoU above which a box is dropped.
        limit: rows at most; None: all.
    """
    # Each group has a field of its own on a square board. In a row of fields coordinates would grow with the
    # number of groups instead of its root, and round as much more.
    corner = tf.reduce_max(tf.concat([boxes[:, 2:], tf.zeros([1, 2])], 0), 0) + 1.0
    last = tf.reduce_max(tf.concat([groups, [0]], 0))
    side = tf.cast(tf.math.ceil(tf.sqrt(tf.cast(last + 1, tf.float32))), tf.int32)
    fields = tf.cast(tf.stack([groups % side, groups // side], -1), boxes.dtype) * corner
    return suppress(boxes + tf.tile(fields, [1, 2]), scores, threshold, limit)
