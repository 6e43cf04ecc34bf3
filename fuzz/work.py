"""Reads the cases of one reader, in a process of its own that `fuzz.runner` watches.

Each case lies in a folder before it is read, so that what ends this process can be found there. Of each it
says in lines: `s` begun, then `a` accepted, `r` refused, or `f` and JSON for a fault.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz.guards import Escaped, Watch, limit_memory
from fuzz.mutations import Files
from fuzz.reader import Reader, attempt, write_files

MEMORY = 1_500_000_000  # bytes that reading may add
BATCH = 100
CASE, CHANGED, FAULTS = "case", "changed.json", "faults"
OURS = {CASE, CHANGED, FAULTS}
"""In the folder of a worker: the files of the case at hand, which of them are changed, and first cases."""


def work(reader: Reader, cases: int, until: float, first_seed: int, folder: Path, out: int) -> None:
    """Reads cases until there are so many, or it is late, and writes the lines to the descriptor `out`."""
    lines = os.fdopen(out, "w", buffering=1)
    base, place = reader.files(), folder / CASE
    strategy = reader.cases(base)
    write_files(place, base)
    reader.read(place)  # what is imported now is not imported by a case
    watch = Watch(place)
    limit_memory(MEMORY)
    left = cases

    def one(changed: Files) -> None:
        nonlocal left
        if left <= 0 or time.monotonic() > until:
            return
        left -= 1
        write_files(place, {**base, **changed})
        (folder / CHANGED).write_text(json.dumps(sorted(changed)))
        lines.write("s\n")
        try:
            with watch.watching():
                outcome = attempt(reader, place)
            beside = {path.name for path in folder.iterdir()} - OURS
            if beside:
                raise Escaped(f"wrote {sorted(beside)}")
            lines.write(f"{outcome[0]}\n")
        except BaseException as error:  # each is a fault: that is the point
            if isinstance(error, KeyboardInterrupt):
                raise
            kind, said = described(error)
            if not (folder / FAULTS / digest(kind)).exists():  # the next case takes the place of this one
                shutil.copytree(place, folder / FAULTS / digest(kind) / CASE)
                shutil.copy(folder / CHANGED, folder / FAULTS / digest(kind))
            lines.write(f"f {json.dumps([kind, said])}\n")

    batch = 0
    while left > 0 and time.monotonic() < until:
        checks = list(HealthCheck)
        quiet = settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=checks,
        )
        before = left
        seed(first_seed + batch)(quiet(given(strategy)(one)))()
        batch += 1
        if left == before:
            break


def digest(kind: str) -> str:
    """A short name for a kind of fault."""
    return hashlib.sha256(kind.encode()).hexdigest()[:8]


def described(error: BaseException) -> tuple[str, str]:
    """What tells a fault from others, type and place, and what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}dsg{os.sep}" in frame.filename]
    frame = (own or frames)[-1]
    name = frame.filename.rpartition(f"{os.sep}dsg{os.sep}")[2]
    deepest = frames[-1]
    where = f"{name}:{frame.lineno}"
    if deepest is not frame:
        where += f" ({Path(deepest.filename).name}:{deepest.lineno})"
    said = " ".join(str(error).split())[:160]
    kind = (
        f"{type(error).__name__} {said[:60]}" if "Unsound" in type(error).__name__ else type(error).__name__
    )
    return f"{kind} at {where}", said
