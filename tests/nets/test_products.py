"""Products in 16 bits are the same whether a processor has instructions for them or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.kernels import products
from dsg.nets.kernels.products import product
from dsg.nets.layers import convolve
from tests.models.dsg.cases import noise

# Half the distance between neighbouring numbers, relative to their size.
ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


def both_ways(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> list[Any]:
    """What `make` gives with TensorFlow's own products, and by way of float32."""
    found = []
    for answer in (False, True):
        monkeypatch.setattr(products, "_by_way_of_float32", lambda name, answer=answer: answer)
        found.append(make())
    return found


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_both_ways_agree_up_to_one_rounding(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (tf.cast(noise(*shape), dtype) for shape in ((7, 30), (30, 5)))
    exact = tf.cast(a, tf.float64) @ tf.cast(b, tf.float64)
    scale = tf.abs(tf.cast(a, tf.float64)) @ tf.abs(tf.cast(b, tf.float64))
    for found in both_ways(monkeypatch, lambda: product(tf.matmul, a, b)):
        assert found.dtype.name == dtype
        # TensorFlow's own may round sums on their way, too; none is further off than the terms' sizes allow
        assert np.abs(found.numpy().astype(float) - exact).max() <= 4 * ROUNDING[dtype] * scale.numpy().max()


def test_by_way_of_float32_only_the_result_is_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_by_way_of_float32", lambda name: True)
    a, b = (tf.cast(noise(*shape), tf.bfloat16) for shape in ((7, 30), (30, 5)))
    wide = tf.cast(a, tf.float32) @ tf.cast(b, tf.float32)
    np.testing.assert_array_equal(product(tf.matmul, a, b), tf.cast(wide, tf.bfloat16))


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_come_back_in_their_own_types(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel = tf.cast(noise(2, 6, 6, 4), tf.bfloat16), noise(3, 3, 4, 5)

    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(tf.cast(convolve(x, kernel, stride), tf.float32) ** 2)
        return tape.gradient(loss, [x, kernel])

    native, imitated = both_ways(monkeypatch, gradients)
    for one, other in zip(native, imitated):
        assert one.dtype == other.dtype
        one, other = (tf.cast(value, tf.float32).numpy() for value in (one, other))
        assert np.abs(one - other).max() <= 0.03 * np.abs(one).max()


def test_for_another_machine_nothing_goes_by_way_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_by_way_of_float32", lambda name: True)
    a, b = (tf.cast(noise(*shape), tf.bfloat16) for shape in ((7, 30), (30, 5)))
    types = []

    def watched(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        types.append(x.dtype)
        return tf.matmul(x, y)

    product(watched, a, b)
    with products.native():
        product(watched, a, b)
    assert types == [tf.float32, tf.bfloat16]


def test_float32_is_left_alone() -> None:
    a, b = noise(3, 4), noise(4, 2)
    np.testing.assert_array_equal(product(tf.matmul, a, b), a @ b)
