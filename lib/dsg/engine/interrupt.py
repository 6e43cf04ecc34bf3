"""Stopping a long run cleanly: the first Ctrl-C or SIGTERM is noted, and acted on between two steps."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, and has stopped between two steps."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = number


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Within it, SIGINT and SIGTERM are only noted; the function it gives raises `Interrupted` after one.

    A second signal acts at once, for the impatient. Handlers are put back at the end.

    Example:
        >>> with interruptible() as check:
        ...     for step in range(3):
        ...         check()
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    def check() -> None:
        if noted:
            raise Interrupted(noted[0])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
