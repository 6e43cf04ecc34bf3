"""The feature pyramid: maps of a body at four strides, joined from the coarsest down."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.boxes.anchors import PYRAMID_STRIDES
from dsg.nets.layers import Block, Conv, FrozenNormConv
from dsg.nets.masks import zero_padding

CHANNELS = 256
STRIDES = PYRAMID_STRIDES  # of p2 to p6


class Pyramid(Block):
    """Maps c2 to c5 -> p2 to p5 and the pool p6, 256 channels each, at strides 4, 8, 16, 32 and 64.

    Args:
        widths: channels of the body's maps.
        normed: every convolution has batch normalisation, frozen, instead of a bias.
    """

    channels = CHANNELS

    def __init__(self, widths: Sequence[int], normed: bool = False) -> None:
        super().__init__()

        def conv(cin: int, size: int) -> Block:
            if normed:
                return FrozenNormConv(cin, CHANNELS, size, relu=False)
            return Conv(cin, CHANNELS, size)

        self.lateral = [conv(width, 1) for width in widths]
        self.smooth = [conv(CHANNELS, 3) for _ in widths]

    def call(self, maps: Sequence[tf.Tensor], image_size: tf.Tensor | None = None) -> list[tf.Tensor]:
        """With `image_size` [B, 2], what lies beside an image of a batch is zero."""
        outputs: list[tf.Tensor] = []
        joined: tf.Tensor = None
        for number in range(len(maps) - 1, -1, -1):
            own = self.lateral[number](maps[number])
            joined = own if joined is None else own + upsample(joined, tf.shape(own)[1:3])
            joined = zero_padding(joined, image_size, STRIDES[number])
            outputs.insert(0, zero_padding(self.smooth[number](joined), image_size, STRIDES[number]))
        return [*outputs, outputs[-1][:, ::2, ::2]]


def upsample(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """[B, h, w, C] -> [B, *size, C]: cell floor(i * in / out)."""
    rows, columns = (tf.range(size[axis]) * tf.shape(x)[axis + 1] // size[axis] for axis in range(2))
    return tf.gather(tf.gather(x, rows, axis=1), columns, axis=2)
