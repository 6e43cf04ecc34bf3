"""Intersection over union inside the graph: the batched TensorFlow twin of `overlaps.py`."""

from __future__ import annotations

import tensorflow as tf


def overlaps_tf(boxes: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
    """IoU of every box with every query box, with +1 widths as in the release.

    Args:
        boxes: float32 [..., N, 4] = [x1, y1, x2, y2] in pixels.
        query: float32 [..., K, 4], the same leading dimensions (or ones that broadcast).

    Returns:
        float32 [..., N, K] in [0, 1]; 0 where two boxes do not touch, boxes without area included.
    """
    first, second = boxes[..., :, None, :], query[..., None, :, :]
    low = tf.maximum(first[..., :2], second[..., :2])
    high = tf.minimum(first[..., 2:], second[..., 2:])
    intersection = tf.reduce_prod(tf.maximum(high - low + 1.0, 0.0), axis=-1)
    area = tf.reduce_prod(first[..., 2:] - first[..., :2] + 1.0, axis=-1)
    query_area = tf.reduce_prod(second[..., 2:] - second[..., :2] + 1.0, axis=-1)
    return tf.math.divide_no_nan(intersection, area + query_area - intersection)
