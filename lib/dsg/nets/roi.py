"""Regions of a feature map: crops of boxes, of what surrounds them, and boxes in the map's own coordinates.

Coordinates are divided by (cells - 1) * stride as in the release, not by the image's size. Only valid boxes
are cropped, packed into one list over the batch (`pack`).
"""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.kernels.bilinear import sample
from dsg.nets.masks import cells

MARGIN = 1.25  # sides of the region that `surroundings` shows, over those of the box


def normalise(boxes: tf.Tensor, image_size: tf.Tensor, stride: int) -> tf.Tensor:
    """Boxes [B, ..., 4] over (cells - 1) * stride of each image; 1 is the centre of the last cell, so values
    can exceed 1.
    """
    extent = tf.cast(cells(image_size, stride) - 1, tf.float32) * float(stride)
    extent = tf.maximum(extent, 1.0)  # an image of one cell has no extent to divide by
    scale = tf.stack([extent[:, 1], extent[:, 0], extent[:, 1], extent[:, 0]], -1)
    return boxes / tf.reshape(scale, [-1, *[1] * (boxes.shape.rank - 2), 4])


def crop(
    features: tf.Tensor,
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: int,
    *,
    image_size: tf.Tensor,
    stride: int,
    max_pool: bool = False,
    padded: bool = False,
) -> tf.Tensor:
    """Bilinear samples of `features` [B, h, w, C] in boxes [M, 4] of images [M]: [M, size, size, C], zero
    beyond the last cell.

    `boxes` are pixels of the network's input. `padded` says that some image may be smaller than the map, and
    makes its samples end where they would end alone. With `max_pool` twice as many samples are taken and
    pooled.
    """
    samples = 2 * size if max_pool else size
    extent = tf.cast(tf.shape(features)[1:3] - 1, tf.float32) * float(stride)
    extent = tf.maximum(extent, 1.0)
    x1, y1, x2, y2 = tf.unstack(boxes, axis=-1)
    if padded:
        last = tf.cast(tf.gather(cells(image_size, stride), image) - 1, tf.float32)
        several = tf.cast(last > 0, tf.float32)  # a map of one cell has its value everywhere
        y1, y2, x1, x2 = y1 * several[:, 0], y2 * several[:, 0], x1 * several[:, 1], x2 * several[:, 1]
    relative = tf.stack([y1 / extent[0], x1 / extent[1], y2 / extent[0], x2 / extent[1]], -1)
    # there are float32 kernels only
    crops = sample(tf.cast(features, tf.float32), relative, image, samples)
    if padded:
        inside_y = _sample_positions(y1, y2, samples, stride) <= last[:, :1] + 1e-4
        inside_x = _sample_positions(x1, x2, samples, stride) <= last[:, 1:] + 1e-4
        crops *= tf.cast(inside_y[:, :, None, None] & inside_x[:, None, :, None], tf.float32)
    crops = tf.cast(crops, features.dtype)
    return tf.nn.max_pool2d(crops, 2, 2, "SAME") if max_pool else crops


def _sample_positions(low: tf.Tensor, high: tf.Tensor, samples: int, stride: int) -> tf.Tensor:
    """Where an axis is sampled, in cells: [M], [M] -> [M, samples]."""
    if samples == 1:
        return 0.5 * (low + high)[:, None] / stride
    steps = tf.range(samples, dtype=tf.float32) / (samples - 1)
    return (low[:, None] + (high - low)[:, None] * steps) / stride


def surroundings(
    features: tf.Tensor,
    boxes: tf.Tensor,
    valid: tf.Tensor,
    size: int,
    *,
    image_size: tf.Tensor,
    stride: int,
    padded: bool,
) -> tf.Tensor:
    """What lies in and around each valid box: [M, size, size, C], packed.

    Args:
        features: [B, h, w, C], at `stride`.
        boxes: float32 [B, N, 4], pixels.
        valid: bool [B, N].
        size: cells a side.
        image_size, padded: as in `crop`.
    """
    places, _ = pack(valid)
    low, high = tf.split(tf.gather_nd(boxes, places), 2, axis=-1)
    centre, half = (low + high) / 2, (high - low) * (MARGIN / 2)
    wider = tf.concat([centre - half, centre + half], -1)
    image = tf.cast(places[:, 0], tf.int32)
    return crop(features, wider, image, size, image_size=image_size, stride=stride, padded=padded)


def pack(valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Places of the True entries int64 [M, rank], and for every entry its row in that list (0 where it is
    False).
    """
    row = tf.cumsum(tf.reshape(tf.cast(valid, tf.int32), [-1])) - 1
    return tf.where(valid), tf.reshape(tf.maximum(row, 0), tf.shape(valid))
