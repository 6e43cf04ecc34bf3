"""Rows a few at a time: the same values and gradients as all at once."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.chunks import in_chunks, recomputed_in_chunks

TABLE = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def function(rows: tf.Tensor, table: tf.Tensor, weights: tf.Tensor, unread: tf.Tensor) -> tf.Tensor:
    return tf.tanh(tf.matmul(tf.gather(table, rows), weights)) * tf.cast(rows + 1, tf.float32)[:, None]


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_values(count: int) -> None:
    weights = tf.constant(TABLE[:3])
    expected = function(tf.range(count), TABLE, weights, weights)
    for run in (in_chunks, tf.function(in_chunks)):
        found = run(lambda rows: function(rows, tf.constant(TABLE), weights, weights), tf.constant(count), 3)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_gradients_of_what_is_recomputed(wrapped: bool) -> None:
    tensors = [tf.constant(TABLE), tf.constant(TABLE[:3]), tf.ones([2])]

    def gradients(chunked: bool, *tensors: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            rows = tf.range(7)
            values = (
                recomputed_in_chunks(lambda at, _, *given: function(at, *given), tf.size(rows), 3, tensors)
                if chunked
                else function(rows, *tensors)
            )
            loss = tf.reduce_sum(values**2)
        return tape.gradient(loss, tensors, unconnected_gradients="zero")

    run = tf.function(gradients, autograph=False) if wrapped else gradients
    for found, expected in zip(run(True, *tensors), gradients(False, *tensors)):
        np.testing.assert_allclose(
            *(tf.convert_to_tensor(one) for one in (found, expected)), rtol=1e-5, atol=1e-6
        )
