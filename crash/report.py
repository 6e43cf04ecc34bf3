"""What was tried and what came of it: a line a case, a table, a record."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from crash.cases import Case
from dsg.runtime.machine import machine
from dsg.version import __version__


def line(case: Case) -> str:
    """A case as it is printed when its run is over."""
    what = f"{case.subject}: {case.blow}, {case.moment}"
    if case.skipped:
        return f"{what}: skipped, {case.skipped}"
    if not case.struck:
        what += " (ended before)"
    return f"{what}: {'; '.join(case.faults) or 'the same in the end'}"


def table(cases: Sequence[Case]) -> str:
    """How many kills of each kind there were, and how many were survived; rows by subject."""
    rows = [f"{'':12}{'kills':>7}{'survived':>10}{'too late':>10}{'skipped':>9}  how"]
    names = list(dict.fromkeys(case.subject for case in cases))
    for name in [*names, "all"]:
        own = [case for case in cases if name in (case.subject, "all")]
        struck = [case for case in own if case.struck]
        blows = sorted({case.blow for case in struck})
        how = ", ".join(f"{sum(case.blow == blow for case in struck)} {blow}" for blow in blows)
        numbers = (
            len(struck),
            sum(not case.faults for case in struck),
            sum(not case.struck and not case.skipped for case in own),
            sum(bool(case.skipped) for case in own),
        )
        rows.append(f"{name:12}{numbers[0]:>7}{numbers[1]:>10}{numbers[2]:>10}{numbers[3]:>9}  {how}")
    return "\n".join(rows)


def record(cases: Sequence[Case], command: str, started: float) -> dict[str, Any]:
    """All of it for a file."""
    return {
        "command": command,
        "dsg": __version__,
        "seconds": round(time.monotonic() - started),
        "machine": machine(),
        "kills": sum(case.struck for case in cases),
        "survived": sum(case.struck and not case.faults for case in cases),
        "cases": [dataclasses.asdict(case) for case in cases],
    }
