"""Stopping a long run cleanly: the first Ctrl-C or SIGTERM is noted, and acted on between two steps."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

AT_ONCE_AFTER = 1.0  # seconds


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, and has stopped between two steps."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = number


@contextlib.contextmanager
def interruptible(clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[], None]]:
    """Within it, SIGINT and SIGTERM are only noted; the function it gives raises `Interrupted` after one.

    A second signal acts at once, for the impatient, but not in the same second: Ctrl-C comes from the
    terminal and, as SIGTERM, from the script that started the program. Handlers are put back at the end.

    Example:
        >>> with interruptible() as check:
        ...     for step in range(3):
        ...         check()
    """
    noted: list[tuple[int, float]] = []  # the first signal and its time

    def note(number: int, frame: FrameType | None) -> None:
        if not noted:
            noted.append((number, clock()))
        elif clock() - noted[0][1] > AT_ONCE_AFTER:
            raise KeyboardInterrupt

    def check() -> None:
        if noted:
            raise Interrupted(noted[0][0])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
