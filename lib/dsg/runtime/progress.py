"""Progress of a long loop, with the time left: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

LOG = logging.getLogger("dsg")
SMOOTHING = 0.05  # weight of the newest step in the mean time of a step


class Progress:
    """Counts steps and tells how long the rest will take.

    Args:
        label: what is counted, the start of each line.
        total: steps in all; `done` of them were done before. 0: unknown; the rate is shown instead.
        every: steps between two lines if there is no terminal; 0 means every ten seconds.
        clock: seconds; replaced in tests.
        terminal: draw a bar; default, whether standard error is a terminal.

    Example:
        >>> with Progress("test", total=100) as progress:
        ...     for item in range(100):
        ...         progress.advance(text="IoU 0.91")
    """

    def __init__(
        self,
        label: str,
        total: int,
        *,
        done: int = 0,
        every: int = 0,
        clock: Callable[[], float] = time.monotonic,
        terminal: bool | None = None,
    ) -> None:
        self._label, self._total, self._done, self._every, self._clock = label, total, done, every, clock
        self._started = self._last = self._spoken = clock()
        self._seconds: float | None = None  # mean time of a step
        self._made = 0
        terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: Any = None
        if terminal:
            layout = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {postfix}"
            layout = layout if total else "{desc}: {n_fmt} {postfix}"
            self._bar = tqdm(
                total=total or None, initial=done, desc=label, bar_format=layout, leave=None, file=sys.stderr
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar, if there is one, as it is."""
        if self._bar is not None:
            self._bar.close()

    @property
    def seconds_per_step(self) -> float:
        """Mean time of recent steps, without the first, which builds the graph; 0 before there are any."""
        return self._seconds or 0.0

    def restart(self) -> None:
        """Leave the time since the last step out of the account: something else was done meanwhile."""
        self._last = self._clock()

    def advance(self, count: int = 1, text: str = "", *, brief: str = "", also: float = 0.0) -> None:
        """`count` more steps are done.

        Args:
            text: what else to say.
            brief: the same beside a bar, where there is less room; default `text`.
            also: seconds that the rest takes besides the steps, for the time left.
        """
        now = self._clock()
        if self._made:
            spent = (now - self._last) / count
            old = self._seconds
            self._seconds = spent if old is None else old + SMOOTHING * count * (spent - old)
        self._last = now
        self._made += count
        self._done += count
        if self._bar is not None:
            self._bar.set_postfix_str(f"{brief or text} {self._left(also)}".strip(), refresh=False)
            self._bar.update(count)
        elif self._due(now, count):
            self._spoken = now
            steps = f"{self._done}/{self._total}" if self._total else f"{self._done}"
            LOG.info("%s %s %s %s", self._label, steps, text, self._left(also))

    def _due(self, now: float, count: int) -> bool:
        if self._done - count < self._total <= self._done:
            return True
        return self._done % self._every == 0 if self._every else now - self._spoken >= 10

    def _left(self, also: float) -> str:
        if self._seconds is None:
            return ""
        if not self._total:
            return f"{1 / max(self._seconds, 1e-9):.3g} a second"
        return f"{duration(self._seconds * max(self._total - self._done, 0) + also)} left"


def duration(seconds: float) -> str:
    """Such as `35s`, `4m10s`, `2h05m`, `3d04h`.

    Example:
        >>> duration(250)
        '4m10s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
