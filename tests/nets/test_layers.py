"""Building blocks: each shortcut against the layer it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.layers import (
    RELU_GAIN,
    Block,
    Conv,
    Dense,
    FrozenNormConv,
    Mlp,
    StandardisedConv,
    convolve,
)
from tests.models.dsg.cases import close, noise


def shake(block: Block) -> Block:
    """Random values for every variable; variances stay positive."""
    for number, (name, variable) in enumerate(block.named_variables().items()):
        value = noise(*variable.shape, seed=number)
        variable.assign(tf.abs(value) + 0.5 if name.endswith("variance") else value)
    return block


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (1, 2), (3, 2), (5, 2), (7, 2)])
def test_convolve_pads_both_sides_by_half_the_kernel(size: tuple[int, int], kernel: int, stride: int) -> None:
    x, weights = noise(2, *size, 3), noise(kernel, kernel, 3, 4, seed=1)
    half = kernel // 2
    padded = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])
    expected = tf.nn.conv2d(padded, weights, stride, "VALID")
    found = convolve(x, weights, stride)
    close(found, expected, 1e-6)
    assert found.shape[1:3] == tuple(-(-side // stride) for side in size)


@pytest.mark.parametrize("size", [1, 3])
def test_centre_tap_is_the_whole_convolution_on_one_cell(size: int) -> None:
    layer = shake(FrozenNormConv(5, 6, size))
    x = noise(4, 1, 1, 5, seed=9)
    close(layer(x, centre_tap=True), layer(x), 1e-6)


@pytest.mark.parametrize("layer", [FrozenNormConv(5, 6, 3), StandardisedConv(5, 6, 3)])
def test_folding_keeps_the_function_and_folding_again_too(layer: Block) -> None:
    shake(layer)  # gains of both signs
    x = noise(2, 6, 7, 5, seed=9)
    before, kernel = layer(x), layer.named_variables()["kernel"].numpy()
    for _ in range(2):
        layer.fold()
        close(layer(x), before, 1e-5)
    assert not np.allclose(layer.named_variables()["kernel"], kernel)
    layer._folded = False  # what the variables say, without knowing that they are folded
    close(layer(x), before, 1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_folded_norm_is_the_norm_after_the_convolution(stride: int) -> None:
    layer = shake(FrozenNormConv(3, 4, 3, stride, relu=False))
    x = noise(2, 7, 6, 3, seed=5)

    def explicit() -> tf.Tensor:
        y = convolve(x, tf.convert_to_tensor(layer.kernel), stride)
        parts = (layer.moving_mean, layer.moving_variance, layer.beta, layer.gamma)
        mean, variance, beta, gamma = (tf.convert_to_tensor(part) for part in parts)
        return tf.nn.batch_normalization(y, mean, variance, beta, gamma, 1e-5)

    variables = list(layer.named_variables().values())
    close(layer(x), explicit(), 1e-6)
    for expression in (lambda y: tf.reduce_sum(tf.square(y)), lambda y: tf.reduce_sum(tf.sin(y))):
        gradients = []
        for result in (layer, lambda _: explicit()):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x, variables[0]])
                loss = expression(result(x))
            gradients.append(tape.gradient(loss, [x, variables[0]]))
        for found, expected in zip(*gradients):
            close(found, expected, 1e-5)


def test_nothing_of_a_frozen_norm_is_trainable_but_the_kernel() -> None:
    layer = FrozenNormConv(2, 3)
    assert layer.trainable_names() == ["kernel"]


def test_standardised_conv() -> None:
    layer = shake(StandardisedConv(3, 5, 3, relu=True))
    kernel, gain, bias = (np.asarray(value, np.float64) for value in layer.named_variables().values())
    kernel = kernel - kernel.mean((0, 1, 2))
    kernel *= gain / np.sqrt(np.square(kernel).sum((0, 1, 2)))
    x = noise(2, 6, 7, 3, seed=3)
    expected = tf.nn.conv2d(x, kernel.astype(np.float32), 1, "SAME") + bias.astype(np.float32)
    close(layer(x), tf.nn.relu(expected) * RELU_GAIN, 1e-5)


def test_standardised_conv_keeps_the_size_of_activations() -> None:
    x = noise(4, 24, 24, 32, seed=1)
    for _ in range(6):
        x = StandardisedConv(32, 32, 3)(x)
        x = x - tf.reduce_mean(x)
    assert 0.4 < float(tf.math.reduce_std(x)) < 2.5


def test_terms_of_a_dense_layer_add_up_to_the_concatenation() -> None:
    mlp = shake(Mlp([3, 4, 5], [6, 7], relu_last=True))
    parts = [noise(8, width, seed=width) for width in (3, 4, 5)]
    hidden = tf.nn.relu(mlp.layers[0](tf.concat(parts, -1)))
    expected = tf.nn.relu(mlp.layers[1](hidden))
    close(mlp(tf.add_n([mlp.term(part, number) for number, part in enumerate(parts)])), expected)


def test_terms_broadcast_over_pairs() -> None:
    mlp = shake(Mlp([3, 3], [5]))
    nodes = noise(2, 4, 3)
    first = mlp.term(nodes, 0)[:, None] + mlp.term(nodes, 1)[:, :, None]
    left = tf.broadcast_to(nodes[:, None], [2, 4, 4, 3])
    right = tf.broadcast_to(nodes[:, :, None], [2, 4, 4, 3])
    close(mlp(first), mlp.layers[0](tf.concat([left, right], -1)))


def test_a_look_up_is_a_one_hot_product() -> None:
    mlp = shake(Mlp([3, 4, 5], [6]))
    ids = tf.constant([[0, 3], [2, 1]])
    close(mlp.look_up(ids, 1), mlp.term(tf.one_hot(ids, 4), 1))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_blocks_compute_in_the_type_of_their_input(dtype: str) -> None:
    x = tf.cast(noise(2, 4, 4, 6), dtype)
    blocks = (Conv(6, 5, 3), FrozenNormConv(6, 5, 3), StandardisedConv(6, 5), Dense(6, 5))
    assert {shake(block)(x).dtype.name for block in blocks} == {dtype}
    mlp = shake(Mlp([6], [5, 5]))
    assert mlp(mlp.term(x, 0)).dtype.name == dtype
    assert {value.dtype.name for value in mlp.named_variables().values()} == {"float32"}


def test_variables_are_named_by_the_path_of_attributes() -> None:
    class Outer(Block):
        def __init__(self) -> None:
            super().__init__()
            self.first = Dense(2, 3)
            self.rest = [Dense(3, 3), Mlp([3, 3], [4, 5])]
            self._hidden = Dense(1, 1)

    assert list(Outer().named_variables("outer/")) == [
        *("outer/first/kernel", "outer/first/bias", "outer/rest/0/kernel", "outer/rest/0/bias"),
        *("outer/rest/1/0/kernel", "outer/rest/1/0/bias", "outer/rest/1/1/kernel", "outer/rest/1/1/bias"),
    ]


def test_layers_that_share_an_initializer_differ() -> None:
    init = tf.keras.initializers.HeNormal()
    first, second = Conv(4, 4, 3, init=init), Conv(4, 4, 3, init=init)
    assert np.abs(np.asarray(first.kernel) - np.asarray(second.kernel)).max() > 0
