"""VGG-16 up to conv5_3 at stride 16, and its two dense layers on crops."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.layers import HE, Block, Conv, Dense
from dsg.nets.masks import zero_padding
from dsg.nets.outputs import TrunkFeatures
from dsg.nets.seeds import content_seed

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)
CROP = 7  # cells a side of what the dense layers read
HIDDEN = 4096
DROPOUT = 0.5


class VggTrunk(Block):
    """Images [B, H, W, 3] -> `TrunkFeatures` with 512 channels at stride 16; pools round up."""

    channels = 512
    stride = 16
    fine_channels, fine_stride = 256, 8

    def __init__(self, fixed_blocks: int = 2) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = (
            [Conv(cin if n == 0 else cout, cout, 3, relu=True, init=HE) for n in range(count)]
            for cin, cout, count in zip((3, *WIDTHS), WIDTHS, CONVOLUTIONS)
        )
        self._fixed_blocks = fixed_blocks
        for convs in self._blocks()[:fixed_blocks]:
            for conv in convs:
                conv.freeze()

    def call(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> TrunkFeatures:
        pools = self.maps(images, image_size)
        return TrunkFeatures(pools[0], pools[1], pools[2], pools[4])

    def maps(self, images: tf.Tensor, image_size: tf.Tensor | None = None) -> list[tf.Tensor]:
        """The maps after the first four pools, and conv5_3."""
        x, maps = images, []
        for number, convs in enumerate(self._blocks()):
            if number == self._fixed_blocks:
                x = tf.stop_gradient(x)  # nothing below is trained, so nothing below is differentiated
            for conv in convs:
                x = zero_padding(conv(x), image_size, 2**number)
            if number < 4:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            maps.append(x)
        return maps

    def _blocks(self) -> tuple[list[Conv], ...]:
        return self.conv1, self.conv2, self.conv3, self.conv4, self.conv5


class VggHead(Block):
    """Crops [M, 7, 7, 512] -> features [M, 4096]; dropout after both layers in training."""

    dim = HIDDEN

    def __init__(self) -> None:
        super().__init__()
        self.fc6 = Dense(CROP * CROP * WIDTHS[-1], HIDDEN, HE)
        self.fc7 = Dense(HIDDEN, HIDDEN, HE)

    def call(self, crops: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.layers_of(crops, training)[-1]

    def layers_of(self, crops: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """What both layers say."""
        x, outputs = tf.reshape(crops, [-1, self.fc6.kernel.shape[0]]), []
        for number, layer in enumerate((self.fc6, self.fc7)):
            x = tf.nn.relu(layer(x))
            if training:
                x = tf.nn.experimental.stateless_dropout(x, DROPOUT, content_seed(x, number))
            outputs.append(x)
        return outputs
