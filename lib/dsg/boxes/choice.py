"""Choosing among scored boxes: by size, and by suppression within groups; TensorFlow, widths without +1."""

from __future__ import annotations

import tensorflow as tf

OFFSET_LIMIT = 1000
"""Boxes up to which groups are moved apart and suppressed at once."""


def large_enough(boxes: tf.Tensor, side: float) -> tf.Tensor:
    """Which boxes [..., 4] have both sides of `side` or more: bool [...]."""
    return tf.reduce_all(boxes[..., 2:] - boxes[..., :2] >= side, -1)


def suppress(boxes: tf.Tensor, scores: tf.Tensor, threshold: float) -> tf.Tensor:
    """Rows of the boxes [N, 4] that no better kept box overlaps by more than `threshold`, best first, int32.

    Of equal scores the first row is the better; boxes without area neither suppress nor are suppressed.
    """
    # the op compares overlaps only, so x and y may change places
    return tf.image.non_max_suppression(boxes, scores, tf.shape(scores)[0], threshold)


def suppress_in_groups(boxes: tf.Tensor, scores: tf.Tensor, groups: tf.Tensor, threshold: float) -> tf.Tensor:
    """`suppress` where boxes of different groups do not meet: rows of all groups, best first, int32.

    Args:
        boxes: float32 [N, 4], not negative.
        scores: float32 [N].
        groups: int32 [N], e.g. the class or the level of each.
        threshold: IoU above which a box is dropped.
    """

    def apart() -> tf.Tensor:
        # moved so far that they cannot touch; large coordinates round, so many boxes go one group by one
        step = tf.reduce_max(tf.concat([tf.reshape(boxes, [-1]), [0.0]], 0)) + 1.0
        return suppress(boxes + (tf.cast(groups, boxes.dtype) * step)[:, None], scores, threshold)

    def one_by_one() -> tf.Tensor:
        def kept_of(group: tf.Tensor) -> tf.Tensor:
            rows = tf.where(tf.equal(groups, group))[:, 0]
            kept = tf.gather(rows, suppress(tf.gather(boxes, rows), tf.gather(scores, rows), threshold))
            return tf.scatter_nd(kept[:, None], tf.ones_like(kept), tf.shape(scores, tf.int64))

        kept = tf.map_fn(kept_of, tf.unique(groups)[0], fn_output_signature=tf.TensorSpec([None], tf.int64))
        rows = tf.where(tf.reduce_any(kept > 0, 0))[:, 0]
        best_first = tf.argsort(tf.gather(scores, rows), direction="DESCENDING", stable=True)
        return tf.cast(tf.gather(rows, best_first), tf.int32)

    return tf.cond(tf.shape(scores)[0] <= OFFSET_LIMIT, apart, one_by_one)
