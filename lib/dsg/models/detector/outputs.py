"""What each stage of the detector returns. B images, N proposals, M regions of all images in one list, C
classes with the background. Boxes are x1 y1 x2 y2 in pixels of the network's input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.nets.outputs import Proposals


class FirstStage(NamedTuple):
    """Maps of a batch, and where objects may be."""

    image_size: tf.Tensor  # float32 [B, 2]: height, width before padding
    maps: list[tf.Tensor]  # [B, h, w, C] that regions are cropped from, the finest first
    rpn: Any  # `RpnOutputs` of one map, `PyramidRpnOutputs` of a pyramid
    proposals: Proposals


class Regions(NamedTuple):
    """Boxes of all images in one list."""

    boxes: tf.Tensor  # float32 [M, 4]
    image: tf.Tensor  # int32 [M]: the image of each


class RegionOutputs(NamedTuple):
    """What the second stage says of each region."""

    crops: tf.Tensor  # [M, s, s, C']
    features: tf.Tensor  # [M, D]
    class_logits: tf.Tensor  # [M, C]
    box_deltas: tf.Tensor  # [M, 4 C], class after class, in units of the coder


class Detections(NamedTuple):
    """What was found in a batch, best first, padded to the largest number of an image."""

    boxes: tf.Tensor  # [B, D, 4]
    classes: tf.Tensor  # int32 [B, D], from 1
    scores: tf.Tensor  # [B, D]
    proposals: tf.Tensor  # int32 [B, D]: the image's proposal each came from
    valid: tf.Tensor  # bool [B, D]


def packed(proposals: Proposals) -> Regions:
    """The valid proposals in one list, image after image."""
    places = tf.where(proposals.valid)
    return Regions(tf.gather_nd(proposals.boxes, places), tf.cast(places[:, 0], tf.int32))
