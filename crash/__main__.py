"""Kill the project's commands and run them again: a line for each kill, a table, output/crash.json.
`python -m crash`, or `make crash-test`.

Subjects:

    dsg, detector, grounding   training of the three systems on the CPU, with three readers; three kills a run
    generator                  `dsg shapes` with two processes
    conversion                 `dsg convert coco`
    fetch                      `dsg fetch` from a slow server, and unpacking
    cache                      `dsg check` of annotations so large that a cache of them is kept

A command is stopped at a chosen or random moment and killed there: SIGKILL, SIGTERM, SIGINT; training also
finds its disk full, or its output read-only when it starts again. Then the same command runs to its end, and
what it leaves is compared with what an undisturbed run leaves: weights, what the optimizer keeps and losses
bit for bit, files byte for byte, without times, and nothing half written beside them. Exit status: 0, or 1
where anything differs, or a command ended otherwise than it should.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from crash import disk
from crash.cases import Case, killed_runs, plan, undisturbed
from crash.files import DATA
from crash.report import line, record, table
from crash.training import TRAININGS
from dsg.apps.parser import Parser
from dsg.apps.process import run_process, status_of
from dsg.runtime.files import prepare_place, write_text

SUBJECTS = {subject.name: subject for subject in (*DATA, *TRAININGS)}


def main(arguments: Sequence[str]) -> int:
    """Kill, print and write what the command line asks for; the exit status."""
    return status_of(lambda: run(arguments, _parser().parse(arguments)))


def _parser() -> Parser:
    parser = Parser("python -m crash", description=__doc__)
    parser.add_argument("--cases", type=int, default=30, metavar="N", help="kills altogether (default: 30)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="other moments (default: 0)")
    parser.add_argument(
        "--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="SUBJECT", help="what to kill"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("output/crash.json"), metavar="FILE", help="where the record goes"
    )
    return parser


def run(arguments: Sequence[str], options: argparse.Namespace) -> int:
    """The cases that the options ask for; 1 if any of them has a fault."""
    disk.enter(arguments)
    prepare_place(options.output)
    started = time.monotonic()
    cases: list[Case] = []
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        for name, kills in plan(options.cases, options.only).items():
            if kills:
                cases += _cases_of(name, kills, options.seed, Path(folder))
    print(f"\n{table(cases)}")
    command = shlex.join(["python", "-m", "crash", *arguments])
    write_text(options.output, json.dumps(record(cases, command, started), indent=1) + "\n")
    print(f"\n{options.output}")
    return int(any(case.faults for case in cases))


def _cases_of(name: str, kills: int, seed: int, work: Path) -> list[Case]:
    subject, rng = SUBJECTS[name], random.Random(f"{seed} {name}")
    print(f"  {name}: undisturbed ...", flush=True)
    whole = undisturbed(subject, work)
    cases: list[Case] = []
    for some in killed_runs(subject, whole, kills, rng, work, disk.can_mount()):
        for case in some:
            print(line(case), flush=True)
        cases += some
    return cases


if __name__ == "__main__":
    run_process(main)
