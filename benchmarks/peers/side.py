"""A side of the comparison, in a process of its own: it runs what it is told and says how long that took.

    python -m benchmarks.peers.side SIDE CASE SETTINGS FOLDER

SIDE is a module with a function `contender`; FOLDER has the picture and the
weights. Each line of standard input is a command, answered by a line of JSON on standard output:

    compare FILE  answers the smaller picture, or takes a step; what was found goes to FILE: {"first_seconds"}
    run           {"seconds", "processor_seconds", "found"}
    state         {"peak_mib", "versions"}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.settings import Case, PeerSettings
from dsg.apps.cost.timing import peak_memory

Found = dict[str, np.ndarray]


class Contender(NamedTuple):
    """What a side can do; both functions return when their work is done."""

    run: Callable[[], Any]  # the whole work, from the picture's pixels; what it returns goes into the answer
    compare: Callable[[], Found]  # boxes, classes, scores, and masks if there are any; of a step its loss
    versions: dict[str, str]


def main(words: list[str]) -> None:
    """Answer commands until there are no more."""
    side, case, settings, folder = words
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print is no answer
    make = importlib.import_module(side).contender
    contender: Contender = make(Case.parse(case), PeerSettings.from_json(settings), Path(folder))
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        print(json.dumps(_answer(contender, command, argument)), file=answers, flush=True)


def _answer(contender: Contender, command: str, argument: str) -> dict[str, Any]:
    start, busy = time.perf_counter(), time.process_time()
    if command == "compare":
        np.savez(argument, **contender.compare())
        return {"first_seconds": time.perf_counter() - start}
    if command == "state":
        return {"peak_mib": peak_memory(), "versions": contender.versions}
    found = contender.run()
    return {
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - busy,
        "found": found,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
