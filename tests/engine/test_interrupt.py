"""A signal is acted on between two steps, and the earlier handlers come back."""

from __future__ import annotations

import os
import signal

import pytest

from dsg.engine.interrupt import Interrupted, interruptible


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


def test_second_signal_acts_at_once():
    with interruptible(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
