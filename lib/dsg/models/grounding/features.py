"""Features of boxes and of pairs: what lies in them, and the masks of what it may be (eq. 5 and 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dsg.models.grounding.composed import Composed
from dsg.nets.chunks import in_chunks, some, when
from dsg.nets.layers import Block, Dense, convolve, normal
from dsg.nets.pyramid_roi import box_levels
from dsg.nets.roi_align import adaptive_roi_align

CHUNK = 100  # boxes whose masks are convolved at a time where there are more than `MANY`
MANY = 500


class Maps:
    """Feature maps of a batch that regions are cropped from, the finest first.

    Args:
        maps: [B, h, w, C] each.
        scales: cells for each pixel of each map.
    """

    def __init__(self, maps: Sequence[tf.Tensor], scales: Sequence[tf.Tensor | float]) -> None:
        self.maps, self.scales = list(maps), list(scales)

    def crop(self, boxes: tf.Tensor, image: tf.Tensor, size: int) -> tf.Tensor:
        """Aligned crops float32 [M, size, size, C] of boxes [M, 4] in pixels, from its level."""
        if len(self.maps) == 1:
            return adaptive_roi_align(self.maps[0], boxes, image, size, self.scales[0])
        level = box_levels(boxes, self.scales)
        rows, crops = [], []
        for number, (features, scale) in enumerate(zip(self.maps, self.scales)):
            own = tf.cast(tf.where(tf.equal(level, number))[:, 0], tf.int32)
            rows.append(own)
            crops.append(
                adaptive_roi_align(features, tf.gather(boxes, own), tf.gather(image, own), size, scale)
            )
        return tf.gather(tf.concat(crops, 0), tf.argsort(tf.concat(rows, 0)))


class MaskConv(Block):
    """Crops [M, s, s, C] and masks [M, s, s, V] -> [M, s, s, C], without activation. Masks may be None, which
    says the same as masks of zeros.
    """

    def __init__(self, channels: int, masks: int) -> None:
        super().__init__()
        fan_in = 9 * (channels + masks)
        init = _uniform(1.0 / math.sqrt(fan_in))
        self.kernel = self.weight("kernel", (3, 3, channels + masks, channels), init, decay="kernel")
        self.bias = self.weight("bias", (channels,), init, decay="bias")

    def call(self, crops: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
        crops, kernel = tf.convert_to_tensor(crops), tf.convert_to_tensor(self.kernel)
        masks = None if masks is None else tf.convert_to_tensor(masks)
        channels, count = crops.shape[-1], tf.shape(crops)[0]

        def convolved(crops: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
            # A convolution of the two together is the sum of one of each.
            result = convolve(crops, kernel[:, :, :channels]) + self.bias
            return result if masks is None else result + convolve(masks, kernel[:, :, channels:])

        def of_rows(rows: tf.Tensor) -> tf.Tensor:
            return convolved(tf.gather(crops, rows), None if masks is None else tf.gather(masks, rows))

        return when(
            count <= MANY,
            lambda: convolved(some(crops), None if masks is None else some(masks))[:count],
            lambda: tf.ensure_shape(in_chunks(of_rows, count, CHUNK), [None, *crops.shape[1:]]),
        )


class MaskedRegions(Block):
    """Crops and masks -> features [M, width]: convolved together, then two dense layers.

    Args:
        channels: of a crop.
        masks: categories of the graphs' data set.
        mask_labels: categories of the masks' data set, whose images have a convolution of their own; None:
            there are none (pairs).
        side: cells a side of crops and masks.
        width: of the result.
    """

    def __init__(
        self, channels: int, masks: int, mask_labels: int | None, *, side: int = 28, width: int = 1024
    ) -> None:
        super().__init__()
        self.mask_conv = MaskConv(channels, masks)
        if mask_labels is not None:
            self.mask_conv_m = MaskConv(channels, mask_labels)
        fan_in = side * side * channels
        self.fc6 = Dense(fan_in, width, _uniform(math.sqrt(3.0 / fan_in)))
        self.fc7 = Dense(width, width, _uniform(math.sqrt(3.0 / width)))
        self.composed: Composed | None = None

    def compose(self, groups: np.ndarray) -> None:
        """Make one matrix of the convolution and the layer behind it, for many answers; `groups` of
        `Composed`. Weights that change later change nothing any more.
        """
        conv = self.mask_conv
        self.composed = Composed(
            *(tf.convert_to_tensor(conv.kernel), tf.convert_to_tensor(conv.bias)), self.fc6, groups
        )

    def call(self, crops: tf.Tensor, masks: tf.Tensor | None, *, of_masks: bool = False) -> tf.Tensor:
        """`of_masks`: regions of images of the masks' data set."""
        if of_masks or self.composed is None:
            conv = self.mask_conv_m if of_masks else self.mask_conv
            return self.dense(conv(crops, masks))
        total = self.composed.of_crops(crops)
        if masks is not None:
            total += self.composed.of_masks(self.composed.distinct(masks))
        return self.after(total + self.composed.bias)

    def dense(self, convolved: tf.Tensor) -> tf.Tensor:
        """What follows the convolution [M, side, side, channels]."""
        return self.after(self.fc6(tf.reshape(convolved, [-1, self.fc6.kernel.shape[0]])))

    def after(self, total: tf.Tensor) -> tf.Tensor:
        """What follows the first dense layer's sums [M, width]."""
        return tf.nn.relu(self.fc7(tf.nn.relu(total)))


class Reducer(Block):
    """A map of any width -> [B, h, w, 256], for nets whose map is not a pyramid's."""

    def __init__(self, cin: int, cout: int = 256) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (3, 3, cin, cout), normal(0.01), decay="kernel")
        self.bias = self.weight("bias", (cout,), "zeros", decay="bias")

    def call(self, features: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.nn.relu(convolve(features, kernel) + self.bias)


def unions(boxes: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
    """The box around both boxes of each pair: float32 [P, 4] from [N, 4] and int32 [P, 2]."""
    subject, object_ = tf.gather(boxes, pairs[:, 0]), tf.gather(boxes, pairs[:, 1])
    low, high = tf.minimum(subject[:, :2], object_[:, :2]), tf.maximum(subject[:, 2:], object_[:, 2:])
    return tf.concat([low, high], -1)


def _uniform(limit: float) -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomUniform(-limit, limit)
