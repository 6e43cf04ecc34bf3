"""The boxes of a batch in one list, their places in numbers, and sequences of them.

N boxes of B images, image after image.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

RELEASED_AREA = 1024.0 * 1024.0
"""What areas are divided by, whatever the size of the image."""


class BoxList(NamedTuple):
    """Boxes of all images."""

    boxes: tf.Tensor  # float32 [N, 4]: x1 y1 x2 y2, pixels of the network's input
    image: tf.Tensor  # int32 [N], ascending
    image_size: tf.Tensor  # float32 [B, 2]: height, width before padding

    @property
    def counts(self) -> tf.Tensor:
        """Boxes of each image: int32 [B]."""
        return tf.math.bincount(self.image, minlength=tf.shape(self.image_size)[0], dtype=tf.int32)


def positions(boxes: BoxList, *, swapped: bool = True) -> tf.Tensor:
    """Nine numbers a box: its width, height, centre and corners as shares of the image, and of its area:
    float32 [N, 9]. Widths are x2 - x1 + 1.

    Args:
        swapped: x is divided by the image's height and y by its width, as in the release.
    """
    height, width = tf.unstack(tf.gather(boxes.image_size, boxes.image), axis=1)
    if swapped:
        height, width = width, height
    x1, y1, x2, y2 = tf.unstack(boxes.boxes, axis=1)
    w, h = x2 - x1 + 1.0, y2 - y1 + 1.0
    shares = [w / width, h / height, (x1 + 0.5 * w) / width, (y1 + 0.5 * h) / height]
    shares += [x1 / width, y1 / height, x2 / width, y2 / height, w * h / (width * height)]
    return tf.stack(shares, 1)


def overlap_numbers(boxes: BoxList) -> tf.Tensor:
    """Six numbers a box of how it overlaps the boxes of its image, itself included: how many, the sum of
    intersections, the sum of IoUs, the second and third over the first, and its own area: float32 [N, 6].

    Intersections and IoUs have widths x2 - x1 + 1, the own area x2 - x1, as in the release.
    """
    b = boxes.boxes
    low, high = tf.maximum(b[:, None, :2], b[None, :, :2]), tf.minimum(b[:, None, 2:], b[None, :, 2:])
    intersections = tf.reduce_prod(tf.maximum(high - low + 1.0, 0.0), -1)
    intersections *= tf.cast(boxes.image[:, None] == boxes.image[None], tf.float32)
    areas = tf.reduce_prod(b[:, 2:] - b[:, :2] + 1.0, -1)
    ious = intersections / (areas[:, None] + areas[None] - intersections)
    count = tf.reduce_sum(tf.cast(intersections > 0, tf.float32), 1)
    overlap, iou = tf.reduce_sum(intersections, 1) / RELEASED_AREA, tf.reduce_sum(ious, 1)
    own = tf.reduce_prod(b[:, 2:] - b[:, :2], -1) / RELEASED_AREA
    return tf.stack([count, overlap, iou, overlap / count, iou / count, own], 1)


class Sequences(NamedTuple):
    """An order of each image's boxes."""

    rows: tf.Tensor  # int32 [B, T]: the box at each place; 0 behind the end
    lengths: tf.Tensor  # int32 [B]
    places: tf.Tensor  # int32 [N, 2]: image and place of each box

    def gather(self, values: tf.Tensor) -> tf.Tensor:
        """Values [N, ...] of boxes as sequences [B, T, ...]."""
        return tf.gather(values, self.rows)

    def scatter(self, values: tf.Tensor) -> tf.Tensor:
        """Values [B, T, ...] of sequences as [N, ...]."""
        return tf.gather_nd(values, self.places)


def across(boxes: BoxList, *, leftwards: bool = True) -> Sequences:
    """Each image's boxes by the x of their centre, from right to left, as released, or from left to right."""
    centres = boxes.boxes[:, 0] + boxes.boxes[:, 2]
    by_centre = tf.argsort(centres, direction="DESCENDING" if leftwards else "ASCENDING", stable=True)
    order = tf.gather(by_centre, tf.argsort(tf.gather(boxes.image, by_centre), stable=True))
    return sequences(order, boxes.counts)


def sequences(order: tf.Tensor, lengths: tf.Tensor) -> Sequences:
    """`Sequences` from boxes int32 [N] in order, image after image, and boxes of each image int32 [B]."""
    ragged = tf.RaggedTensor.from_row_lengths(order, lengths, validate=False)
    place = tf.range(tf.shape(order)[0]) - tf.gather(
        tf.cumsum(lengths, exclusive=True), ragged.value_rowids()
    )
    here = tf.stack([tf.cast(ragged.value_rowids(), tf.int32), place], 1)
    places = tf.scatter_nd(order[:, None], here, [tf.shape(order)[0], 2])
    return Sequences(ragged.to_tensor(0), lengths, places)
