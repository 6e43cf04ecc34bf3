"""Boxes as regression targets and back (the classic bbox_transform), clipping, and union boxes: TensorFlow.

All functions take float32 boxes [..., 4] = [x1, y1, x2, y2] in pixels with any leading dimensions. Widths are
inclusive (+1) where a width is read; decoded corners lie at centre +- half the width without the -1, as in
the release, whose checkpoint was trained so, or where asked (EXACT_BOXES) with it. `transform_np.py` holds
the NumPy twins.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.boxes.transform_np import LOG_SIZE_LIMIT


def _centre_and_size(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Centres [..., 2] and +1 sizes [..., 2], x before y."""
    low, high = boxes[..., :2], boxes[..., 2:]
    size = high - low + 1.0
    return low + 0.5 * size, size


def encode(boxes: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The deltas [dx, dy, dw, dh] that `decode` needs to turn `boxes` into (about) `targets`.

    Args:
        boxes: float32 [..., 4], +1 widths, all positive.
        targets: float32 [..., 4], +1 widths, all positive.

    Returns:
        float32 [..., 4]: shift of the centre in widths and heights, logarithm of the change of size.
    """
    centre, size = _centre_and_size(boxes)
    target_centre, target_size = _centre_and_size(targets)
    return tf.concat([(target_centre - centre) / size, tf.math.log(target_size / size)], axis=-1)


def decode(boxes: tf.Tensor, deltas: tf.Tensor, exact: bool = False) -> tf.Tensor:
    """`boxes` moved and resized by `deltas`: with `exact` the inverse of `encode`, else that but for the 1
    that inclusive widths add.

    Growth is limited to e^20 times, far outside any image, so that an untrained network gives huge but finite
    boxes: after `clip` they are what they would have been without the limit.

    Args:
        boxes: float32 [..., 4], +1 widths.
        deltas: float32 [..., 4] = [dx, dy, dw, dh].
        exact: whether boxes end where the encoded targets did (x2, y2) or, as in the release, a pixel later.

    Returns:
        float32 [..., 4], not clipped.
    """
    centre, size = _centre_and_size(boxes)
    centre = deltas[..., :2] * size + centre
    half = 0.5 * (tf.exp(tf.minimum(deltas[..., 2:], LOG_SIZE_LIMIT)) * size)
    return tf.concat([centre - half, centre + half - (1.0 if exact else 0.0)], axis=-1)


def clip(boxes: tf.Tensor, image_size: tf.Tensor, exact: bool = False) -> tf.Tensor:
    """`boxes` cut to their images: x into [0, width - 1], y into [0, height - 1].

    Args:
        boxes: float32 [..., N, 4].
        image_size: [..., 2] = (height, width), one for every group of N boxes.
        exact: boxes may end at width and height, where an image ends.

    Returns:
        float32 [..., N, 4].
    """
    size = tf.cast(image_size, boxes.dtype)
    limit = tf.gather(size, [1, 0, 1, 0], axis=-1)[..., None, :] - (0.0 if exact else 1.0)  # [..., 1, 4]
    return tf.maximum(tf.minimum(boxes, limit), 0.0)


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
