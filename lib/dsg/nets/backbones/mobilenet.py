"""MobileNet-v1 (width 1): convolutions 0 to 11 at stride 16, 12 and 13 on crops.

A 3x3 convolution of stride 2 pads a row and a column on every side, which is not TensorFlow's SAME. Batch
normalisation is frozen and folded.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.layers import HE, Block, FrozenNormConv
from dsg.nets.masks import zero_padding
from dsg.nets.outputs import TrunkFeatures

EPSILON = 0.001
STEM = 32
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # of pointwise 1 to 13
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1)  # 12 too: crops are small already
TRUNK = 11  # blocks of the trunk; the rest is the head


class Depthwise(Block):
    """A 3x3 kernel for each channel, and frozen normalisation: [B, H, W, C] -> [B, H', W', C]."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (3, 3, channels, 1), HE)  # no weight decay acts on it
        self.gamma = self.weight("gamma", (channels,), "ones", trained=False)
        self.beta = self.weight("beta", (channels,), "zeros", trained=False)
        self.moving_mean = self.weight("moving_mean", (channels,), "zeros", trained=False)
        self.moving_variance = self.weight("moving_variance", (channels,), "ones", trained=False)
        self._stride = stride

    def call(self, x: tf.Tensor) -> tf.Tensor:
        variance = tf.convert_to_tensor(self.moving_variance)
        scale = tf.convert_to_tensor(self.gamma) * tf.math.rsqrt(variance + EPSILON)
        shift = tf.convert_to_tensor(self.beta) - tf.convert_to_tensor(self.moving_mean) * scale
        kernel = tf.cast(tf.convert_to_tensor(self.kernel) * scale[:, None], x.dtype)
        padding = "SAME"
        if self._stride > 1:
            x, padding = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), "VALID"
        y = tf.nn.depthwise_conv2d(x, kernel, [1, self._stride, self._stride, 1], padding)
        return tf.nn.bias_add(y, tf.cast(shift, x.dtype))


class Separable(Block):
    """A depthwise and a pointwise convolution, each normalised and cut off at 0 and 6."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.depthwise = Depthwise(cin, stride)
        self.pointwise = FrozenNormConv(cin, cout, relu=False, epsilon=EPSILON)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu6(self.pointwise(self.after_depthwise(x)))

    def after_depthwise(self, x: tf.Tensor) -> tf.Tensor:
        """The map between the two."""
        return tf.nn.relu6(self.depthwise(x))


class MobileTrunk(Block):
    """Images [B, H, W, 3] -> `TrunkFeatures` with 512 channels at stride 16."""

    channels = WIDTHS[TRUNK - 1]
    stride = 16
    fine_channels, fine_stride = 256, 8

    def __init__(self, fixed_layers: int = 5) -> None:
        super().__init__()
        self.conv0 = FrozenNormConv(3, STEM, 3, 2, relu=False, epsilon=EPSILON)
        self.blocks = separables(0, TRUNK)
        self._fixed_layers = fixed_layers  # convolution 0 is the first
        for block in [self.conv0, *self.blocks][:fixed_layers]:
            block.freeze()

    def call(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> TrunkFeatures:
        maps = self.maps(images, image_size)
        return TrunkFeatures(maps[3], maps[5], maps[6], maps[TRUNK])

    def maps(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> list[tf.Tensor]:
        """The maps after convolution 0 and after each block."""
        stride = 2
        maps = [zero_padding(tf.nn.relu6(self.conv0(images)), image_size, stride)]
        for number, (block, own) in enumerate(zip(self.blocks, STRIDES), 1):
            x = tf.stop_gradient(maps[-1]) if number == self._fixed_layers else maps[-1]
            stride *= own
            maps.append(zero_padding(block(x), image_size, stride))
        return maps


class MobileHead(Block):
    """Crops [M, 7, 7, 512] -> features [M, 1024], the mean of the last map."""

    dim = WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.blocks = separables(TRUNK, len(WIDTHS))

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.reduce_mean(self.maps(crops)[-1], [1, 2])

    def maps(self, crops: tf.Tensor) -> list[tf.Tensor]:
        """The maps after each block."""
        maps = [self.blocks[0](crops)]
        for block in self.blocks[1:]:
            maps.append(block(maps[-1]))
        return maps


def separables(start: int, stop: int) -> list[Separable]:
    """Blocks `start` + 1 to `stop`."""
    widths = (STEM, *WIDTHS)
    return [Separable(widths[n], widths[n + 1], STRIDES[n]) for n in range(start, stop)]
