"""ResNet-v1 50, 101 and 152 up to stride 16 (C4), and the fourth block that runs on crops.

There are two layouts, and weights of one are of no use in the other. In slim's the stride of a block sits in
its *last* unit, and block1 and block2 halve the map; in torchvision's it sits in the *first* unit, and block2
and block3 halve the map. In both, the map after block3 has stride 16, and block4 has none on crops. Batch
normalisation is frozen and folded (`FrozenNormConv`).
"""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.layers import Block, Conv, FrozenNormConv, single_cells
from dsg.nets.masks import zero_padding
from dsg.nets.outputs import TrunkFeatures

UNITS = {"res50": (3, 4, 6), "res101": (3, 4, 23), "res152": (3, 8, 36)}
SLIM, TORCHVISION = "slim", "torchvision"
HALVED = {SLIM: (2, 2, 1), TORCHVISION: (1, 2, 2)}  # by layout, the strides of blocks 1 to 3
BLOCK4_UNITS = 3
# Scales of a trunk without weights (ImageNet's replace them). Frozen statistics of 0 and 1 normalise nothing:
# at scale 1 raw pixels and dozens of residual units would grow until the loss is no number.
PIXEL_GAMMA = 1 / 64
RESIDUAL_GAMMA = 0.25


class Bottleneck(Block):
    """1x1, 3x3 and 1x1 convolutions around a shortcut; the 3x3 one carries the stride."""

    def __init__(self, cin: int, cout: int, stride: int = 1, gamma: float = 1.0) -> None:
        super().__init__()
        inner = cout // 4
        if cin != cout:
            self.shortcut = FrozenNormConv(cin, cout, 1, stride, relu=False)
        self.conv1 = FrozenNormConv(cin, inner)
        self.conv2 = FrozenNormConv(inner, inner, 3, stride)
        self.conv3 = FrozenNormConv(inner, cout, relu=False, gamma=gamma)
        self._identity, self._stride = cin == cout, stride

    def call(
        self,
        x: tf.Tensor,
        image_size: tf.Tensor | None = None,
        at_stride: int = 16,
        centre_tap: bool = False,
    ) -> tf.Tensor:
        if self._identity:
            shortcut = x if self._stride == 1 else x[:, :: self._stride, :: self._stride]
        else:
            shortcut = self.shortcut(x)
        inner = zero_padding(self.conv1(x), image_size, at_stride)
        return tf.nn.relu(shortcut + self.conv3(self.conv2(inner, centre_tap=centre_tap)))


def stage(
    cin: int, cout: int, units: int, stride: int, gamma: float = 1.0, layout: str = SLIM
) -> list[Bottleneck]:
    """The units of one block, the last or, in torchvision's layout, the first of them with the stride."""
    return [
        Bottleneck(cin if n == 0 else cout, cout, stride if n == _strided(units, layout) else 1, gamma)
        for n in range(units)
    ]


def _strided(units: int, layout: str) -> int:
    """The unit of a block that has its stride."""
    return units - 1 if layout == SLIM else 0


class ResnetTrunk(Block):
    """Images [B, H, W, 3] -> `TrunkFeatures` with 1024 channels at stride 16.

    Args:
        net: a key of `UNITS`.
        fixed_blocks: blocks after conv1 that, like conv1, are never trained.
        layout: SLIM or TORCHVISION.
    """

    channels = 1024
    fine_channels = 256  # of block 1

    def __init__(self, net: str, fixed_blocks: int = 1, layout: str = SLIM) -> None:
        super().__init__()
        counts, halved = UNITS[net], HALVED[layout]
        self.conv1 = FrozenNormConv(3, 64, 7, 2, gamma=PIXEL_GAMMA)
        self.block1 = stage(64, 256, counts[0], halved[0], RESIDUAL_GAMMA, layout)
        self.block2 = stage(256, 512, counts[1], halved[1], RESIDUAL_GAMMA, layout)
        self.block3 = stage(512, 1024, counts[2], halved[2], RESIDUAL_GAMMA, layout)
        self.fine_stride = 4 * halved[0]
        self._fixed_blocks, self._layout = fixed_blocks, layout
        self.conv1.freeze()  # even where no block is fixed, as in the release
        for units in (self.block1, self.block2, self.block3)[:fixed_blocks]:
            for unit in units:
                unit.freeze()

    def call(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> TrunkFeatures:
        x = zero_padding(self.conv1(images), image_size, 2)
        # The release pads with zeros, then pools; after a ReLU that equals padding which never wins.
        base = tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
        maps, x, stride = [], base, 4
        for number, units in enumerate((self.block1, self.block2, self.block3)):
            if number == self._fixed_blocks:
                x = tf.stop_gradient(x)  # nothing below is trained, so nothing below is differentiated
            for place, unit in enumerate(units):
                x = unit(x, image_size, stride)
                if place == _strided(len(units), self._layout):
                    stride *= HALVED[self._layout][number]
            maps.append(x)
        if self._fixed_blocks == 3:
            maps[2] = tf.stop_gradient(x)
        return TrunkFeatures(base, maps[0], maps[1], zero_padding(maps[2], image_size, 16))


class Block4(Block):
    """Crops [M, s, s, 1024] -> [M, s, s, 2048]: one of the two copies of ResNet's last block."""

    def __init__(self) -> None:
        super().__init__()
        self.units = stage(1024, 2048, BLOCK4_UNITS, 1)

    def call(self, crops: tf.Tensor) -> tf.Tensor:
        maps = single_cells(crops)
        for unit in self.units:
            maps = unit(maps, centre_tap=maps.shape.rank == 2)
        return tf.reshape(maps, tf.concat([tf.shape(crops)[:3], [maps.shape[-1]]], 0))


class ResnetHead(Block):
    """Crops [M, s, s, 1024] -> block 4 [M, s, s, 2048] and features [M, dim]: a linear map, averaged over the
    crop.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.width = 2048  # of the maps
        self.block4 = Block4()
        self.project = Conv(2048, dim, decayed=False)

    def call(self, crops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        maps = self.block4(crops)
        # The mean of a linear map is the map of the mean: one position instead of s * s.
        mean = tf.reduce_mean(maps, [1, 2], keepdims=True)
        return maps, self.project(mean)[:, 0, 0]
