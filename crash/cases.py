"""Which kills there are, and one run with some of them: killed, started again, and compared in the end."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crash.disk import Disk
from crash.process import Ended, Moment, run
from crash.subject import Content, Subject, files_below

ROOT = Path(__file__).resolve().parents[1]
IN_A_RUN = 3  # kills of one run
WEIGHTS = {"dsg": 6, "detector": 5, "grounding": 5, "generator": 4, "conversion": 4, "fetch": 3, "cache": 3}
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
FULL, PROTECTED = "disk full", "output read-only"
BLOWS = ("SIGKILL", "SIGTERM", FULL, "SIGKILL", "SIGINT", PROTECTED)


@dataclass
class Case:
    """A kill: what, when and how; and what was wrong about it."""

    subject: str
    moment: str
    blow: str
    struck: bool  # else the command ended before the moment came
    status: int
    seconds: float
    faults: list[str] = field(default_factory=list)
    skipped: str = ""  # why it was not tried


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run is like."""

    inputs: Path
    content: Content
    seconds: float


def plan(cases: int, subjects: Sequence[str]) -> dict[str, int]:
    """How many kills each subject has: in proportion to `WEIGHTS`, and at least one as far as they go."""
    given = dict.fromkeys(subjects, 0)
    for _ in range(cases):
        given[min(given, key=lambda name: (given[name] + 1) / WEIGHTS[name] if given[name] else 0)] += 1
    return given


def undisturbed(subject: Subject, work: Path) -> Whole:
    """Prepare what a command reads, and run it.

    Raises:
        RuntimeError: it fails without being killed.
    """
    inputs, folder = work / subject.name / "inputs", work / subject.name / "whole"
    inputs.mkdir(parents=True)
    with _library():
        subject.prepare(inputs, inputs.parent)
    folder.mkdir()
    ended = _start(subject, inputs, folder)
    if ended.status:
        raise RuntimeError(f"{subject.name} fails undisturbed: {ended.errors[-2000:]}")
    return Whole(inputs, subject.content(folder), ended.seconds)


def killed_runs(
    subject: Subject, whole: Whole, kills: int, rng: random.Random, work: Path, disks: bool
) -> Iterator[list[Case]]:
    """Runs of a command with so many kills altogether; after each, what there is to say of it.

    Args:
        disks: whether a disk can be mounted.
    """
    moments = [subject.moments[number % len(subject.moments)] for number in range(kills)]
    rng.shuffle(moments)  # the first ways to end a command are met at any of them
    blows = BLOWS if subject.megabytes else tuple(SIGNALS)
    hits = [(moment(rng, whole.seconds), blows[number % len(blows)]) for number, moment in enumerate(moments)]
    if not disks:
        why = "no disk can be mounted here"
        skipped = [(moment, blow) for moment, blow in hits if blow not in SIGNALS]
        hits = [hit for hit in hits if hit not in skipped]
        if skipped:
            yield [Case(subject.name, hit[0].name, hit[1], False, 0, 0.0, skipped=why) for hit in skipped]
    number = 0
    while hits:
        number += 1
        place = work / subject.name / f"run{number}"
        with contextlib.ExitStack() as stack:
            disk = None
            if disks and subject.megabytes:
                disk = stack.enter_context(Disk.mounted(place, subject.megabytes))
            folder = place / "output" if disk else place
            folder.mkdir()
            cases = _one_run(subject, whole, hits[:IN_A_RUN], folder, disk)
        shutil.rmtree(place, ignore_errors=True)
        hits = hits[len(cases) :]
        yield cases


