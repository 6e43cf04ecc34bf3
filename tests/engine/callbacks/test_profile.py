"""TRAIN.PROFILE: the profiler watches so many steps, is always stopped, and never ends a training."""

from __future__ import annotations

import contextlib
import logging

import pytest
import tensorflow as tf

from dsg.engine.callbacks.profile import StepProfile


@pytest.fixture
def calls(monkeypatch):
    """What is asked of a stand-in for TensorFlow's profiler, in order; steps by their number."""
    found: list[str] = []

    class Mark:
        def __init__(self, name, step_num, **rest):
            self.number = step_num

        def __enter__(self):
            found.append(f"[{self.number}")

        def __exit__(self, *error):
            found.append(f"{self.number}]")

    profiler = tf.profiler.experimental
    monkeypatch.setattr(profiler, "start", lambda folder: found.append("start"))
    monkeypatch.setattr(profiler, "stop", lambda save=True: found.append("stop" if save else "drop"))
    monkeypatch.setattr(profiler, "Trace", Mark)
    return found


def loop(profile, count, first=0, ends=None):
    """An epoch of `count` batches, left after `ends` of them."""
    with contextlib.closing(profile.watch(range(count), first)) as watched:
        for made, _ in enumerate(watched, start=1):
            if made == ends:
                break


def test_steps_after_the_warm_up_are_watched(calls, tmp_path):
    profile = StepProfile(tmp_path, 2, warm_up=3)
    loop(profile, 9, first=20)
    assert calls == ["start", "[23", "23]", "[24", "24]", "stop"]
    loop(profile, 9)  # once a process
    assert calls.count("start") == 1


@pytest.mark.parametrize("wanted", [0, -1])
def test_off(calls, tmp_path, wanted):
    loop(StepProfile(tmp_path, wanted), 9)
    assert calls == []


def test_an_epoch_that_ends_earlier_ends_the_profile(calls, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "dsg"):
        loop(StepProfile(tmp_path, 5, warm_up=1), 9, ends=3)
    assert calls == ["start", "[1", "1]", "[2", "2]", "stop"] and "profiled 2 of 5 steps" in caplog.text


def test_warm_up_goes_on_in_the_next_epoch(calls, tmp_path):
    profile = StepProfile(tmp_path, 1, warm_up=3)
    loop(profile, 2)
    assert calls == []
    loop(profile, 1, first=2)
    assert calls == ["start", "[3", "3]", "drop"]  # there was no fourth batch
    calls.clear()
    loop(profile, 2, first=3)
    assert calls == ["start", "[3", "3]", "stop"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_stopped_whatever_ends_the_loop(calls, tmp_path, error):
    profile = StepProfile(tmp_path, 5, warm_up=1)
    with pytest.raises(error), contextlib.closing(profile.watch(range(9))) as watched:
        next(watched), next(watched)
        raise error
    assert calls[-1] == "stop"

    def broken():
        yield from range(3)
        raise error

    calls.clear()
    with pytest.raises(error):
        list(StepProfile(tmp_path, 5, warm_up=1).watch(broken()))
    assert calls[-1] == "stop"


def test_another_profiler_is_left_alone(tmp_path, caplog):
    tf.profiler.experimental.start(str(tmp_path / "other"))
    try:
        with caplog.at_level(logging.WARNING, "dsg"):
            loop(StepProfile(tmp_path / "ours", 2, warm_up=1), 9)
        assert len(caplog.records) == 1 and "cannot start: Another profiler is running" in caplog.text
    finally:
        tf.profiler.experimental.stop(save=False)  # fails where ours stopped it
    assert not (tmp_path / "ours").exists()


def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "dsg"):
        loop(StepProfile(tmp_path / "file" / "tensorboard", 2, warm_up=1), 9)
    assert len(caplog.records) == 1 and "cannot write" in caplog.text
