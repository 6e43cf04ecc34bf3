"""LSTMs along a binary tree, all boxes of a level at once: from the leaves to the root, and back.

N boxes of a batch of trees, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dsg.models.grounding.trees import Forest
from dsg.nets.layers import Block, Dense

States = tuple[tf.Tensor, ...]


class BlockOrthogonal(tf.keras.initializers.Initializer):
    """Each of several square or oblong blocks of columns is orthogonal."""

    def __init__(self, blocks: int, seed: int | None = None) -> None:
        self.blocks, self.seed = blocks, seed

    def __call__(self, shape: tuple[int, ...], dtype: object = None, **kwargs: object) -> tf.Tensor:
        rows, columns = shape
        width = columns // self.blocks
        # An initializer with a seed draws the same again: each block has its own.
        parts = [
            tf.keras.initializers.Orthogonal(seed=(self.seed or 0) + number)((rows, width))
            for number in range(self.blocks)
        ]
        return tf.concat(parts, 1)

    def get_config(self) -> dict[str, int | None]:
        return {"blocks": self.blocks, "seed": self.seed}


def by_levels(
    forest: Forest, states: States, step: Callable[[tf.Tensor, States], States], *, upwards: bool
) -> States:
    """States [N + 1, ...] of all boxes, computed level by level; the last row, of no box, stays as it is.

    Args:
        forest: the trees.
        states: before, the rows of boxes of no meaning.
        step: from the boxes int32 [W] of a level and the states so far to their states [W, ...].
        upwards: the deepest level first.
    """
    count, none = tf.shape(forest.levels)[0], tf.shape(forest.left)[0]

    def body(number: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        level = forest.levels[count - 1 - number if upwards else number]
        boxes = tf.boolean_mask(level, level < none)
        new = step(boxes, states)
        kept = (tf.tensor_scatter_nd_update(old, boxes[:, None], values) for old, values in zip(states, new))
        return number + 1, tuple(kept)

    return tf.while_loop(lambda number, _: number < count, body, (tf.constant(0), states))[1]


class LeavesToRoot(Block):
    """Inputs [N, D] -> hidden states [N, H]; a box reads its two children. Gates lie in the order input,
    output, forget left, forget right, cell, highway.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.px = Dense(dim, hidden, BlockOrthogonal(1))
        self.x = Dense(dim, 6 * hidden, BlockOrthogonal(6))
        self.left = Dense(hidden, 6 * hidden, BlockOrthogonal(6))
        self.right = Dense(hidden, 6 * hidden, BlockOrthogonal(6))
        for side in (self.left, self.right):
            side.bias.assign(_forget_bias(hidden, 6, (2, 3), 0.5))
        self._hidden = hidden

    def call(self, inputs: tf.Tensor, forest: Forest) -> tf.Tensor:
        gates, carried = self.x(inputs), self.px(inputs)

        def step(boxes: tf.Tensor, states: States) -> States:
            (left_h, left_c), (right_h, right_c) = (
                tuple(tf.gather(state, tf.gather(children, boxes)) for state in states)
                for children in (forest.left, forest.right)
            )
            total = tf.gather(gates, boxes) + self.left(left_h) + self.right(right_h)
            let_in, let_out, keep_left, keep_right, new, highway = tf.split(total, 6, -1)
            cell = tf.sigmoid(let_in) * tf.tanh(new)
            cell += tf.sigmoid(keep_left) * left_c + tf.sigmoid(keep_right) * right_c
            return _hidden(cell, let_out, highway, tf.gather(carried, boxes)), cell

        return by_levels(forest, _zeros(inputs, self._hidden), step, upwards=True)[0][:-1]


class RootToLeaves(Block):
    """Inputs [N, D] -> hidden states [N, H]; a box reads its parent. Gates lie in the order input, output,
    forget, cell, highway.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.px = Dense(dim, hidden, BlockOrthogonal(1))
        self.x = Dense(dim, 5 * hidden, BlockOrthogonal(5))
        self.h = Dense(hidden, 5 * hidden, BlockOrthogonal(5))
        self.h.bias.assign(_forget_bias(hidden, 5, (2,), 1.0))
        self._hidden = hidden

    def call(self, inputs: tf.Tensor, forest: Forest) -> tf.Tensor:
        gates, carried = self.x(inputs), self.px(inputs)

        def step(boxes: tf.Tensor, states: States) -> States:
            parents = tf.gather(forest.parents, boxes)
            before = tuple(tf.gather(state, parents) for state in states)
            return self.advance(tf.gather(gates, boxes), tf.gather(carried, boxes), before)

        return by_levels(forest, _zeros(inputs, self._hidden), step, upwards=False)[0][:-1]

    def advance(self, gates: tf.Tensor, carried: tf.Tensor, before: States) -> States:
        """Hidden state and cell of boxes from those of their parents, and what `x` and `px` make of their
        input.
        """
        hidden, cell = before
        let_in, let_out, keep, new, highway = tf.split(gates + self.h(hidden), 5, -1)
        cell = tf.sigmoid(let_in) * tf.tanh(new) + tf.sigmoid(keep) * cell
        return _hidden(cell, let_out, highway, carried), cell


class TreeLstm(Block):
    """Inputs [N, D] -> [N, 2 H], what both directions say."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.up, self.down = LeavesToRoot(dim, hidden), RootToLeaves(dim, hidden)

    def call(self, inputs: tf.Tensor, forest: Forest) -> tf.Tensor:
        return tf.concat([self.up(inputs, forest), self.down(inputs, forest)], -1)


def _hidden(cell: tf.Tensor, let_out: tf.Tensor, highway: tf.Tensor, carried: tf.Tensor) -> tf.Tensor:
    gate = tf.sigmoid(highway)
    return gate * (tf.sigmoid(let_out) * tf.tanh(cell)) + (1.0 - gate) * carried


def _zeros(inputs: tf.Tensor, hidden: int) -> States:
    zeros = tf.zeros([tf.shape(inputs)[0] + 1, hidden], inputs.dtype)
    return zeros, zeros


def _forget_bias(hidden: int, blocks: int, forget: tuple[int, ...], value: float) -> np.ndarray:
    bias = np.zeros(blocks * hidden, np.float32)
    for block in forget:
        bias[block * hidden : (block + 1) * hidden] = value
    return bias
