"""Stop-watch and memory gauge. Contenders run in turns (A B A B), so that whatever else the machine does
hits all alike.
"""

from __future__ import annotations

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 1024.0 * 1024.0


@dataclass
class Timing:
    """The seconds of every counted run, by the clock and by what the processors worked."""

    samples: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Their median, by the clock."""
        return statistics.median(self.samples)

    def as_case(self, images: float = 0.0, gflop: float = 0.0) -> dict[str, Any]:
        """A case of the report: median and extremes; rates where a run handles `images` or takes `gflop`."""
        case: dict[str, Any] = {
            "seconds": self.seconds,
            "fastest": min(self.samples),
            "slowest": max(self.samples),
            "runs": len(self.samples),
            "processor_seconds": statistics.median(self.processor),
        }
        if images:
            case["images_per_second"] = images / self.seconds
        if gflop:
            case["gflop"] = gflop
            case["gflop_per_second"] = gflop / self.seconds
            case["gflop_per_processor_second"] = gflop / max(case["processor_seconds"], 1e-9)
        return case


def in_turns(
    contenders: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    warm_up: int = 1,
    seconds: float = math.inf,
    fewest: int = 2,
    least: float = 0.0,
) -> dict[str, Timing]:
    """Times of each contender, run in turns.

    Args:
        contenders: by name; each call must not return before its work is done.
        repeats: turns.
        warm_up: runs of each before, not counted.
        seconds: no further turn begins after so many ...
        fewest: ... but these take place.
        least: a contender that takes less time is run several times in a turn, and the mean counts.
    """
    number = {}
    for name, contender in contenders.items():
        for _ in range(warm_up):
            contender()
        number[name] = max(1, math.ceil(least / max(_time(contender, 1)[0], 1e-9))) if least else 1
    timings = {name: Timing() for name in contenders}
    start = time.perf_counter()
    for turn in range(repeats):
        if turn >= fewest and time.perf_counter() - start > seconds:
            break
        for name, contender in contenders.items():
            seconds_taken, worked = _time(contender, number[name])
            timings[name].samples.append(seconds_taken)
            timings[name].processor.append(worked)
    return timings


def peak_memory() -> float:
    """MiB that this process has held at most, so far."""
    # Linux hands ru_maxrss down from the process that started this one, but not the high-water mark of /proc.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024.0


def _time(contender: Callable[[], object], number: int) -> tuple[float, float]:
    """Seconds of one run by the clock, and those that all threads of this process together worked."""
    start, busy = time.perf_counter(), time.process_time()
    for _ in range(number):
        contender()
    return (time.perf_counter() - start) / number, (time.process_time() - busy) / number
