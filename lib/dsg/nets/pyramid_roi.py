"""RoIAlign on a feature pyramid: each box is cropped from the level that suits its size."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.nets.backbones.fpn import STRIDES
from dsg.nets.masks import repeat_own_border
from dsg.nets.roi_align import roi_align

CROPPED = 4  # levels that boxes are cropped from: p6 is for proposals only
CANONICAL_SIZE, CANONICAL_LEVEL = 224.0, 4
"""A box of an ImageNet image's size is cropped from p4, whose cells are 16 pixels."""
SMALLEST_SIZE = 1e-6  # pixels; without it a logarithm would be infinite, which runtimes treat differently


def box_levels(boxes: tf.Tensor, scales: Sequence[tf.Tensor | float]) -> tf.Tensor:
    """The level of each box [M, 4], 0 the finest: int32 [M]. Twice the side is a level more; `scales` as for
    `pyramid_roi_align`.
    """
    size = tf.sqrt(tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], -1))
    size = tf.where(size > 0, size, SMALLEST_SIZE)  # boxes without area: the finest
    level = tf.floor(CANONICAL_LEVEL + tf.math.log(size / CANONICAL_SIZE) / tf.math.log(2.0) + 1e-6)
    finest = -tf.round(tf.math.log(tf.convert_to_tensor(scales[0], tf.float32)) / tf.math.log(2.0))
    return tf.cast(tf.clip_by_value(level - finest, 0.0, len(scales) - 1.0), tf.int32)


def pyramid_scales(heights: Sequence[tf.Tensor | int], image_height: tf.Tensor | int) -> list[tf.Tensor]:
    """Cells for each pixel at each level: the power of two nearest to map height / image height, float32.

    Args:
        heights: of the maps in cells.
        image_height: of the tallest image of the batch before padding.
    """
    image = tf.cast(image_height, tf.float32)
    ratios = [tf.cast(height, tf.float32) / image for height in heights]
    return [2.0 ** tf.round(tf.math.log(ratio) / tf.math.log(2.0)) for ratio in ratios]


def crop_pyramid(
    maps: Sequence[tf.Tensor],
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: int,
    *,
    image_size: tf.Tensor,
    padded: bool,
) -> tf.Tensor:
    """Aligned crops [M, size, size, C] of p2 to p5; they do not depend on what lies beside an image.

    Args:
        maps: p2 to p5 or more, [B, h, w, C].
        boxes: float32 [M, 4] in pixels.
        image: int32 [M], which of the B images each box lies in.
        size: bins a side.
        image_size: float32 [B, 2], of each image before padding.
        padded: whether an image may be smaller than the batch.
    """
    strides = STRIDES[:CROPPED]
    if padded:
        maps = [repeat_own_border(level, image_size, stride) for level, stride in zip(maps, strides)]
    return pyramid_roi_align(maps[:CROPPED], boxes, image, size, [tf.constant(1.0 / s) for s in strides])


def pyramid_roi_align(
    maps: Sequence[tf.Tensor],
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: int,
    scales: Sequence[tf.Tensor | float],
    *,
    points: int = 2,
    aligned: bool = False,
) -> tf.Tensor:
    """Crops [M, size, size, C] of boxes float32 [M, 4] in pixels.

    Args:
        maps: [B, h, w, C] each, the finest first.
        boxes: see `roi_align`.
        image: int32 [M], which of the B images each box lies in.
        size: bins a side.
        scales: cells for each pixel of each map.
        points: see `roi_align`.
        aligned: see `roi_align`.
    """
    level = box_levels(boxes, scales)
    rows, crops = [], []
    for number, (features, scale) in enumerate(zip(maps, scales)):
        own = tf.cast(tf.where(tf.equal(level, number))[:, 0], tf.int32)
        rows.append(own)
        crops.append(
            roi_align(
                *(features, tf.gather(boxes, own), tf.gather(image, own), size, scale),
                points=points,
                aligned=aligned,
            )
        )
    order = tf.argsort(tf.concat(rows, 0))
    return tf.gather(tf.concat(crops, 0), order)
