"""Bilinear samples: TensorFlow's values, and a gradient that is exact and always the same."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.kernels.bilinear import by_gathers, sample
from tests.models.dsg.cases import close

SHAPE = (2, 7, 9, 3)


def features(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


def boxes(count: int, seed: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes that reach over all four sides of the map, and the image of each."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(-0.3, 0.8, (count, 2))
    corners = np.concatenate([low, low + rng.uniform(0, 0.7, (count, 2))], 1)
    return tf.constant(corners, tf.float32), tf.constant(rng.integers(0, 2, count), tf.int32)


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_values(samples: int) -> None:
    places, image = boxes(20)
    expected = tf.image.crop_and_resize(features(), places, image, [samples, samples])
    np.testing.assert_array_equal(sample(features(), places, image, samples), expected)


@pytest.mark.parametrize("samples", [1, 2, 7, 9])
def test_values_by_gathers(samples: int) -> None:
    """Also where as many samples are taken as the map is wide or high."""
    places, image = boxes(20)
    with by_gathers():
        gathered = sample(features(), places, image, samples)
    np.testing.assert_allclose(gathered, sample(features(), places, image, samples), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_the_gradient_is_the_transpose_of_the_sampling(samples: int) -> None:
    """Sampling is linear: <sample(x), y> = <x, gradient(y)> for every x and y."""
    places, image = boxes(20)
    upstream = features(5, (20, samples, samples, 3))
    x = features()
    with tf.GradientTape() as tape:
        tape.watch(x)
        product = tf.reduce_sum(sample(x, places, image, samples) * upstream)
    gradient = tape.gradient(product, x)
    for seed in range(4):
        other = features(10 + seed)
        forward = tf.reduce_sum(tf.image.crop_and_resize(other, places, image, [samples] * 2) * upstream)
        assert float(tf.reduce_sum(other * gradient)) == pytest.approx(float(forward), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_gradient_is_tensorflow_s(samples: int) -> None:
    """A single box leaves TensorFlow's threads nothing to quarrel about."""
    for seed in range(8):
        places, _ = boxes(1, seed)
        image = tf.constant([1])
        gradients = []
        for function in (sample, lambda x, b, i, s: tf.image.crop_and_resize(x, b, i, [s, s])):
            x = features()
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.sin(function(x, places, image, samples)))
            gradients.append(tape.gradient(loss, x))
        close(*gradients)


def test_the_gradient_is_the_same_in_every_run() -> None:
    """Many boxes on few cells: where additions are lost, this shows it."""
    shape = (1, 8, 8, 256)
    places = tf.tile(tf.constant([[0.1, 0.1, 0.9, 0.9]]), [300, 1])
    upstream = features(2, (300, 7, 7, 256))

    @tf.function
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(sample(x, places, tf.zeros([300], tf.int32), 7) * upstream)
        return tape.gradient(loss, x)

    x = features(0, shape)
    first = gradient(x).numpy()
    for _ in range(4):
        np.testing.assert_array_equal(gradient(x), first)


def test_boxes_get_no_gradient() -> None:
    places, image = boxes(3)
    with tf.GradientTape() as tape:
        tape.watch(places)
        loss = tf.reduce_sum(sample(features(), places, image, 2))
    assert tape.gradient(loss, places) is None
