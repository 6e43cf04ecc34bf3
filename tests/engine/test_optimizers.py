"""The optimisers move variables as TensorFlow 1 did; a gradient that is not finite changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.engine.optimizers import Adam, Momentum, RMSprop, build_optimizer, clip_by_norm, double_bias
from tests.shared import needs_shared, shared_path

RATES = (0.1, 0.1, 0.01)  # the last one changes the rate in the middle


def gradients_of_steps() -> list[np.ndarray]:
    return [np.random.default_rng(seed).normal(size=5).astype(np.float32) for seed in range(len(RATES))]


def run(optimizer, variable, gradients, rates=RATES, finite=None):
    step = tf.function(lambda g, rate, ok: optimizer.apply({"w": g}, rate, ok))
    for index, (gradient, rate) in enumerate(zip(gradients, rates)):
        ok = tf.constant(True if finite is None else finite[index])
        step(tf.constant(gradient), tf.constant(rate), ok)
    return variable.numpy()


def test_momentum_with_a_changing_rate():
    variable = tf.Variable(np.ones(5, np.float32))
    value, accumulator = np.ones(5), np.zeros(5)
    for gradient, rate in zip(gradients_of_steps(), RATES):
        accumulator = 0.9 * accumulator + gradient
        value = value - rate * accumulator
    optimizer = Momentum({"w": variable}, 0.9)
    np.testing.assert_allclose(run(optimizer, variable, gradients_of_steps()), value, atol=1e-6)
    np.testing.assert_allclose(optimizer.named_slots()["momentum/w"].numpy(), accumulator, atol=1e-6)


def test_adam():
    variable = tf.Variable(np.ones(5, np.float32))
    value, first, second = np.ones(5), np.zeros(5), np.zeros(5)
    for count, (gradient, rate) in enumerate(zip(gradients_of_steps(), RATES), start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        value = value - rate * first / (1 - 0.9**count) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)
    optimizer = Adam({"w": variable})
    np.testing.assert_allclose(run(optimizer, variable, gradients_of_steps()), value, atol=1e-5)
    assert sorted(optimizer.named_slots()) == ["adam/steps", "first_moment/w", "second_moment/w"]
    assert optimizer.named_slots()["adam/steps"].numpy() == 3


def test_rmsprop_adds_epsilon_outside_the_root():
    variable = tf.Variable(np.ones(5, np.float32))
    gradients = [np.float32(1e-8) * gradient for gradient in gradients_of_steps()]  # where epsilon counts
    value, mean = np.ones(5), np.zeros(5)
    for gradient, rate in zip(gradients, RATES):
        mean = 0.9 * mean + 0.1 * gradient.astype(np.float64) ** 2
        value = value - rate * gradient / (np.sqrt(mean) + 1e-8)
    optimizer = RMSprop({"w": variable})
    np.testing.assert_allclose(run(optimizer, variable, gradients), value, atol=1e-6)
    np.testing.assert_allclose(optimizer.named_slots()["mean_square/w"].numpy(), mean, rtol=1e-5)


@pytest.mark.parametrize("kind", ["momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("bad_step", [0, 1])
def test_a_step_that_is_not_finite_changes_nothing(kind, bad_step):
    config = load_config(overrides=["TRAIN.OPTIMIZER", kind])
    good = gradients_of_steps()
    with_bad = list(good)
    with_bad.insert(bad_step, np.array([np.nan, np.inf, 1, 1, 1], np.float32))
    rates, finite = [0.1] * 4, [True] * 3
    finite.insert(bad_step, False)
    values = []
    for gradients, flags in ((good, None), (with_bad, finite)):
        variable = tf.Variable(np.ones(5, np.float32))
        optimizer = build_optimizer(config, {"w": variable})
        run(optimizer, variable, gradients, rates, flags)
        values.append([variable.numpy(), *(slot.numpy() for slot in optimizer.named_slots().values())])
    for expected, found in zip(*values):
        np.testing.assert_array_equal(found, expected)


def test_a_variable_without_gradient_is_left_alone():
    used, unused = tf.Variable([1.0]), tf.Variable([1.0])
    Momentum({"used": used, "unused": unused}, 0.9).apply({"used": tf.constant([1.0])}, 0.5)
    assert used.numpy() == 0.5 and unused.numpy() == 1.0


def test_double_bias_doubles_biases_only():
    doubled = double_bias({"a/kernel": tf.constant(1.0), "a/bias": tf.constant(1.0)})
    assert {name: value.numpy() for name, value in doubled.items()} == {"a/kernel": 1.0, "a/bias": 2.0}


def test_clip_by_norm():
    gradients = {"a": tf.constant([3.0]), "b": tf.constant([4.0])}
    norm = tf.linalg.global_norm(list(gradients.values()))
    clipped = clip_by_norm(gradients, norm, 1.0)
    assert [float(clipped[name][0]) for name in "ab"] == pytest.approx([0.6, 0.8])
    untouched = clip_by_norm(gradients, norm, 10.0)
    assert [float(untouched[name][0]) for name in "ab"] == [3.0, 4.0]


@needs_shared("reference", "gradients_res101_300.npz")
def test_the_release_after_one_step():
    with np.load(shared_path("reference", "gradients_res101_300.npz")) as golden:
        names = [key[len("grad/") :] for key in golden.files if key.startswith("grad/")]
        variables = {name: tf.Variable(golden[f"before/{name}"]) for name in names}
        Momentum(variables, 0.9).apply({name: tf.constant(golden[f"grad/{name}"]) for name in names}, 0.001)
        for name in names:
            expected = golden[f"after/{name}"]
            tolerance = 1e-6 * np.abs(expected).max()
            np.testing.assert_allclose(
                variables[name].numpy(), expected, rtol=0, atol=tolerance, err_msg=name
            )
