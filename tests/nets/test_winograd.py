"""Winograd's convolution and its gradients are those of a convolution, at any size, to float32's rounding."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.kernels import products, winograd
from dsg.nets.layers import Conv, FrozenNormConv, convolve


def direct(x: np.ndarray, kernel: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    return tf.nn.conv2d(x.astype(dtype), kernel.astype(dtype), 1, "SAME").numpy()


def inputs(shape: tuple[int, ...], cout: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.standard_normal(shape), 0).astype(np.float32)
    kernel = rng.standard_normal((3, 3, shape[-1], cout)) / np.sqrt(9 * shape[-1])
    return x, kernel.astype(np.float32)


def test_the_matrices_make_a_convolution() -> None:
    of_inputs, of_kernel, to_outputs = winograd.one_dimensional()
    rng = np.random.default_rng(0)
    x, taps = rng.standard_normal(6), rng.standard_normal(3)
    found = to_outputs @ ((of_kernel @ taps) * (of_inputs @ x))
    np.testing.assert_allclose(found, np.correlate(x, taps, "valid"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 4, 4, 3), (1, 5, 8, 3), (3, 7, 6, 2), (1, 13, 3, 4)])
def test_any_size_equals_a_direct_convolution(shape: tuple[int, ...]) -> None:
    x, kernel = inputs(shape, 5)
    np.testing.assert_allclose(winograd.convolve(x, kernel), direct(x, kernel), rtol=1e-5, atol=2e-6)


def test_sizes_may_be_unknown_when_the_graph_is_built() -> None:
    signature = [tf.TensorSpec([None, None, None, 2]), tf.TensorSpec([3, 3, 2, 3])]
    function = tf.function(winograd.convolve, input_signature=signature, autograph=False)
    for shape in ((1, 6, 9, 2), (2, 3, 4, 2)):
        x, kernel = inputs(shape, 3)
        np.testing.assert_allclose(function(x, kernel), direct(x, kernel), rtol=1e-5, atol=2e-6)
    assert function.get_concrete_function().output_shapes.as_list() == [None, None, None, 3]


def test_gradients_are_those_of_a_direct_convolution() -> None:
    x, kernel = inputs((2, 6, 7, 3), 4)
    weights = np.random.default_rng(1).standard_normal((2, 6, 7, 4))

    def gradients(function, kind):
        values = [tf.constant(x, kind), tf.constant(kernel, kind)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = tf.reduce_sum(tf.tanh(function(*values)) * tf.constant(weights, kind))
        return tape.gradient(loss, values)

    expected = gradients(lambda a, b: tf.nn.conv2d(a, b, 1, "SAME"), tf.float64)
    in_graph = tf.function(lambda: gradients(winograd.convolve, tf.float32), autograph=False)
    for found in (gradients(winograd.convolve, tf.float32), in_graph()):
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=5e-6)


def test_layers_of_one_shape_share_a_function_of_the_graph() -> None:
    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 2]), tf.TensorSpec([5, 3, 3, 2, 2])])
    def layers(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
        for kernel in tf.unstack(kernels):
            x = winograd.convolve(x, kernel)
        return x

    graph = layers.get_concrete_function().graph.as_graph_def()
    called = [node.attr["f"].func.name for node in graph.node if "PartitionedCall" in node.op]
    assert len(called) == 5 and len(set(called)) == 1
    rng = np.random.default_rng(2)
    x, kernels = rng.standard_normal((1, 6, 9, 2)), rng.standard_normal((5, 3, 3, 2, 2)) / 3
    expected = x
    for kernel in kernels:
        expected = direct(expected, kernel)
    found = layers(*(tf.constant(one, tf.float32) for one in (x, kernels)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_wait_before_they_take_the_inputs_apart() -> None:
    """The forward pass does the same: what both could share, all layers would hold from the start."""
    specs = [tf.TensorSpec([1, 8, 12, 2], name="x"), tf.TensorSpec([1, 8, 12, 3], name="upstream")]
    traced = tf.function(winograd._kernel_gradient, input_signature=specs, autograph=False)
    x, upstream = traced.get_concrete_function().inputs
    readers = [reader for reader in x.consumers() if reader.type != "Shape"]
    assert readers and all(upstream.op in reader.control_inputs for reader in readers)


def test_rounding_stays_at_float32s_last_digits() -> None:
    x, kernel = inputs((1, 20, 20, 256), 128)
    exact = direct(x, kernel)
    error = np.sqrt(np.mean((np.asarray(winograd.convolve(x, kernel)) - exact) ** 2)) / exact.std()
    # Absolute: how much less a direct convolution is off depends on how a machine's library groups its sums.
    # With the usual points 0, 1, -1, 2, -2 it would be 2.6e-6.
    assert error < 2e-6


def test_it_is_taken_where_it_pays_and_nowhere_else() -> None:
    many, few = winograd.CHANNELS, winograd.CHANNELS // 2
    x = tf.zeros([1, 8, 8, many])

    def kernel(size: int, cin: int, cout: int) -> tf.Tensor:
        return tf.zeros([size, size, cin, cout])

    if tf.config.list_logical_devices("GPU"):
        assert not winograd.pays(x, kernel(3, many, many))
        return
    assert winograd.pays(x, kernel(3, many, many))
    with products.native():
        assert not winograd.pays(x, kernel(3, many, many))
    assert not winograd.pays(x, kernel(1, many, many))
    assert not winograd.pays(x, kernel(3, many, few))
    assert not winograd.pays(x[..., :few], kernel(3, few, many))
    assert not winograd.pays(tf.cast(x, tf.bfloat16), tf.cast(kernel(3, many, many), tf.bfloat16))


@pytest.mark.parametrize("layer", [Conv(128, 128, 3, relu=True), FrozenNormConv(128, 128, 3)])
def test_layers_use_it(layer) -> None:
    x, kernel = inputs((1, 6, 6, 128), 128)
    layer.kernel.assign(kernel)
    graph = tf.function(layer.call).get_concrete_function(tf.TensorSpec([1, None, None, 128])).graph
    kinds = {op.type for op in graph.get_operations()}
    nested = {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
    if not tf.config.list_logical_devices("GPU"):
        assert "Conv2D" not in kinds | nested
    if isinstance(layer, Conv):
        np.testing.assert_allclose(
            layer(tf.constant(x)), np.maximum(direct(x, kernel), 0), rtol=1e-5, atol=1e-5
        )


def test_a_stride_is_left_to_the_direct_convolution() -> None:
    x, kernel = inputs((1, 8, 8, 128), 128)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = tf.nn.conv2d(padded, kernel, 2, "VALID")
    np.testing.assert_allclose(convolve(tf.constant(x), kernel, 2), expected, rtol=1e-5, atol=1e-6)
