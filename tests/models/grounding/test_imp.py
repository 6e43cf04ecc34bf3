"""IMP's messages: an example by hand, and the rounds in plain loops."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.imp import ImpContext
from dsg.models.grounding.motif import ContextSizes


def imp(hidden: int, rounds: int) -> ImpContext:
    tf.keras.utils.set_random_seed(2)
    return ImpContext(ContextSizes(5, 4, 6, hidden, 3), rounds=rounds)


def test_a_round_by_hand() -> None:
    layer = imp(1, 1)
    for name, variable in layer.named_variables().items():
        variable.assign(tf.zeros_like(variable))
        if name.endswith("gru/inputs/kernel"):
            variable.assign([[0.0, 0.0, 1.0]])
    # Gates are open by half, and half of a state is kept: h' = h / 2 + tanh(heard) / 2.
    boxes, pairs = layer.exchanged(tf.constant([[1.0], [2.0]]), tf.constant([[0.5]]), tf.constant([[0, 1]]))
    np.testing.assert_allclose(pairs, [[0.25 + np.tanh(0.5 * 1 + 0.5 * 2) / 2]], rtol=1e-6)
    np.testing.assert_allclose(boxes, [[0.5 + np.tanh(0.25) / 2], [1.0 + np.tanh(0.25) / 2]], rtol=1e-6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def dense(layer, x: np.ndarray) -> np.ndarray:
    return x @ np.asarray(layer.kernel, float) + np.asarray(layer.bias, float)


def gru(cell, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    (rx, zx, nx), (rh, zh, nh) = (np.split(dense(*two), 3) for two in ((cell.inputs, x), (cell.state, h)))
    z = sigmoid(zx + zh)
    return z * h + (1 - z) * np.tanh(nx + sigmoid(rx + rh) * nh)


def test_rounds_in_loops() -> None:
    layer, rng = imp(4, 2), np.random.default_rng(0)
    for variable in layer.named_variables().values():
        variable.assign(rng.normal(size=variable.shape))
    rows = [(0, 1), (1, 0), (2, 0), (1, 2), (2, 2)]  # the last says nothing to its box
    boxes, pairs = rng.normal(size=(3, 4)), rng.normal(size=(len(rows), 4))
    got = layer.exchanged(tf.constant(boxes, tf.float32), tf.constant(pairs, tf.float32), tf.constant(rows))

    def passed(gate, box: np.ndarray, pair: np.ndarray) -> np.ndarray:
        return sigmoid(dense(gate.weights, np.concatenate([box, pair])))

    for _ in range(2):
        heard, said = np.zeros_like(boxes), np.zeros_like(pairs)
        for number, (s, o) in enumerate(rows):
            pair = pairs[number]
            said[number] = passed(layer.from_subject, boxes[s], pair) * boxes[s]
            said[number] += passed(layer.from_object, boxes[o], pair) * boxes[o]
            if s != o:
                heard[s] += passed(layer.to_subject, boxes[s], pair) * pair
                heard[o] += passed(layer.to_object, boxes[o], pair) * pair
        boxes = np.array([gru(layer.node_gru, *row) for row in zip(heard, boxes)])
        pairs = np.array([gru(layer.edge_gru, *row) for row in zip(said, pairs)])
    np.testing.assert_allclose(got[0], boxes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[1], pairs, rtol=1e-4, atol=1e-5)
