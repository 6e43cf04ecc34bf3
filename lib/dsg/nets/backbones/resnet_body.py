"""ResNet 50, 101, 152 and ResNeXt-101 32x8d with all four blocks, in torchvision's layout.

The stride of a block is in the 3x3 convolution of its *first* unit, and in its 1x1 shortcut. Batch
normalisation is frozen and folded; its epsilon depends on where the weights come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dsg.nets.layers import Block, FrozenNormConv
from dsg.nets.masks import zero_padding

UNITS = {"res50": (3, 4, 6, 3), "res101": (3, 4, 23, 3), "res152": (3, 8, 36, 3), "x101_32x8d": (3, 4, 23, 3)}
GROUPS = {"x101_32x8d": 32}
CHANNELS = (256, 512, 1024, 2048)  # of c2 to c5
PIXEL_GAMMA, RESIDUAL_GAMMA = 1.0, 0.25  # scales of a net without weights


class GroupedNormConv(FrozenNormConv):
    """`FrozenNormConv` whose channels fall into groups that do not see each other: kernel [3, 3, C / groups,
    C].
    """

    def __init__(self, channels: int, groups: int, stride: int, epsilon: float) -> None:
        super().__init__(channels // groups, channels, 3, stride, epsilon=epsilon)
        self._groups = groups

    def call(self, x: tf.Tensor, centre_tap: bool = False) -> tf.Tensor:
        scale, shift = self._scale_and_shift()
        kernel = tf.cast(tf.convert_to_tensor(self.kernel) * scale, x.dtype)
        y = grouped_convolve(x, kernel, self._stride, self._groups)
        return tf.nn.relu(tf.nn.bias_add(y, tf.cast(shift, x.dtype)))


def grouped_convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int, groups: int) -> tf.Tensor:
    """A convolution in groups, padded by half the kernel on both sides.

    TensorFlow has the operation, but on processors not its gradient, which is taken group by group.
    """
    half = int(kernel.shape[0]) // 2
    padded = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])

    def plain(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, kernel, stride, "VALID")

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), tf.split(upstream, groups, -1))
            strides = [1, stride, stride, 1]
            of_x, of_kernel = [], []
            for own_x, own_kernel, own_upstream in parts:
                options = {"strides": strides, "padding": "VALID", "out_backprop": own_upstream}
                of_x.append(
                    tf.raw_ops.Conv2DBackpropInput(input_sizes=tf.shape(own_x), filter=own_kernel, **options)
                )
                of_kernel.append(
                    tf.raw_ops.Conv2DBackpropFilter(input=own_x, filter_sizes=tf.shape(own_kernel), **options)
                )
            return tf.concat(of_x, -1), tf.concat(of_kernel, -1)

        return plain(x, kernel), gradient

    return convolve(padded, kernel)


class Unit(Block):
    """1x1, 3x3 and 1x1 convolutions around a shortcut."""

    def __init__(self, cin: int, cout: int, stride: int, groups: int, epsilon: float) -> None:
        super().__init__()
        inner = cout // 4 if groups == 1 else cout // 256 * groups * 8
        self._project = cin != cout
        if self._project:
            self.shortcut = FrozenNormConv(cin, cout, 1, stride, relu=False, epsilon=epsilon)
        self.conv1 = FrozenNormConv(cin, inner, epsilon=epsilon)
        self.conv2 = (
            FrozenNormConv(inner, inner, 3, stride, epsilon=epsilon)
            if groups == 1
            else GroupedNormConv(inner, groups, stride, epsilon)
        )
        self.conv3 = FrozenNormConv(inner, cout, relu=False, epsilon=epsilon, gamma=RESIDUAL_GAMMA)

    def call(self, x: tf.Tensor, image_size: tf.Tensor | None, at_stride: int) -> tf.Tensor:
        """`at_stride` is that of `x`."""
        shortcut = self.shortcut(x) if self._project else x
        inner = zero_padding(self.conv1(x), image_size, at_stride)
        return tf.nn.relu(shortcut + self.conv3(self.conv2(inner)))


class ResnetBody(Block):
    """Images [B, H, W, 3] -> maps c2 to c5 at strides 4, 8, 16 and 32.

    Args:
        net: a key of `UNITS`.
        trained_blocks: from the last on; 3 leaves conv1 and block1 as they are, 5 trains all.
        epsilon: of the normalisation, see `dsg.checkpoints.published`.
    """

    fine_channels, fine_stride = CHANNELS[0], 4  # of c2

    def __init__(self, net: str, trained_blocks: int = 3, epsilon: float = 1e-5) -> None:
        super().__init__()
        groups = GROUPS.get(net, 1)
        self.conv1 = FrozenNormConv(3, 64, 7, 2, epsilon=epsilon, gamma=PIXEL_GAMMA)
        self.block1, self.block2, self.block3, self.block4 = (
            [
                Unit(
                    *(cin if n == 0 else cout, cout, 2 if n == 0 and number else 1),
                    groups=groups,
                    epsilon=epsilon,
                )
                for n in range(count)
            ]
            for number, (cin, cout, count) in enumerate(zip((64, *CHANNELS), CHANNELS, UNITS[net]))
        )
        self._fixed = 5 - trained_blocks  # of conv1 and the four blocks
        for block in [[self.conv1], *self._blocks()][: self._fixed]:
            for unit in block:
                unit.freeze()

    def call(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> list[tf.Tensor]:
        """With `image_size` [B, 2], what lies beside an image of a batch is zero for every layer."""
        x, stride, maps = self.stem(images, image_size), 4, []
        for number, units in enumerate(self._blocks()):
            if number + 1 == self._fixed:
                x = tf.stop_gradient(x)  # nothing below is trained, so nothing below is differentiated
            for place, unit in enumerate(units):
                x = unit(x, image_size, stride)
                if number and place == 0:
                    stride *= 2
            maps.append(zero_padding(x, image_size, stride))
        return maps

    def stem(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> tf.Tensor:
        """The map before block1, at stride 4."""
        x = zero_padding(self.conv1(images), image_size, 2)
        return tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])

    def _blocks(self) -> tuple[list[Unit], ...]:
        return self.block1, self.block2, self.block3, self.block4
