"""Boxes as regression targets and back, clipping, and union boxes: `transform_np.py` in TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from dsg.boxes.transform_np import BoxCoderNp


class BoxCoder(BoxCoderNp):
    """The same arithmetic on tensors; the result for float32 boxes is a float32 tensor."""

    convert = staticmethod(tf.cast)
    concat = staticmethod(tf.concat)
    log = staticmethod(tf.math.log)
    exp = staticmethod(tf.exp)
    minimum = staticmethod(tf.minimum)
    maximum = staticmethod(tf.maximum)


def union_boxes(boxes: tf.Tensor) -> tf.Tensor:
    """The smallest box around every pair of boxes.

    Args:
        boxes: float32 [..., N, 4].

    Returns:
        float32 [..., N, N, 4]; entry [i, j] equals entry [j, i].
    """
    first, second = boxes[..., :, None, :], boxes[..., None, :, :]
    low = tf.minimum(first[..., :2], second[..., :2])
    high = tf.maximum(first[..., 2:], second[..., 2:])
    return tf.concat([low, high], axis=-1)
