"""Runs cases in processes that may crash or hang, and says what became of them."""

from __future__ import annotations

import faulthandler
import json
import os
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from fuzz.reader import Reader
from fuzz.work import CASE, CHANGED, FAULTS, digest, work

START = 120.0  # seconds that loading a reader may take


@dataclass
class Tried:
    """What became of one reader's cases."""

    name: str
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)  # by type and place
    examples: dict[str, tuple[str, Path | None]] = field(
        default_factory=dict
    )  # what was said, where it is kept

    @property
    def cases(self) -> int:
        """How many were read."""
        return self.accepted + self.refused + sum(self.faults.values())


def try_reader(
    reader: Reader, cases: int, seconds: float, seed: int, keep: Path | None, limit: float
) -> Tried:
    """Reads cases of a reader.

    Args:
        cases: so many.
        seconds: or as many as can be read in this time.
        keep: folder for the first case of every fault.
        limit: seconds that a case may take.
    """
    tried, started = Tried(reader.name), time.monotonic()
    while tried.cases < cases and time.monotonic() - started < seconds:
        before = tried.cases
        with tempfile.TemporaryDirectory(prefix="dsg_fuzz_") as place:
            more = cases - tried.cases, started + seconds, seed + 1000 * tried.cases
            _watch(reader, more, Path(place), tried, limit, keep)
        if tried.cases == before:
            break
    tried.seconds = time.monotonic() - started
    return tried


def _watch(
    reader: Reader, more: tuple[int, float, int], folder: Path, tried: Tried, limit: float, keep: Path | None
) -> None:
    """Forks a worker, and follows it to its end, or until a case takes too long."""
    readable, writable = os.pipe()
    with tempfile.TemporaryFile() as errors:
        process = os.fork()
        if not process:
            os.close(readable)
            _child(reader, more, folder, writable, errors.fileno())
        os.close(writable)
        inside, slow = False, False
        with open(readable, "rb", buffering=0) as lines, selectors.DefaultSelector() as ready:
            ready.register(lines, selectors.EVENT_READ)
            pending = b""
            while not slow:
                if not ready.select(limit if inside else START):
                    slow = True
                    os.kill(process, signal.SIGKILL)
                piece = os.read(readable, 1 << 16)
                if not piece:
                    break
                *whole, pending = (pending + piece).split(b"\n")
                for line in whole:
                    inside = line == b"s"
                    _note(line.decode(), tried, folder, keep)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()[-300:]
    if slow:
        _fault(tried, "no end" if inside else "no beginning", f"after {limit:g} s", folder, keep)
    elif inside:
        _fault(tried, f"the process ended with {status}", said, folder, keep)
    elif status:
        _fault(tried, f"the worker failed with {status}", said, None, keep)


def _child(reader: Reader, more: tuple[int, float, int], folder: Path, out: int, errors: int) -> NoReturn:
    """The worker; what libraries print goes to `errors`."""
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    faulthandler.enable(errors)
    sys.dont_write_bytecode = True  # what is imported late would write outside of the folder
    status = 1
    try:
        work(reader, *more, folder, out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _note(line: str, tried: Tried, folder: Path, keep: Path | None) -> None:
    if line == "a":
        tried.accepted += 1
    elif line == "r":
        tried.refused += 1
    elif line.startswith("f "):
        kind, said = json.loads(line[2:])
        _fault(tried, kind, said, folder, keep)


def _fault(tried: Tried, kind: str, said: str, folder: Path | None, keep: Path | None) -> None:
    tried.faults[kind] += 1
    if kind not in tried.examples:
        kept = None if keep is None or folder is None else _kept(tried.name, kind, folder, keep)
        tried.examples[kind] = said, kept


def _kept(name: str, kind: str, folder: Path, keep: Path) -> Path | None:
    """Where the changed files of a case are kept; None if they cannot be read."""
    target = keep / slug(name) / digest(kind)
    shutil.rmtree(target, ignore_errors=True)
    own = folder / FAULTS / digest(kind)
    place = own if own.is_dir() else folder
    try:
        for file in json.loads((place / CHANGED).read_text()):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            source = place / CASE / file
            (target / file).write_bytes(source.read_bytes() if source.is_file() else b"")
    except (OSError, ValueError):
        return None
    return target


def slug(name: str) -> str:
    """A reader's name as that of a folder."""
    return "".join(sign if sign.isalnum() else "_" for sign in name.lower()).strip("_")
