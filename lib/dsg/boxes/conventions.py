"""The box conventions that published detectors were trained with."""

from __future__ import annotations

import math

import tensorflow as tf

from dsg.boxes.transform import BoxCoder

STDS = (0.1, 0.1, 0.2, 0.2)
# torchvision's boxes grow at most as much as one of 16 pixels that becomes one of 1000.
GROWTH = math.log(1000.0 / 16.0)
TF_FASTER_RCNN = BoxCoder(stds=STDS)
TORCHVISION_RPN = BoxCoder(inclusive=False, log_limit=GROWTH)
TORCHVISION = BoxCoder(inclusive=False, log_limit=GROWTH, stds=STDS)


def decode_classes(coder: BoxCoder, boxes: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """`boxes` [..., 4] by deltas [..., 4 C] of C classes, class after class: [..., C, 4]."""
    shape = tf.concat([tf.shape(deltas)[:-1], [-1, 4]], 0)
    return coder.decode(tf.expand_dims(boxes, -2), tf.reshape(deltas, shape))
