"""The learning rate drops after the named epochs, rises during warm-up, and follows the cosine to its end."""

from __future__ import annotations

import pytest

from dsg.config import load_config
from dsg.engine.schedule import cosine, learning_rate, plateau, step_decay, warm_up


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


def test_plateau_goes_on_dropping_until_an_epoch_is_better():
    losses = [5.0, 4.0, 4.0, 4.5, 4.1, 3.0, 3.1, 3.2, 3.3, 2.9]
    shares = [plateau(losses[:count], 2, 0.5) for count in range(len(losses) + 1)]
    # Two epochs without an improvement wait, the third drops; a reduction does not start a new wait.
    assert shares == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert plateau([1.0, 2.0, 2.0, 2.0], 0, 0.5) == 0.125
    config = load_config(overrides=["TRAIN.SCHEDULE", "plateau", "TRAIN.PATIENCE", "0", "TRAIN.GAMMA", "0.7"])
    assert learning_rate(config, 10, 3, 10, [1.0, 2.0]) == pytest.approx(0.0007)
