"""Measure speed and memory: a table, and output/bench.json. `python -m benchmarks`, or `make bench`.

The library is timed beside the plain formulation (what the TensorFlow 1 release computes, the way it does)
and a large matrix product, in turns within one process; peak memory is that of a process which runs one case.
Sections:

    operations  overlaps and suppression, against NumPy, TensorFlow and loops like the release's
    annotations loading as many annotations as Visual Genome and CLEVR have: first, and from the cache
    input       the input pipeline alone
    mini        an answer and a training step of mini
    inference   an answer of res101 at 600 x 800 pixels, 32 proposals, 3 queries
    training    a training step of the same
    detectors   an answer and a training step of the detectors res101 and res50_fpn at 600 x 1000 pixels, 300
                proposals
    memory      peak memory of all these
    precision   answers of the bundled model in float32 and bfloat16 (only where named)
    savings     the plain formulation with one saving of the library at a time (only where named)
    scaling     how time and memory grow with proposals, queries, image and batch (only where named): tables
                and a picture beside the JSON, <FILE>_scaling.md and .png
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import format_report
from benchmarks.run import DEFAULT_SECTIONS, QUICK_SECTIONS, SECTIONS, benchmark
from benchmarks.settings import QUICK, Settings
from dsg.apps.parser import Parser
from dsg.apps.process import run_process, status_of
from dsg.runtime.files import prepare_place, write_text
from dsg.runtime.machine import imitates


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write what the command line asks for; the exit status."""
    return status_of(lambda: run(_parser().parse(arguments)))


def _parser() -> Parser:
    parser = Parser("bench.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs: within five minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="SECTION",
        choices=SECTIONS,
        help="sections to measure (default: all that need not be named; with --quick no memory, no mini)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("output/bench.json"), metavar="FILE", help="where the JSON goes"
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write."""
    settings = QUICK if options.quick else Settings()
    prepare_place(options.output)
    if options.quick and imitates("bfloat16"):
        settings = dataclasses.replace(settings, bfloat16=False)
        print("bfloat16 is left out: this processor computes it by way of float32")
    sections = options.only or (QUICK_SECTIONS if options.quick else DEFAULT_SECTIONS)
    report = benchmark(
        settings, sections, keep=lambda found: write_text(options.output, json.dumps(found, indent=1) + "\n")
    )
    print(f"\n{format_report(report)}")
    print(f"\n{options.output}")
    if "scaling" in sections:
        write_scaling(
            report["cases"], settings, options.output.with_name(f"{options.output.stem}_scaling.md")
        )


def write_scaling(cases: Mapping[str, Any], settings: Settings, path: Path) -> None:
    """Tables of how cost grows go to the screen and to `path`, their picture beside it."""
    from benchmarks.scaling_report import draw_scaling, format_scaling

    tables = format_scaling(cases, settings)
    write_text(path, tables + "\n")
    draw_scaling(cases, settings, path.with_suffix(".png"))
    print(f"\n{tables}\n\n{path}, {path.with_suffix('.png')}")


if __name__ == "__main__":
    run_process(main)
