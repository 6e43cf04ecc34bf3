"""One job of a benchmark in a process of its own: `python -m benchmarks.worker JOB SETTINGS RESULT`.

JOB is a section, memory:CASE for the peak memory of one case alone, or scaling:POINT for one size;
SETTINGS is the JSON text of `Settings`; the result is written to the file RESULT, as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scaling import SCALING, Point, measure_point
from benchmarks.settings import Settings
from dsg.apps.cost.timing import peak_memory
from dsg.apps.process import run_process, status_of

MEMORY = "memory:"


def run_job(job: str, settings: Settings) -> dict[str, Any]:
    """`cases` and `checks` of a section; with memory:CASE its `peak_mib`, and that before its first run."""
    if job.startswith(MEMORY):
        return memory(job[len(MEMORY) :], settings)
    if job.startswith(SCALING):
        return measure_point(settings, Point.parse(job[len(SCALING) :]))
    return _section(job)(settings)


def memory(case: str, settings: Settings) -> dict[str, Any]:
    """Runs one case twice, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        if case.startswith("input/"):
            from benchmarks.inputs import pipeline_contenders

            run = pipeline_contenders(settings, Path(folder), case)[0][case]
        elif case.startswith("mini/"):
            from benchmarks.mini import mini_contenders

            run = mini_contenders(settings)[case]
        elif case.startswith("detector/"):
            from benchmarks import detectors

            run = detectors.contender(settings, case)
        elif case.startswith("grounding/"):
            from benchmarks import grounding

            run = grounding.contender(settings, case)
        else:
            from benchmarks.network import contender

            run = contender(dataclasses.replace(settings, width=settings.memory_width), case)
        before = peak_memory()
        run()
        run()
        return {"cases": {case: {"peak_mib": peak_memory(), "before_mib": before}}, "checks": {}}


def _section(name: str) -> Any:
    # One section's modules only: a process holds what it measures, and little else.
    if name == "operations":
        from benchmarks.box_operations import box_operations

        return box_operations
    if name == "annotations":
        from benchmarks.annotations import loading

        return loading
    if name == "input":
        from benchmarks.inputs import pipeline

        return pipeline
    if name == "mini":
        from benchmarks.mini import mini

        return mini
    if name == "detectors":
        from benchmarks.detectors import detectors

        return detectors
    if name == "grounding":
        from benchmarks.grounding import grounding

        return grounding
    if name == "precision":
        from benchmarks.precision import precision

        return precision
    from benchmarks import network

    return {"inference": network.inference, "training": network.training, "savings": network.savings}[name]


def work(arguments: Sequence[str]) -> None:
    """Do the job; see the module."""
    job, settings, result = arguments
    # Measured on the processor: what a GPU would do is another table.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    found = run_job(job, Settings.from_json(settings))
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    run_process(lambda words: status_of(lambda: work(words)))
