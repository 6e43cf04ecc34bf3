"""A signal is acted on between two steps, and the earlier handlers come back."""

from __future__ import annotations

import os
import signal

import pytest

from dsg.runtime.interrupt import Interrupted, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_waits_for_the_check(number):
    before = signal.getsignal(number)
    with interruptible() as check:
        check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as caught:
            check()
        assert caught.value.signal == number
    assert signal.getsignal(number) is before


def test_the_same_request_may_come_twice():
    with interruptible(clock=lambda: 0.0) as check:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted) as caught:
            check()
        assert caught.value.signal == signal.SIGINT


def test_a_later_signal_acts_at_once():
    times = iter([0.0, 5.0])
    with interruptible(clock=lambda: next(times)), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
