"""The network's input computed in a TensorFlow graph, equal to that of `dsg.pipeline.images.to_blob` with
OpenCV.

OpenCV samples at steps of exactly 1 / scale, whatever the rounding of the output's size, and clamps samples
beyond the border; `tf.image.resize` takes the ratio of the sizes for its step, and where the two differ,
whole rows and columns move. So the samples are taken here, with weights from float64 places as OpenCV has
them: what is left is float32's rounding, 3e-5 of 255 levels at most (tested).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def network_input(
    image: tf.Tensor, target: int, max_size: int, pixel_means: Sequence[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Means subtracted, then resized: bilinear, half-pixel centres, no antialiasing.

    Args:
        image: uint8 [H, W, 3], B, G, R, sizes of any kind but 0.
        target: length of the shorter side in pixels.
        max_size: longest allowed side in pixels.
        pixel_means: of B, G and R.

    Returns:
        float32 [h, w, 3], and its size as int32 [2].
    """
    size = tf.cast(tf.shape(image)[:2], tf.float64)
    scale = network_scale(size, target, max_size)
    rounded = tf.round(size * scale)  # half to even, as Python and OpenCV round
    whole = tf.maximum(rounded, 1.0)
    # A line far longer than max_size: a size given outright, whose ratio is the step.
    step = tf.where(tf.reduce_min(rounded) < 1, 1.0 / (whole / size), tf.fill([2], 1.0 / scale))
    count = tf.cast(whole, tf.int32)
    x = _centred(image, pixel_means)
    # Columns first, as OpenCV: the sums round alike.
    x = _sampled(x, count[1], step[1], axis=1)
    return _sampled(x, count[0], step[0], axis=0), count


def network_scale(size: tf.Tensor, target: int, max_size: int) -> tf.Tensor:
    """`dsg.pipeline.images.network_scale` of a size [2], float64."""
    size = tf.cast(size, tf.float64)
    short, long = tf.reduce_min(size), tf.reduce_max(size)
    scale = tf.constant(target, tf.float64) / short
    limit = tf.constant(max_size, tf.float64)
    return tf.where(tf.round(scale * long) > limit, limit / long, scale)


def last_edges(image: tf.Tensor) -> tf.Tensor:
    """What no x1 y1 x2 y2 in an image [H, W, 3] exceeds: W, H, W, H as float32."""
    # Not tf.shape(image)[1::-1]: TensorFlow's graph optimizer fails on shapes turned by a negative stride.
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    return tf.cast(tf.stack([width, height, width, height]), tf.float32)


def _centred(image: tf.Tensor, pixel_means: Sequence[float]) -> tf.Tensor:
    """Each value minus its channel's mean, rounded once, from float64."""
    table = np.arange(256, dtype=np.float64)[None] - np.asarray(pixel_means, np.float64)[:, None]
    levels = tf.cast(image, tf.int32)
    channels = [tf.gather(row.astype(np.float32), levels[:, :, number]) for number, row in enumerate(table)]
    return tf.stack(channels, axis=-1)


def _sampled(x: tf.Tensor, count: tf.Tensor, step: tf.Tensor, axis: int) -> tf.Tensor:
    """`count` samples along an axis, at the centres of pixels that are `step` apart."""
    last = tf.shape(x)[axis] - 1
    place = (tf.cast(tf.range(count), tf.float64) + 0.5) * step - 0.5
    before = tf.floor(place)
    share = tf.cast(place - before, tf.float32)
    low = tf.cast(before, tf.int32)
    share = tf.where((low < 0) | (low >= last), 0.0, share)
    low = tf.clip_by_value(low, 0, last)
    share = share[None, :, None] if axis == 1 else share[:, None, None]
    high = tf.minimum(low + 1, last)
    return tf.gather(x, low, axis=axis) * (1.0 - share) + tf.gather(x, high, axis=axis) * share
