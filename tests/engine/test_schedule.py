"""The learning rate drops after the named epochs, rises during warm-up, and follows the cosine to its end."""

from __future__ import annotations

import pytest

from dsg.config import load_config
from dsg.engine.schedule import cosine, learning_rate, step_decay, warm_up


def test_released_schedule_halves_after_its_epochs():
    config = load_config()
    rates = [learning_rate(config, 0, epoch, 1000) for epoch in (1, 4, 5, 8, 9, 16, 17, 20)]
    assert rates == [0.001, 0.001, 0.0005, 0.0005, 0.00025, 0.000125, 0.0000625, 0.0000625]


def test_no_drops():
    assert step_decay(100, (), 0.5) == 1.0


def test_cosine_runs_from_one_to_zero_and_stays():
    assert [cosine(step, 4) for step in (0, 2, 4, 9)] == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=1e-12)
    config = load_config(
        overrides=["TRAIN.SCHEDULE", "cosine", "TRAIN.EPOCHS", "2", "TRAIN.LEARNING_RATE", "0.1"]
    )
    assert learning_rate(config, 10, 2, 10) == pytest.approx(0.05)


def test_warm_up_is_linear_and_ends():
    assert [warm_up(step, 4) for step in (0, 1, 3, 4, 50)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert warm_up(0, 0) == 1.0
