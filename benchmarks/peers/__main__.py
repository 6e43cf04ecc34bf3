"""Measure the detector beside torchvision's: a table, and output/peers.json.

Both see the same pictures with the same weights, threads, precision and numbers of proposals, each in a
process of its own; they take turns, and medians count. An answer starts at an image's pixels and ends at
boxes, classes, scores and masks of the image's size; a training step ends with the update. Before anything is
timed, both answer a smaller picture, and must find the same in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.report import format_report
from benchmarks.peers.settings import ANSWERS, CASES, Case, PeerSettings, cores
from benchmarks.peers.subject import make_subject, write_subject
from benchmarks.peers.turns import LIBRARY, TORCHVISION, Program, Programs, run_case
from benchmarks.run import load_average
from dsg.apps.parser import Parser
from dsg.apps.process import run_process, status_of
from dsg.errors import UserError
from dsg.runtime.files import prepare_place, write_text
from dsg.runtime.machine import imitates, machine


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write what the command line asks for; the exit status."""
    return status_of(lambda: run(_parser().parse(arguments)))


def _parser() -> Parser:
    parser = Parser("bench_peers.py", description=__doc__)
    parser.add_argument(
        "--peer", required=True, metavar="PYTHON", help="an interpreter that has torch and torchvision"
    )
    parser.add_argument("--quick", action="store_true", help="answers in float32 only")
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=CASES, help="cases to measure")
    parser.add_argument("--threads", type=int, default=0, help="of each side (default: one for each core)")
    parser.add_argument(
        "--output", type=Path, default=Path("output/peers.json"), metavar="FILE", help="where the JSON goes"
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write."""
    check_peer(options.peer)
    prepare_place(options.output)
    names = options.only or (ANSWERS if options.quick else CASES)
    if imitates("bfloat16") and not options.only:
        names = [name for name in names if not name.endswith("bfloat16")]
        print("bfloat16 is left out: this processor computes it by way of float32")
    settings = PeerSettings(threads=options.threads or cores())
    report = measure(settings, names, programs(options.peer))
    print(f"\n{format_report(report)}")
    write_text(options.output, json.dumps(report, indent=1) + "\n")
    print(f"\n{options.output}")


def programs(peer: str) -> Programs:
    """Both sides, torchvision's run by the interpreter `peer`."""
    return {
        name: Program(python, f"benchmarks.peers.{name}_side")
        for name, python in ((LIBRARY, sys.executable), (TORCHVISION, peer))
    }


def check_peer(python: str) -> None:
    """See that an interpreter has what it is asked to run.

    Raises:
        UserError: it does not.
    """
    try:
        done = subprocess.run([python, "-c", "import torchvision"], capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"{python}: cannot be run ({error.strerror}); --peer names an interpreter") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"{python}: cannot import torchvision ({last}); make bench-peers installs it")


def measure(
    settings: PeerSettings,
    names: Sequence[str],
    sides: Programs,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The report: `cases` by name, `machine`, `versions`, `settings`, `load`; ready for JSON."""
    cases: dict[str, Any] = {}
    versions: dict[str, str] = {}
    load = [load_average()]
    for number, name in enumerate(names, 1):
        say(f"[{number}/{len(names)}] measuring {name} ...")
        with tempfile.TemporaryDirectory() as folder:
            write_subject(make_subject(settings), Path(folder))
            cases[name] = run_case(Case.parse(name), settings, sides, Path(folder))
        for side in (LIBRARY, TORCHVISION):
            versions.update(cases[name][side].pop("versions"))
    return {
        "machine": machine(),
        "versions": versions,
        "settings": dataclasses.asdict(settings),
        "load": [*load, load_average()],
        "cases": cases,
    }


if __name__ == "__main__":
    run_process(main)