def _one_run(
    subject: Subject, whole: Whole, hits: Sequence[tuple[Moment, str]], folder: Path, disk: Disk | None
) -> list[Case]:
    """The cases of one run: as many of the hits as it meets before it ends."""
    cases: list[Case] = []
    for moment, blow in hits:
        print(f"  {subject.name}: {blow}, {moment.name} ...", flush=True)
        ended, faults = _struck(subject, whole.inputs, folder, moment, blow, disk)
        seconds = round(ended.seconds, 1)
        cases.append(Case(subject.name, moment.name, blow, ended.reached, ended.status, seconds, faults))
        if not ended.reached or ended.status == 0:  # it was at its end
            break
    else:
        ended = _start(subject, whole.inputs, folder)
    faults = faults_of(ended, (0,)) or differences(whole.content, subject.content(folder))
    for case in cases:
        case.faults += [f"in the end: {fault}" for fault in faults]
    return cases


def differences(expected: Content, found: Content) -> list[str]:
    """What of the content differs, some of it by name."""
    parts = {
        "missing": sorted(expected.keys() - found.keys()),
        "superfluous": sorted(found.keys() - expected.keys()),
        "other": sorted(key for key in expected.keys() & found.keys() if expected[key] != found[key]),
    }
    return [
        f"{word}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' * (len(keys) > 4)}"
        for word, keys in parts.items()
        if keys
    ]


def faults_of(ended: Ended, statuses: Sequence[int]) -> list[str]:
    """What is wrong about an end."""
    faults = []
    if ended.status not in statuses:
        last = ended.errors.strip().rpartition("\n")[2] or ended.printed.strip().rpartition("\n")[2]
        faults.append(f"status {ended.status}: {last[:300]}")
    if "Traceback" in ended.errors:
        faults.append("a traceback")
    if ended.status == 2 and not ended.errors.strip().rpartition("\n")[2].startswith("error: "):
        faults.append("no line that says what to do")
    if ended.orphans:
        faults.append(f"{ended.orphans} processes went on")
    return faults


def _struck(
    subject: Subject, inputs: Path, folder: Path, moment: Moment, blow: str, disk: Disk | None
) -> tuple[Ended, list[str]]:
    """A command that meets a blow, and what is wrong about how it ended."""

    def strike(process: subprocess.Popen[bytes]) -> None:
        if blow == FULL:
            assert disk is not None
            disk.fill()
        elif blow == "SIGINT":  # Ctrl-C reaches all processes of the terminal
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(SIGNALS.get(blow, signal.SIGKILL))

    ended = _start(subject, inputs, folder, moment, strike)
    if not ended.reached:
        return ended, faults_of(ended, (0,))
    if blow == FULL:
        assert disk is not None
        disk.free()
        return ended, faults_of(ended, (0, 2))  # 0: all was written
    expected = {"SIGTERM": 143, "SIGINT": 130}.get(blow, -signal.SIGKILL)
    faults = faults_of(ended, (expected, 0) if expected > 0 else (expected,))
    if blow == PROTECTED:
        assert disk is not None
        before = files_below(folder)
        disk.protect()
        try:
            faults += faults_of(_start(subject, inputs, folder), (2,))
        finally:
            disk.protect(False)
        faults += differences(before, files_below(folder))
    return ended, faults


def _start(
    subject: Subject,
    inputs: Path,
    folder: Path,
    moment: Moment | None = None,
    strike: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> Ended:
    command = [sys.executable, "-m", "dsg", *subject.words(inputs, folder)]
    with _library() as environment:
        given = {**environment, **subject.environment(folder)}
        return run(command, folder, inputs.parent / "printed", given, moment, strike)


@contextlib.contextmanager
def _library() -> Iterator[Mapping[str, str]]:
    """Within it, programs find the package, print at once and leave the terminal's settings alone."""
    before = dict(os.environ)
    paths = [str(ROOT / "lib"), *filter(None, [before.get("PYTHONPATH")])]
    os.environ.update(PYTHONPATH=os.pathsep.join(paths), PYTHONUNBUFFERED="1", CUDA_VISIBLE_DEVICES="-1")
    try:
        yield os.environ
    finally:
        os.environ.clear()
        os.environ.update(before)
