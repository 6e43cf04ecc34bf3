"""A whole benchmark: its jobs, one process each so that neither times nor peaks of memory mix, and the
report.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dsg
from benchmarks.report import BY_PROCESSOR, ratios
from benchmarks.scaling import SCALING, points
from benchmarks.settings import Settings
from dsg.errors import UserError
from dsg.runtime.machine import machine

SECTIONS = (
    "operations",
    "annotations",
    "input",
    "mini",
    "inference",
    "training",
    "detectors",
    "grounding",
    "memory",
    "precision",
    "savings",
    "scaling",
)
ONLY_WHERE_NAMED = ("precision", "savings", "scaling")
DEFAULT_SECTIONS = tuple(section for section in SECTIONS if section not in ONLY_WHERE_NAMED)
# Each case of memory is a process of half a minute, and graphs of the others take as long to build.
SLOW_SECTIONS = ("memory", "mini", "grounding")
QUICK_SECTIONS = tuple(section for section in DEFAULT_SECTIONS if section not in SLOW_SECTIONS)
MEMORY = "memory:"


def benchmark(
    settings: Settings,
    sections: Sequence[str] = DEFAULT_SECTIONS,
    say: Callable[[str], None] = print,
    keep: Callable[[dict[str, Any]], None] = lambda report: None,
) -> dict[str, Any]:
    """Measures, and returns the report: `cases`, `ratios`, `checks`, `machine`, `settings`; ready for JSON.

    Args:
        settings: sizes and repetitions.
        sections: of `SECTIONS`.
        say: is told what is going on.
        keep: is given the report so far, after every job; minutes of measurements are not lost with the next.

    Raises:
        UserError: a job lacks something (memory, a file).
        RuntimeError: a job failed; what it said stands on standard error.
    """
    cases: dict[str, dict[str, Any]] = {}
    checks: dict[str, float] = {}
    about: dict[str, Any] = machine()
    about["load"] = loads = [load_average()]
    report: dict[str, Any] = {}
    jobs = _jobs(settings, sections)
    for number, job in enumerate(jobs, 1):
        start, busy = time.monotonic(), _processor_seconds()
        title = job.replace(MEMORY, "peak memory of ").replace(SCALING, "")
        say(f"[{number}/{len(jobs)}] measuring {title} ...")
        found = _run(job, settings)
        took, busy = time.monotonic() - start, _processor_seconds() - busy
        say(f"[{number}/{len(jobs)}] took {took:.0f} s ({busy:.0f} s of processor time)")
        for name, case in found["cases"].items():
            cases.setdefault(name, {}).update(case)
        checks.update({f"{job} {name}": value for name, value in found["checks"].items()})
        loads.append(load_average())
        report = {
            "machine": about,
            "settings": dataclasses.asdict(settings),
            "cases": cases,
            "checks": checks,
            "ratios": ratios(cases),
            "processor_ratios": ratios(cases, BY_PROCESSOR),
        }
        keep(report)
    return report


def _jobs(settings: Settings, sections: Sequence[str]) -> list[str]:
    jobs: list[str] = []
    for section in sections:
        if section not in SECTIONS:
            raise UserError(f"there is no section {section}; there are {', '.join(SECTIONS)}")
        if section == "memory":
            jobs += [MEMORY + case for case in settings.memory_cases]
        elif section == "scaling":
            jobs += [SCALING + point.name for point in points(settings)]
        else:
            jobs.append(section)
    return jobs


def _run(job: str, settings: Settings) -> dict[str, Any]:
    """The result of one job, done by `benchmarks.worker`."""
    with tempfile.TemporaryDirectory() as folder:
        result, said = Path(folder) / "result.json", Path(folder) / "said"
        command = [sys.executable, "-m", "benchmarks.worker", job, settings.to_json(), str(result)]
        with open(said, "w", encoding="utf-8") as output:
            done = subprocess.run(command, env=job_environment(), stdout=output, stderr=output)
        text = said.read_text(encoding="utf-8", errors="replace")
        if done.returncode == 0:
            return json.loads(result.read_text(encoding="utf-8"))
    if done.returncode < 0:
        raise UserError(f"{job} was ended by signal {-done.returncode}: is there enough memory?")
    if done.returncode == 2:
        mistakes = [line[len("error: ") :] for line in text.splitlines() if line.startswith("error: ")]
        raise UserError(mistakes[-1] if mistakes else f"{job} ended with status 2")
    print(text, file=sys.stderr)
    raise RuntimeError(f"the job {job} failed")


def job_environment() -> dict[str, str]:
    """This process's, with both packages on the path wherever the other one starts."""
    roots = [str(Path(file).resolve().parents[1]) for file in (dsg.__file__, __file__)]
    path = os.pathsep.join(filter(None, [*roots, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def _processor_seconds() -> float:
    """What all jobs so far have taken of the processors: less than the clock says where others are busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def load_average() -> float:
    """How busy the machine is: processes that run or wait to, over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0
