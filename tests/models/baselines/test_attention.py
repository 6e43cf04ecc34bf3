"""Attention, shifts and convolutions with a kernel a sample against numpy and TensorFlow's own
convolution.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.baselines.attention import (
    PredicateModules,
    StatisticalShift,
    attend,
    attend_shifted,
    convolve_each,
)
from tests.models.baselines import oracle
from tests.models.baselines.small import features, weights_of


def maps(count: int, seed: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0.2, 0.5, (count, 14, 14))
    return np.maximum(values, 0).astype(np.float32)


def test_attend_multiplies_channels_and_sums() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
    found = attend(features(), vectors).numpy()
    for image in range(2):
        for query in range(3):
            expected = oracle.attend(features()[image], vectors[image, query])
            np.testing.assert_allclose(found[image, query], expected, atol=1e-5)


def test_attention_after_a_shift_needs_no_features() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 1, 8)).astype(np.float32)
    shift = np.tanh(maps(2))[:, None]
    direct = attend(features() * shift[:, 0, :, :, None], vectors)
    np.testing.assert_allclose(attend_shifted(attend(features(), vectors), shift), direct, atol=1e-6)


@pytest.mark.parametrize(("size", "cin", "cout"), [(1, 2, 3), (3, 1, 4), (4, 2, 1), (7, 3, 2), (10, 1, 1)])
def test_each_map_meets_its_own_kernel(size: int, cin: int, cout: int) -> None:
    rng = np.random.default_rng(size)
    x = rng.normal(size=(3, 14, 14, cin)).astype(np.float32)
    kernels = rng.normal(size=(3, size, size, cin, cout)).astype(np.float32)
    found = convolve_each(tf.constant(x), tf.constant(kernels)).numpy()
    for row in range(3):
        np.testing.assert_allclose(found[row], oracle.convolve(x[row], kernels[row]), atol=1e-4)
        own = tf.nn.conv2d(x[row : row + 1], kernels[row], 1, "SAME").numpy()[0]
        np.testing.assert_allclose(found[row], own, atol=1e-4)


def test_selected_modules_equal_the_selection_among_all() -> None:
    modules = PredicateModules(4, layers=3, size=5, channels=3)
    weights_of(modules, scale=0.2)
    x, predicates = maps(6), np.array([3, 0, 2, 2, 1, 3], np.int32)
    found = modules(tf.constant(x), tf.constant(predicates)).numpy()
    selected = np.zeros_like(found)
    for predicate in range(4):  # as the release: every module sees every map
        y = tf.constant(x)[..., None]
        for layer in modules.layers:
            y = tf.nn.relu(tf.nn.conv2d(y, tf.convert_to_tensor(layer.kernel)[predicate], 1, "SAME"))
        mask = (predicates == predicate)[:, None, None]
        selected += np.where(mask, np.tanh(y[..., 0].numpy()), 0)
    np.testing.assert_allclose(found, selected, atol=1e-6)
    assert found.max() > 0.01


def test_delta_kernels_keep_the_support_of_a_map() -> None:
    modules = PredicateModules(2, layers=4, size=5, channels=3)
    for layer in modules.layers:
        kernel = np.zeros(layer.kernel.shape, np.float32)
        kernel[:, 2, 2] = 0.5
        layer.kernel.assign(kernel)
    x = maps(2)
    found = modules(tf.constant(x), tf.constant([0, 1])).numpy()
    np.testing.assert_array_equal(found > 0, x > 0)


def test_glorot_counts_one_predicate_only() -> None:
    tf.keras.utils.set_random_seed(0)
    few, many = (PredicateModules(count, 2, 5, 10).layers[0].kernel.numpy() for count in (2, 50))
    limit = np.sqrt(6 / (25 * 11))
    assert abs(few).max() < limit and 0.95 * limit < abs(many).max() < limit


@pytest.mark.parametrize("size", [3, 4, 10])
def test_a_filter_moves_mass_towards_its_cell(size: int) -> None:
    shift = StatisticalShift(2, size)
    point = np.zeros((1, 14, 14), np.float32)
    point[0, 6, 6] = 1.0
    filters = np.zeros((2, size, size), np.float32)
    filters[0, size // 2, size // 2] = 1.0  # stays
    filters[1, size // 2 + 1, 0] = 1.0  # one down, size // 2 to the left
    shift.filters.assign(filters)
    stays = shift(tf.constant(point), tf.constant([0])).numpy()[0]
    moved = shift(tf.constant(point), tf.constant([1])).numpy()[0]
    assert np.argwhere(stays).tolist() == [[6, 6]] and np.argwhere(moved).tolist() == [[7, 6 - size // 2]]
    assert stays[6, 6] == pytest.approx(np.tanh(1.0))

    shift.filters.assign(np.random.default_rng(0).normal(size=filters.shape))
    found = shift(tf.constant(maps(2)), tf.constant([1, 0])).numpy()
    for row, predicate in enumerate((1, 0)):
        expected = oracle.fixed_shift(maps(2)[row], shift.filters.numpy()[predicate])
        np.testing.assert_allclose(found[row], expected, atol=1e-5)
