"""The running average of the weights: what it is, and that it answers only where asked to."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.engine.callbacks.average import WeightAverage


@pytest.fixture
def weights() -> tf.Variable:
    return tf.Variable([1.0, -2.0])


def test_average_of_known_weights(weights) -> None:
    average = WeightAverage({"w": weights}, 0.5)
    expected, steps = np.array([1.0, -2.0]), [[3.0, 0.0], [5.0, 5.0], [-1.0, 2.0], [0.0, 0.0], [4.0, 4.0]]
    for number, value in enumerate(steps):
        weights.assign(value)
        average.update()
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * np.array(value)
        np.testing.assert_allclose(average.named_slots()["average/w"], expected, rtol=1e-6)
    assert int(average.named_slots()["average/steps"]) == 5


def test_weights_hold_their_averages_within_and_only_there(weights) -> None:
    average = WeightAverage({"w": weights}, 0.9)
    weights.assign([7.0, 7.0])
    with pytest.raises(KeyError), average.in_place():
        np.testing.assert_array_equal(weights, [1.0, -2.0])
        raise KeyError("an interruption")
    np.testing.assert_array_equal(weights, [7.0, 7.0])
    np.testing.assert_array_equal(average.named_slots()["average/w"], [1.0, -2.0])


def test_it_starts_where_the_weights_are(weights) -> None:
    average = WeightAverage({"w": weights}, 0.9)
    weights.assign([3.0, 4.0])  # weights that were loaded
    average.start()
    np.testing.assert_array_equal(average.named_slots()["average/w"], [3.0, 4.0])
