"""Which ground truth a box belongs to, and which boxes a loss sees: TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

BELOW, BETWEEN = -1, -2
"""Matches of boxes that overlap nothing enough: background, and neither background nor object."""


def iou(boxes: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
    """Intersection over union: [..., N, 4], [..., K, 4] -> [..., N, K]; 0 where both are without area.

    Widths are without the +1 that `overlaps_tf` has.
    """
    # Coordinate by coordinate: an innermost axis of x and y doubles the memory, and takes four times as long.
    left, top, right, bottom = (side[..., None] for side in tf.unstack(boxes, axis=-1))
    query_left, query_top, query_right, query_bottom = (
        side[..., None, :] for side in tf.unstack(query, axis=-1)
    )
    width = tf.maximum(tf.minimum(right, query_right) - tf.maximum(left, query_left), 0.0)
    height = tf.maximum(tf.minimum(bottom, query_bottom) - tf.maximum(top, query_top), 0.0)
    area = (right - left) * (bottom - top)
    query_area = (query_right - query_left) * (query_bottom - query_top)
    intersection = width * height
    return tf.math.divide_no_nan(intersection, area + query_area - intersection)


def match(overlaps: tf.Tensor, high: float, low: float, keep_best: bool = False) -> tf.Tensor:
    """The ground truth that each box is matched with.

    Args:
        overlaps: float32 [G, N] of G ground-truth boxes, G >= 1, and N boxes.
        high: overlap from which a box is matched.
        low: overlap below which it is background; between the two it is neither.
        keep_best: match, too, every box that reaches a ground truth's best overlap (with the ground truth
            that it overlaps most, which may be another). A ground truth that nothing touches makes every box
            positive that does not touch it, as in torchvision.

    Returns:
        int32 [N]: a row of `overlaps`, `BELOW` or `BETWEEN`. Of equal overlaps the first row wins.
    """
    best = tf.reduce_max(overlaps, 0)
    row = tf.argmax(overlaps, 0, output_type=tf.int32)
    matches = tf.where(best < low, BELOW, tf.where(best < high, BETWEEN, row))
    if not keep_best:
        return matches
    reached = tf.reduce_any(tf.equal(overlaps, tf.reduce_max(overlaps, 1, keepdims=True)), 0)
    return tf.where(reached, row, matches)


class Sample(NamedTuple):
    """Rows that a loss sees, each ascending."""

    positive: tf.Tensor  # int32 [P]
    negative: tf.Tensor  # int32 [N]

    @property
    def rows(self) -> tf.Tensor:
        """All of them, ascending, int32 [P + N]."""
        return tf.sort(tf.concat([self.positive, self.negative], 0))


Permutation = Callable[[tf.Tensor], tf.Tensor]


def random_order(count: tf.Tensor) -> tf.Tensor:
    """The numbers below `count` in random order, int32 [count]."""
    return tf.random.shuffle(tf.range(count))


def draw(labels: tf.Tensor, count: int, positive_share: float, order: Permutation = random_order) -> Sample:
    """At most `count` rows, at most `positive_share` of them positive, the rest negative.

    Args:
        labels: [N]: positive from 1, negative at 0, left out below.
        count: rows in all; fewer where there are not enough.
        positive_share: of `count`, rounded down.
        order: gives the numbers below n in the order in which rows are taken; called for the positives, then
            for the negatives.
    """

    def take(rows: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        chosen = order(tf.shape(rows)[0])[:number]
        return tf.sort(tf.gather(rows, chosen))

    positive = tf.cast(tf.where(labels >= 1)[:, 0], tf.int32)
    negative = tf.cast(tf.where(tf.equal(labels, 0))[:, 0], tf.int32)
    number = tf.minimum(tf.shape(positive)[0], int(count * positive_share))
    return Sample(take(positive, number), take(negative, tf.minimum(tf.shape(negative)[0], count - number)))
