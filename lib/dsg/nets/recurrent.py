"""Recurrent layers over sequences of different lengths."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dsg.nets.layers import Block, Dense


class Lstm(Block):
    """Sequences [B, T, D] -> hidden states [B, T, H]. Gates lie in the order input, forget, cell, output."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        limit = 1.0 / math.sqrt(hidden)
        init = tf.keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.weight("kernel", (dim, 4 * hidden), init, decay="kernel")
        self.recurrent_kernel = self.weight("recurrent_kernel", (hidden, 4 * hidden), init, decay="kernel")
        self.bias = self.weight("bias", (4 * hidden,), init, decay="bias")
        self.hidden = hidden

    def call(self, sequences: tf.Tensor) -> tf.Tensor:
        inputs = tf.einsum("btd,dh->tbh", sequences, tf.convert_to_tensor(self.kernel)) + self.bias
        zeros = tf.zeros([tf.shape(sequences)[0], self.hidden], sequences.dtype)

        def step(state: tuple[tf.Tensor, tf.Tensor], gates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            hidden, cell = state
            gates += tf.matmul(hidden, tf.convert_to_tensor(self.recurrent_kernel))
            let_in, keep, new, let_out = tf.split(gates, 4, -1)
            cell = tf.sigmoid(let_in) * tf.tanh(new) + tf.sigmoid(keep) * cell
            return tf.sigmoid(let_out) * tf.tanh(cell), cell

        return tf.transpose(over_time(step, inputs, (zeros, zeros))[0], [1, 0, 2])


class BidirectionalLstm(Block):
    """Sequences [B, T, D] -> [B, T, 2 H], what both directions say."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.forward, self.backward = Lstm(dim, hidden), Lstm(dim, hidden)

    def call(self, sequences: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """`lengths` int32 [B]; what comes out behind a sequence's end is of no meaning."""
        reverse = tf.reverse_sequence(sequences, lengths, seq_axis=1)
        backward = tf.reverse_sequence(self.backward(reverse), lengths, seq_axis=1)
        return tf.concat([self.forward(sequences), backward], -1)


class GruCell(Block):
    """An input [M, D] and a state [M, H] -> the next state [M, H]. Gates lie in the order reset, update, new;
    the reset gate acts on what the state says, its bias included.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        limit = 1.0 / math.sqrt(hidden)
        init = tf.keras.initializers.RandomUniform(-limit, limit)
        self.inputs, self.state = Dense(dim, 3 * hidden, init), Dense(hidden, 3 * hidden, init)

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        reset_x, update_x, new_x = tf.split(self.inputs(inputs), 3, -1)
        reset_h, update_h, new_h = tf.split(self.state(state), 3, -1)
        update = tf.sigmoid(update_x + update_h)
        new = tf.tanh(new_x + tf.sigmoid(reset_x + reset_h) * new_h)
        return update * state + (1.0 - update) * new


def over_time(step: Callable[..., Any], inputs: Any, state: tuple[tf.Tensor, ...]) -> Any:
    """The states [T, ...] that `step(state, input)` gives one after another.

    Args:
        step: of the same structure in and out.
        inputs: [T, ...], or a tuple of such; T may be 0.
        state: before the first step.
    """
    steps = tf.shape(tf.nest.flatten(inputs)[0])[0]
    extra = tf.cast(tf.equal(steps, 0), tf.int32)  # tf.scan needs a step

    def lengthened(values: tf.Tensor) -> tf.Tensor:
        return tf.pad(values, tf.stack([[0, extra], *[[0, 0]] * (len(values.shape) - 1)]))

    states = tf.scan(step, tf.nest.map_structure(lengthened, inputs), state)
    return tf.nest.map_structure(lambda values: values[:steps], states)
