"""The box refiner: how far a box is off, read from its node and from what lies in and around it."""

from __future__ import annotations

import tensorflow as tf

from dsg.models.dsg.regions import crop, pack
from dsg.nets.layers import Block, Conv, Dense, Initializer

MARGIN = 1.25  # sides of the region that `surroundings` shows, over those of the box


class BoxRefiner(Block):
    """Nodes [B, N, D] -> deltas [B, N, 4] in units of TRAIN.BBOX_NORMALIZE_STDS; linear.

    With `channels` it also sees where in its crop [s, s, `cin`] a box shows what, which the mean over the
    crop does not say: a 1x1 convolution to so many channels, and two dense layers on all cells. With `fine`
    it sees `surroundings` [2 s, 2 s, `fine_cin`] in the same way, by a 3x3 convolution of stride 2: where an
    object ends is to be seen at both sides of its edge, and on a map that has not forgotten it.
    """

    def __init__(
        self,
        node_dim: int,
        init: Initializer,
        channels: int = 0,
        cin: int = 0,
        size: int = 0,
        fine: int = 0,
        fine_cin: int = 0,
    ) -> None:
        super().__init__()
        self.linear = Dense(node_dim, 4, init)
        if channels:
            self.cells = Conv(cin, channels, relu=True)
            self.hidden = Dense(size * size * channels, 4 * channels)
            self.spatial = Dense(4 * channels, 4, init)
        if fine:
            self.fine = Conv(fine_cin, fine, 3, 2, relu=True)
            self.fine_hidden = Dense(size * size * fine, 4 * fine)
            self.fine_spatial = Dense(4 * fine, 4, init)
        self._with_cells, self.with_fine = channels > 0, fine > 0

    def call(
        self,
        nodes: tf.Tensor,
        maps: tf.Tensor | None = None,
        row: tf.Tensor | None = None,
        around: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """`maps` [M, s, s, C] and `around` [M, 2 s, 2 s, C'] are those of the packed boxes, `row` int32
        [B, N] says which is whose.
        """
        deltas = self.linear(nodes)
        if self._with_cells:
            deltas += tf.gather(_read(self.cells(maps), self.hidden, self.spatial), row)
        if self.with_fine:
            deltas += tf.gather(_read(self.fine(around), self.fine_hidden, self.fine_spatial), row)
        return tf.cast(deltas, tf.float32)


def _read(cells: tf.Tensor, hidden: Dense, spatial: Dense) -> tf.Tensor:
    """Cells [M, s, s, C] -> deltas [M, 4]."""
    flat = tf.reshape(cells, [tf.shape(cells)[0], hidden.kernel.shape[0]])
    return spatial(tf.nn.relu(hidden(flat)))


def surroundings(
    features: tf.Tensor,
    boxes: tf.Tensor,
    valid: tf.Tensor,
    size: int,
    *,
    image_size: tf.Tensor,
    stride: int,
    padded: bool,
) -> tf.Tensor:
    """What lies in and around each valid box: [M, size, size, C], packed.

    Args:
        features: [B, h, w, C], at `stride`.
        boxes: float32 [B, N, 4], pixels.
        valid: bool [B, N].
        size: cells a side.
        image_size, padded: as in `dsg.models.dsg.regions.crop`.
    """
    places, _ = pack(valid)
    low, high = tf.split(tf.gather_nd(boxes, places), 2, axis=-1)
    centre, half = (low + high) / 2, (high - low) * (MARGIN / 2)
    wider = tf.concat([centre - half, centre + half], -1)
    image = tf.cast(places[:, 0], tf.int32)
    return crop(features, wider, image, size, image_size=image_size, stride=stride, padded=padded)
