"""The box refiner: how far a box is off, read from its node and from what lies in and around it."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.layers import Block, Conv, Dense, Initializer


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
