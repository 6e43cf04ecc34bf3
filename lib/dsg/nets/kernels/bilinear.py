"""Bilinear samples of a feature map, with a gradient that can be trusted on every device.

TensorFlow's own gradient of `crop_and_resize` lets the threads of a CPU add to the same cell of the map at
the same time: now and then an addition is lost, and the gradient is off by up to a percent. Here the samples
are TensorFlow's and the gradient is a sum by cell; on a CPU the same in every run, on a GPU with
TRAIN.DETERMINISTIC.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, Union

import tensorflow as tf

Side = Union[int, tf.Tensor]
Samples = Union[int, tuple[Side, Side]]
_by_gathers: contextvars.ContextVar[bool] = contextvars.ContextVar("by_gathers", default=False)


@contextlib.contextmanager
def by_gathers() -> Iterator[None]:
    """Graphs built within take samples by gathers and sums, for ONNX, which has no operator that crops. It
    would resize in a loop over the boxes, and onnxruntime (1.32) gives wrong values where as many samples are
    taken as the map is wide.
    """
    token = _by_gathers.set(True)
    try:
        yield
    finally:
        _by_gathers.reset(token)


def sample(features: tf.Tensor, boxes: tf.Tensor, image: tf.Tensor, samples: Samples) -> tf.Tensor:
    """Points of each box, corner to corner: float32 [M, rows, columns, C].

    Args:
        features: float32 [B, h, w, C].
        boxes: float32 [M, 4], y1 x1 y2 x2; 0 is the centre of the first cell and 1 that of the last. Samples
            outside are 0. No gradient flows into them.
        image: int32 [M], which of the B images each box lies in.
        samples: points a side, or rows and columns; a single one, an `int`, is taken at the centre of the
            box.
    """
    boxes = tf.stop_gradient(boxes)
    sides = samples if isinstance(samples, tuple) else (samples, samples)
    if _by_gathers.get():
        return _gathered(features, boxes, image, sides)

    @tf.custom_gradient
    def crops(features: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return _spread(upstream, tf.shape(features), boxes, image, sides)

        return tf.image.crop_and_resize(features, boxes, image, sides), gradient

    return crops(features)


def _gathered(features: tf.Tensor, boxes: tf.Tensor, image: tf.Tensor, sides: tuple[Side, Side]) -> tf.Tensor:
    shape = tf.shape(features)
    height, width = shape[1], shape[2]
    flat = tf.reshape(features, [-1, shape[3]])
    first_cell = (image * height * width)[:, None, None]
    parts = [
        tf.gather(flat, first_cell + row[:, :, None] * width + column[:, None, :])
        * (row_weight[:, :, None] * column_weight[:, None, :])[..., None]
        for row, row_weight in _axis(boxes[:, 0], boxes[:, 2], height, sides[0])
        for column, column_weight in _axis(boxes[:, 1], boxes[:, 3], width, sides[1])
    ]
    return tf.add_n(parts)


def _spread(
    upstream: tf.Tensor, shape: tf.Tensor, boxes: tf.Tensor, image: tf.Tensor, sides: tuple[Side, Side]
) -> tf.Tensor:
    """What each cell of the map [B, h, w, C] gets of the samples' gradient [M, rows, columns, C]."""
    height, width, channels = shape[1], shape[2], shape[3]
    rows, columns = (
        _axis(boxes[:, 0], boxes[:, 2], height, sides[0]),
        _axis(boxes[:, 1], boxes[:, 3], width, sides[1]),
    )
    total = tf.zeros([shape[0] * height * width, channels], upstream.dtype)
    first_cell = (image * height * width)[:, None, None]
    for row, row_weight in rows:
        for column, column_weight in columns:
            cell = first_cell + row[:, :, None] * width + column[:, None, :]
            weight = row_weight[:, :, None] * column_weight[:, None, :]
            part = tf.reshape(upstream * weight[..., None], [-1, channels])
            total += tf.math.unsorted_segment_sum(part, tf.reshape(cell, [-1]), tf.shape(total)[0])
    return tf.reshape(total, shape)


def _axis(
    low: tf.Tensor, high: tf.Tensor, cells: tf.Tensor, samples: Side
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """The two cells int32 [M, samples] beside each sample of an axis, and the weight of each; 0 outside the
    map.
    """
    last = tf.cast(cells - 1, tf.float32)
    if isinstance(samples, int) and samples == 1:
        place = 0.5 * (low + high)[:, None] * last
    else:
        count = tf.cast(samples, tf.float32)
        step = (high - low) * last / (count - 1.0)
        place = (low * last)[:, None] + tf.range(count) * step[:, None]
    inside = tf.cast((place >= 0) & (place <= last), tf.float32)
    place = tf.clip_by_value(place, 0.0, last)
    before = tf.floor(place)
    share = place - before
    after = tf.math.ceil(place)
    return [(tf.cast(before, tf.int32), (1 - share) * inside), (tf.cast(after, tf.int32), share * inside)]
