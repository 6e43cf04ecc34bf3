"""The layers of the baselines: embeddings, attention to an image's cells, and shifts of attention.

Letters: B images, Q queries of each, L = 14 cells a side, C channels of the features, M maps. Maps never get
below zero. All arithmetic is float32.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

from dsg.metrics.raster import MAP_SIZE
from dsg.nets.layers import Block


class Embedding(Block):
    """A vector for each of `count` indices: integers [...] -> float32 [..., width]."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.table = self.weight("table", (count, width), tf.keras.initializers.RandomUniform(-0.05, 0.05))

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.table), ids)


def attend(features: tf.Tensor, queries: tf.Tensor) -> tf.Tensor:
    """How much each cell has of what each query looks for.

    Args:
        features: float32 [B, L, L, C].
        queries: float32 [B, Q, C].

    Returns:
        relu(sum over channels of features * queries), float32 [B, Q, L, L].
    """
    return tf.nn.relu(tf.einsum("bhwc,bqc->bqhw", features, queries))


def attend_shifted(attention: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """`attend(features * shift, queries)` from `attend(features, queries)`, all maps float32 [..., L, L].

    A shift multiplies every channel of a cell by one number that is not negative, which comes out of the
    sum and of the ReLU: relu(sum of f s q) = s relu(sum of f q). So features are read once, whatever the
    number of iterations.
    """
    return attention * shift


class PredicateConv(Block):
    """A convolution with a kernel of its own for each predicate, stride 1, same size, no bias, then a
    ReLU.
    """

    def __init__(self, predicates: int, size: int, cin: int, cout: int) -> None:
        super().__init__()
        # Glorot's limit for one predicate's kernel, not for all of them together.
        limit = math.sqrt(6.0 / (size * size * (cin + cout)))
        uniform = tf.keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.weight("kernel", (predicates, size, size, cin, cout), uniform)

    def call(self, x: tf.Tensor, predicates: tf.Tensor) -> tf.Tensor:
        """float32 [M, L, L, cin], int32 [M] -> float32 [M, L, L, cout]."""
        kernels = tf.gather(tf.convert_to_tensor(self.kernel), predicates)
        return tf.nn.relu(convolve_each(x, kernels))


class PredicateModules(Block):
    """Learned shifts: for each predicate a stack of convolutions 1 -> c -> ... -> c -> 1, then tanh.

    Only the modules of the predicates asked for are evaluated; in the release, whose kernel of layer i and
    predicate k is called `conv{i}-predicate{k}` (`conv{i}-inv-predicate{k}` in the inverse set), all are.
    """

    def __init__(self, predicates: int, layers: int, size: int, channels: int) -> None:
        super().__init__()
        widths = [1, *[channels] * (layers - 1), 1]
        self.layers = [PredicateConv(predicates, size, cin, cout) for cin, cout in zip(widths, widths[1:])]

    def call(self, maps: tf.Tensor, predicates: tf.Tensor) -> tf.Tensor:
        """Maps float32 [M, L, L] and predicates int32 [M] -> shifted maps in [0, 1), float32 [M, L, L]."""
        x = maps[..., None]
        for layer in self.layers:
            x = layer(x, predicates)
        return tf.tanh(x[..., 0])


class StatisticalShift(Block):
    """A fixed shift for each predicate: tanh(relu(map conv filter)), filters [R, S, S] from `statistic`."""

    def __init__(self, predicates: int, size: int) -> None:
        super().__init__()
        self.filters = self.weight("filters", (predicates, size, size), "zeros", trained=False)

    def call(self, maps: tf.Tensor, predicates: tf.Tensor) -> tf.Tensor:
        """Maps float32 [M, L, L] and predicates int32 [M] -> shifted maps in [0, 1), float32 [M, L, L]."""
        filters = tf.gather(tf.convert_to_tensor(self.filters), predicates)
        # What is called a convolution correlates: only with the filter turned round does mass at y move to
        # y + u.
        kernels = tf.reverse(filters, [1, 2])[..., None, None]
        return tf.tanh(tf.nn.relu(convolve_each(maps[..., None], kernels)[..., 0]))


def convolve_each(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Each map with a kernel of its own, as `tf.nn.conv2d` with SAME does: [M, L, L, cin], [M, k, k, cin,
    cout] -> [M, L, L, cout].

    Cells are gathered to columns, which leaves one product of matrices a map; for maps of 14 x 14 cells
    this was the fastest of several ways on a CPU.
    """
    size, cin, cout = int(kernels.shape[1]), int(kernels.shape[3]), int(kernels.shape[4])
    side = int(x.shape[1])
    before = (size - 1) // 2
    padding = [before, size - 1 - before]
    padded = tf.pad(x, [[0, 0], padding, padding, [0, 0]])
    # Cells first, so that a gathered row is long: [(side + k - 1)^2, M * cin].
    rows = tf.reshape(tf.transpose(padded, [1, 2, 0, 3]), [(side + size - 1) ** 2, -1])
    columns = tf.gather(rows, window_cells(side, size).reshape(-1))
    columns = tf.reshape(columns, [side * side, size * size, tf.shape(x)[0], cin])
    flat = tf.reshape(kernels, [-1, size * size, cin, cout])
    return tf.reshape(tf.einsum("pkmc,mkcd->mpd", columns, flat), [-1, side, side, cout])


@functools.lru_cache(maxsize=8)
def window_cells(side: int, size: int) -> np.ndarray:
    """int32 [side^2, size^2]: which cells of the padded map, in row order, each cell's window holds."""
    row, column = np.indices((side, side)).reshape(2, -1, 1)
    down, right = np.indices((size, size)).reshape(2, 1, -1)
    return np.asarray((row + down) * (side + size - 1) + column + right, np.int32)


def flatten_maps(maps: tf.Tensor) -> tf.Tensor:
    """[B, Q, L, L] -> [B, Q, L * L]."""
    return tf.reshape(maps, [tf.shape(maps)[0], tf.shape(maps)[1], MAP_SIZE * MAP_SIZE])
