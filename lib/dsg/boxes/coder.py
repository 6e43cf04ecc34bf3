"""Boxes as regression targets and back, with every convention an argument.

Detectors differ in how wide a box is (x2 - x1, or one more), where a decoded box ends, what deltas are
divided by, and how far they may grow; `BoxCoder` holds one such choice. Boxes are float32 [..., 4] = x1 y1 x2
y2 in pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.transform_np import LOG_SIZE_LIMIT

Four = tuple[float, float, float, float]


class BoxCoder(NamedTuple):
    """Between boxes and the deltas [dx, dy, dw, dh] that a network predicts.

    Attributes:
        offset: what a width adds to x2 - x1: 1 for inclusive pixels, else 0.
        inset: what decoded x2 and y2 lie before the centre plus half the size. With offset 1 this is 1 where
            `decode` is to invert `encode`, and 0 as in tf-faster-rcnn, where boxes end a pixel later.
        means: subtracted from encoded deltas.
        deviations: deltas are divided by them.
        limit: largest logarithm of a growth that is followed.
    """

    offset: float = 0.0
    inset: float = 0.0
    means: Four = (0.0, 0.0, 0.0, 0.0)
    deviations: Four = (1.0, 1.0, 1.0, 1.0)
    limit: float = LOG_SIZE_LIMIT

    def encode(self, boxes: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The deltas [..., 4] that `decode` needs to turn `boxes` into `targets`, both of positive size."""
        centre, size = self._centre_and_size(boxes)
        target_centre, target_size = self._centre_and_size(targets)
        raw = tf.concat([(target_centre - centre) / size, tf.math.log(target_size / size)], -1)
        return (raw - tf.constant(self.means)) / tf.constant(self.deviations)

    def decode(self, boxes: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
        """`boxes` [..., 4] moved and resized by `deltas` [..., 4], not clipped; leading axes broadcast."""
        deltas = deltas * tf.constant(self.deviations) + tf.constant(self.means)
        centre, size = self._centre_and_size(boxes)
        centre = deltas[..., :2] * size + centre
        half = 0.5 * (tf.exp(tf.minimum(deltas[..., 2:], self.limit)) * size)
        return tf.concat([centre - half, centre + half - self.inset], -1)

    def decode_classes(self, boxes: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
        """`boxes` [..., 4] by deltas [..., 4 C] of C classes, class after class: [..., C, 4]."""
        shape = tf.concat([tf.shape(deltas)[:-1], [-1, 4]], 0)
        return self.decode(boxes[..., None, :], tf.reshape(deltas, shape))

    def _centre_and_size(self, boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = boxes[..., 2:] - boxes[..., :2] + self.offset
        return boxes[..., :2] + 0.5 * size, size


# Those that published weights were trained with. torchvision's boxes grow at most as much as one of 16 pixels
# that becomes one of 1000.
TF_FASTER_RCNN_RPN = BoxCoder(offset=1.0)
TF_FASTER_RCNN = BoxCoder(offset=1.0, deviations=(0.1, 0.1, 0.2, 0.2))
TORCHVISION_RPN = BoxCoder(limit=math.log(1000.0 / 16.0))
TORCHVISION = BoxCoder(deviations=(0.1, 0.1, 0.2, 0.2), limit=math.log(1000.0 / 16.0))
