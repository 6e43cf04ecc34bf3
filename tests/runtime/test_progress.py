"""The time left is that of the steps to come plus what else was announced; the first step does not count."""

from __future__ import annotations

import logging

import pytest

from dsg.runtime.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (90000, "1d01h")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_lines_and_time_left(caplog):
    now = [0.0]
    with caplog.at_level(logging.INFO, "dsg"):
        progress = Progress("train", 10, done=2, every=2, clock=lambda: now[0], terminal=False)
        for seconds in (100, 2, 2, 2, 2, 2, 2):
            now[0] += seconds
            progress.advance(text="loss 1", also=30)
        now[0] += 500  # a validation
        progress.restart()
        now[0] += 2
        progress.advance(text="loss 1")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "train 4/10 loss 1 42s left"
    assert lines[1] == "train 6/10 loss 1 38s left"
    assert lines[-1] == "train 10/10 loss 1 0s left"
    assert progress.seconds_per_step == pytest.approx(2)


def test_without_an_end_the_rate_is_told(caplog):
    now = [0.0]
    with caplog.at_level(logging.INFO, "dsg"):
        progress = Progress("file, MB", 0, done=5, clock=lambda: now[0], terminal=False)
        for seconds in (1, 4, 4, 4):
            now[0] += seconds
            progress.advance(2)
    assert [record.getMessage() for record in caplog.records] == ["file, MB 13  0.5 a second"]


def test_more_steps_than_were_announced(caplog):
    with caplog.at_level(logging.INFO, "dsg"):
        progress = Progress("file, MB", 3, clock=lambda: 0.0, terminal=False)
        for _ in range(9):
            progress.advance()
    assert len(caplog.records) == 1  # at the announced end, then by the clock


def test_a_bar_without_an_end(capsys):
    with Progress("file, MB", 0, terminal=True) as progress:
        progress.advance()
        progress.advance()
    assert "file, MB: 2" in capsys.readouterr().err


def test_a_bar_on_a_terminal(capsys):
    with Progress("test", 2, terminal=True) as progress:
        progress.advance()
        progress.advance(text="IoU 0.9")
    assert "2/2" in capsys.readouterr().err
