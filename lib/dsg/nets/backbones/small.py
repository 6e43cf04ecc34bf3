"""Small trunks of basic blocks: res18 (ImageNet weights, folded norm) and mini (random weights, kernels
normalised as it trains).

Both run up to stride 16. With `feature_stride` 8 the stride-16 map is brought back to stride 8 and joined
with the two blocks before, so that objects of 25 pixels cover more than one cell and keep their detail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import tensorflow as tf

from dsg.nets.layers import Block, Conv, Dense, StandardisedConv, single_cells
from dsg.nets.masks import zero_padding
from dsg.nets.outputs import TrunkFeatures

# Channels of the stem and of the three blocks, units a block, kernel of the stem, width of the joined map.
# `scale` brings pixels to unit size where no ImageNet weights expect otherwise.
LAYOUTS = {
    "res18": {
        "widths": (64, 64, 128, 256),
        "units": (2, 2, 2),
        "stem": 7,
        "imagenet": True,
        "joined": 128,
        "scale": 1.0,
    },
    "mini": {
        "widths": (24, 48, 96, 160),
        "units": (1, 2, 2),
        "stem": 5,
        "imagenet": False,
        "joined": 128,
        "scale": 1 / 64,
    },
}


ConvType = Union[type[Conv], type[StandardisedConv]]


class BasicUnit(Block):
    """Two 3x3 convolutions around a shortcut; the first carries the stride."""

    def __init__(self, cin: int, cout: int, stride: int, conv: ConvType) -> None:
        super().__init__()
        if stride > 1 or cin != cout:
            self.shortcut = conv(cin, cout, 1, stride, relu=False)
        self.conv1 = conv(cin, cout, 3, stride, relu=True)
        self.conv2 = conv(cout, cout, 3, relu=False)
        self._project = stride > 1 or cin != cout

    def call(self, x: tf.Tensor, image_size: tf.Tensor | None, at_stride: int) -> tf.Tensor:
        """`x` is zero in the padding, and so is the result, which has stride `at_stride`."""
        shortcut = self.shortcut(x) if self._project else x
        inner = zero_padding(self.conv1(x), image_size, at_stride)
        return zero_padding(tf.nn.relu(shortcut + self.conv2(inner)), image_size, at_stride)


class SmallTrunk(Block):
    """Images [B, H, W, 3] -> `TrunkFeatures` at stride 16 or 8."""

    def __init__(self, net: str, feature_stride: int = 16, fixed_blocks: int = 0) -> None:
        super().__init__()
        layout = LAYOUTS[net]
        widths: Sequence[int] = layout["widths"]  # type: ignore[assignment]
        units: Sequence[int] = layout["units"]  # type: ignore[assignment]
        # ImageNet kernels come with their norm folded in and are used as they are.
        conv: ConvType = Conv if layout["imagenet"] else StandardisedConv
        joined = int(layout["joined"])  # type: ignore[call-overload]
        self._scale = float(layout["scale"])  # type: ignore[arg-type]
        self.conv1 = conv(3, widths[0], int(layout["stem"]), 2, relu=True)  # type: ignore[call-overload]
        self.block1 = self._stage(widths[0], widths[1], units[0], 1, conv)
        self.block2 = self._stage(widths[1], widths[2], units[1], 2, conv)
        self.block3 = self._stage(widths[2], widths[3], units[2], 2, conv)
        self._feature_stride, self._fixed_blocks = feature_stride, fixed_blocks
        if fixed_blocks:  # with 0 all is trained, the stem included
            fixed = (self.block1, self.block2, self.block3)[:fixed_blocks]
            for unit in [self.conv1, *(unit for units_of in fixed for unit in units_of)]:
                unit.freeze()
        self.channels = joined if feature_stride == 8 else widths[3]
        self.fine_channels, self.fine_stride = widths[1], 4  # of block 1
        if feature_stride == 8:
            self.coarse = StandardisedConv(widths[3], joined, 1, relu=False)
            self.lateral = StandardisedConv(widths[2], joined, 1, relu=False)
            self.detail = StandardisedConv(4 * widths[1], joined, 1, relu=False)
            self.join = StandardisedConv(joined, joined, 3)

    @staticmethod
    def _stage(cin: int, cout: int, units: int, stride: int, conv: ConvType) -> list[BasicUnit]:
        return [BasicUnit(cin if n == 0 else cout, cout, stride if n == 0 else 1, conv) for n in range(units)]

    def call(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> TrunkFeatures:
        x = zero_padding(self.conv1(images * self._scale), image_size, 2)
        base = zero_padding(tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]), image_size, 4)
        maps, x, stride = [], base, 4
        for number, units in enumerate((self.block1, self.block2, self.block3)):
            if number and number == self._fixed_blocks:
                x = tf.stop_gradient(x)
            stride *= 2 if number else 1
            for unit in units:
                x = unit(x, image_size, stride)
            maps.append(x)
        features = maps[2]
        if self._fixed_blocks == 3:
            features = tf.stop_gradient(features)
        if self._feature_stride == 8:
            fine = tf.shape(maps[1])
            coarse = tf.repeat(tf.repeat(self.coarse(features), 2, axis=1), 2, axis=2)[
                :, : fine[1], : fine[2]
            ]
            detail = self.detail(_quarters(maps[0]))
            joined = zero_padding(tf.nn.relu(self.lateral(maps[1]) + coarse + detail), image_size, 8)
            features = zero_padding(self.join(joined), image_size, 8)
        return TrunkFeatures(base, maps[0], maps[1], features)


class SmallHead(Block):
    """Crops [M, s, s, C] -> maps [M, s, s, channels] and features [M, dim], for nets without an ImageNet
    block 4.
    """

    def __init__(self, cin: int, channels: int, dim: int, size: int, convolutions: int = 2) -> None:
        super().__init__()
        self.width = channels  # of the maps
        kernel = 3 if size > 1 else 1
        widths = [cin, *[channels] * convolutions]
        self.convs = [StandardisedConv(a, b, kernel) for a, b in zip(widths[:-1], widths[1:])]
        self.project = Dense(channels, dim, decayed=False)

    def call(self, crops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        maps = single_cells(crops)
        for conv in self.convs:
            maps = conv(maps)
        maps = tf.reshape(maps, tf.concat([tf.shape(crops)[:3], [maps.shape[-1]]], 0))
        return maps, self.project(tf.reduce_mean(maps, [1, 2]))


def _quarters(x: tf.Tensor) -> tf.Tensor:
    """[B, h, w, C] -> [B, ceil(h / 2), ceil(w / 2), 4 C]: each 2x2 group of cells becomes one."""
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    return tf.nn.space_to_depth(tf.pad(x, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]]), 2)
