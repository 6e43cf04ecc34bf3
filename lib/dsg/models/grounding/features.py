"""Features of boxes and of pairs: what lies in them, and the masks of what it may be (eq. 5 and 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from dsg.nets.layers import Block, Dense, normal
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
        kernel = tf.convert_to_tensor(self.kernel)
        if masks is None:
            return tf.nn.conv2d(crops, kernel[:, :, : crops.shape[-1]], 1, "SAME") + self.bias

        def convolve(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
            together = tf.concat([crops[start:stop], masks[start:stop]], -1)
            return tf.nn.conv2d(together, kernel, 1, "SAME") + self.bias

        count = tf.shape(crops)[0]
        if tf.executing_eagerly() and count <= MANY:
            return convolve(0, count)
        return tf.cond(count <= MANY, lambda: convolve(0, count), lambda: self._in_chunks(convolve, crops))

    @staticmethod
    def _in_chunks(convolve: object, crops: tf.Tensor) -> tf.Tensor:
        """The memory of the concatenation is bounded, whatever the number of boxes."""
        count = tf.shape(crops)[0]
        parts = tf.TensorArray(tf.float32, size=(count + CHUNK - 1) // CHUNK, infer_shape=False)

        def body(number: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            start = number * CHUNK
            part = convolve(start, tf.minimum(start + CHUNK, count))  # type: ignore[operator]
            return number + 1, parts.write(number, part)

        size = parts.size()
        parts = tf.while_loop(lambda number, _: number < size, body, (tf.constant(0), parts))[1]
        return tf.ensure_shape(parts.concat(), [None, *crops.shape[1:]])


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

    def call(self, crops: tf.Tensor, masks: tf.Tensor | None, *, of_masks: bool = False) -> tf.Tensor:
        """`of_masks`: regions of images of the masks' data set."""
        conv = self.mask_conv_m if of_masks else self.mask_conv
        flat = tf.reshape(conv(crops, masks), [-1, self.fc6.kernel.shape[0]])
        return tf.nn.relu(self.fc7(tf.nn.relu(self.fc6(flat))))


class Reducer(Block):
    """A map of any width -> [B, h, w, 256], for nets whose map is not a pyramid's."""

    def __init__(self, cin: int, cout: int = 256) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (3, 3, cin, cout), normal(0.01), decay="kernel")
        self.bias = self.weight("bias", (cout,), "zeros", decay="bias")

    def call(self, features: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.nn.relu(tf.nn.conv2d(features, kernel, 1, "SAME") + self.bias)


def unions(boxes: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
    """The box around both boxes of each pair: float32 [P, 4] from [N, 4] and int32 [P, 2]."""
    subject, object_ = tf.gather(boxes, pairs[:, 0]), tf.gather(boxes, pairs[:, 1])
    low, high = tf.minimum(subject[:, :2], object_[:, :2]), tf.maximum(subject[:, 2:], object_[:, 2:])
    return tf.concat([low, high], -1)


def _uniform(limit: float) -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomUniform(-limit, limit)
