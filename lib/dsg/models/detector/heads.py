"""The second stage: from crops to features, to classes and boxes, and to masks."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.backbones.resnet import Block4
from dsg.nets.initial import Initializer
from dsg.nets.layers import HE, Block, Conv, Dense, FrozenNormConv, StandardisedConv, normal

POOLED, MASK_POOLED = 7, 14  # cells a side of the crops for boxes and for masks
MASK_SIZE = 2 * MASK_POOLED  # cells a side of masks
HIDDEN = 1024
MASK_CHANNELS = 256


class ResnetTail(Block4):
    """Crops [M, 7, 7, 1024] -> features [M, 2048], the mean of ResNet's last block."""

    dim = 2048

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.reduce_mean(self.maps(crops), [1, 2])

    def maps(self, crops: tf.Tensor) -> tf.Tensor:
        """The block's map [M, 7, 7, 2048]."""
        return super().call(crops)


class TwoLayerHead(Block):
    """Crops [M, 7, 7, C] -> features [M, 1024] by two dense layers."""

    dim: int = HIDDEN

    def __init__(self, channels: int, dim: int = HIDDEN) -> None:
        super().__init__()
        self.fc6 = Dense(POOLED * POOLED * channels, dim, HE)
        self.fc7 = Dense(dim, dim, HE)
        self.dim = dim

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.nn.relu(self.fc7(self.first(crops)))

    def first(self, crops: tf.Tensor) -> tf.Tensor:
        """What the first layer says, [M, 1024]."""
        return tf.nn.relu(self.fc6(tf.reshape(crops, [-1, self.fc6.kernel.shape[0]])))


class ConvolvedHead(Block):
    """Crops [M, 7, 7, C] -> features [M, 1024] by four normalised convolutions and a dense layer."""

    dim = HIDDEN

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = [FrozenNormConv(channels, channels, 3) for _ in range(4)]
        self.dense = Dense(POOLED * POOLED * channels, HIDDEN, HE)

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        maps = self.maps(crops)[-1]
        return tf.nn.relu(self.dense(tf.reshape(maps, [-1, self.dense.kernel.shape[0]])))

    def maps(self, crops: tf.Tensor) -> list[tf.Tensor]:
        """The maps after each convolution."""
        maps = [self.convs[0](crops)]
        for conv in self.convs[1:]:
            maps.append(conv(maps[-1]))
        return maps


class SmallBoxHead(Block):
    """Crops [M, 7, 7, C] -> features [M, dim] for nets that learn from random weights: normalised
    convolutions, and a dense layer on all cells, which knows where in the box each lies.
    """

    def __init__(self, cin: int, channels: int, dim: int, convolutions: int) -> None:
        super().__init__()
        self.dim = dim
        self.convs = small_convs(cin, channels, convolutions)
        width = channels if convolutions else cin
        self.dense = Dense(POOLED * POOLED * width, dim, HE)

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        for conv in self.convs:
            crops = conv(crops)
        return tf.nn.relu(self.dense(tf.reshape(crops, [-1, self.dense.kernel.shape[0]])))


def small_convs(cin: int, channels: int, count: int) -> list[StandardisedConv]:
    """3x3 convolutions whose kernels are normalised as they train."""
    widths = [cin, *[channels] * count]
    return [StandardisedConv(before, after, 3) for before, after in zip(widths, widths[1:])]


class Predictor(Block):
    """Features [M, D] -> class logits [M, C] and box deltas [M, 4 C], class after class, in float32.

    Args:
        dim: D.
        classes: C, with the background.
        agnostic: all classes have the same box.
        truncated: draw the initial values from a truncated normal.
    """

    def __init__(self, dim: int, classes: int, agnostic: bool = False, truncated: bool = False) -> None:
        super().__init__()
        self.classes = Dense(dim, classes, normal(0.01, truncated))
        self.boxes = Dense(dim, 4 if agnostic else 4 * classes, normal(0.001, truncated))
        self._repeats = classes if agnostic else 1

    def call(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits, deltas = (tf.cast(layer(features), tf.float32) for layer in (self.classes, self.boxes))
        return logits, tf.tile(deltas, [1, self._repeats]) if self._repeats > 1 else deltas


class DoubledConv(Block):
    """A transposed 2x2 convolution of stride 2 and a ReLU: [M, h, w, Cin] -> [M, 2h, 2w, Cout]."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (2, 2, cout, cin), HE, decay="kernel")
        self.bias = self.weight("bias", (cout,), "zeros", decay="bias")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        # Tiles do not overlap: a product of matrices, and then cells become two by two.
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), x.dtype)
        cout, cin = kernel.shape[2:]
        shape = tf.shape(x)
        y = tf.matmul(tf.reshape(x, [-1, cin]), tf.reshape(kernel, [-1, cin]), transpose_b=True)
        y = tf.transpose(tf.reshape(y, [shape[0], shape[1], shape[2], 2, 2, cout]), [0, 1, 3, 2, 4, 5])
        y = tf.reshape(y, [shape[0], 2 * shape[1], 2 * shape[2], cout])
        return tf.nn.relu(tf.nn.bias_add(y, tf.cast(self.bias, x.dtype)))


class MaskHead(Block):
    """Crops [M, 14, 14, C] -> mask logits [M, 28, 28, classes] in float32."""

    def __init__(
        self,
        channels: int,
        classes: int,
        normed: bool = False,
        width: int = MASK_CHANNELS,
        convs: int = 4,
        last: Initializer = HE,
    ) -> None:
        super().__init__()
        self.convs: list[Block] = [
            FrozenNormConv(cin, width, 3) if normed else Conv(cin, width, 3, relu=True, init=HE)
            for cin in (channels, *[width] * 3)[:convs]
        ]
        self.up = DoubledConv(width if convs else channels, width)
        self.masks = Conv(width, classes, init=last)

    def call(self, crops: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.masks(self.up([crops, *self.maps(crops)][-1])), tf.float32)

    def maps(self, crops: tf.Tensor) -> list[tf.Tensor]:
        """The maps after each convolution."""
        maps: list[tf.Tensor] = []
        for conv in self.convs:
            maps.append(conv(maps[-1] if maps else crops))
        return maps


class SmallMaskHead(Block):
    """Crops [M, 14, 14, C] -> mask logits [M, 28, 28, classes] in float32, for nets that learn from random
    weights.

    Args:
        cin: C.
        channels: of the convolutions.
        convolutions: before the crop is doubled.
        classes: with the background.
        agnostic: all classes have the same mask.
    """

    def __init__(self, cin: int, channels: int, convolutions: int, classes: int, agnostic: bool) -> None:
        super().__init__()
        self.convs = small_convs(cin, channels, convolutions)
        self.up = DoubledConv(channels if convolutions else cin, channels)
        self.masks = Conv(channels, 1 if agnostic else classes, init=normal(0.01))
        self._repeats = classes if agnostic else 1

    def call(self, crops: tf.Tensor) -> tf.Tensor:
        for conv in self.convs:
            crops = conv(crops)
        logits = tf.cast(self.masks(self.up(crops)), tf.float32)
        return tf.tile(logits, [1, 1, 1, self._repeats]) if self._repeats > 1 else logits
