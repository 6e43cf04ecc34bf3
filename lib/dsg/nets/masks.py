"""Masks that keep the padding of a batch out of an image's result.

Images of different sizes are padded at the bottom and at the right. A 3x3 convolution or a pooling at an
image's border must see zeros there, as it does when the image is alone: what earlier layers left in the
padding is set to zero before it.
"""

from __future__ import annotations

import tensorflow as tf


def cells(size: tf.Tensor, stride: int) -> tf.Tensor:
    """Cells of a map whose every halving rounds up: float32 pixels [..., 2] -> int32 [..., 2], ceil(size /
    stride).
    """
    return tf.cast(tf.math.ceil(size / float(stride)), tf.int32)


def zero_padding(x: tf.Tensor, image_size: tf.Tensor | None, stride: int) -> tf.Tensor:
    """`x` [B, h, w, C] with zeros outside each image's own cells; unchanged where `image_size` is None."""
    if image_size is None:
        return x
    # Compared as floats: integers would be fetched from a GPU and compared on the host.
    own = tf.math.ceil(image_size / float(stride))
    shape = tf.cast(tf.shape(x), tf.float32)
    rows = tf.range(shape[1])[None, :] < own[:, :1]
    columns = tf.range(shape[2])[None, :] < own[:, 1:]
    return x * tf.cast(rows[:, :, None, None] & columns[:, None, :, None], x.dtype)


def repeat_own_border(x: tf.Tensor, image_size: tf.Tensor, stride: int) -> tf.Tensor:
    """`x` [B, h, w, C] with each image's last own row and column repeated over its padding."""
    own = cells(image_size, stride)
    for axis in (1, 2):
        places = tf.minimum(tf.range(tf.shape(x)[axis]), own[:, axis - 1, None] - 1)
        x = tf.gather(x, places, axis=axis, batch_dims=1)
    return x
