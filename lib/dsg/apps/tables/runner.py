"""Running what a table lacks, one run after the other: `dsg train`, then `dsg test`, each a process."""

from __future__ import annotations

import filecmp
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from dsg.apps.tables.account import Account, epochs_done, time_left
from dsg.apps.tables.plan import PlannedRun, Request
from dsg.engine.runs import Run
from dsg.errors import UserError
from dsg.runtime.interrupt import Interrupted
from dsg.runtime.progress import duration

LOG = logging.getLogger("dsg")
LOOK = 1.0  # seconds between two looks at a run


def run_all(
    runs: Sequence[PlannedRun],
    request: Request,
    account: Account,
    gpu: str,
    after: Callable[[], None],
) -> list[PlannedRun]:
    """Run what is not finished; a run that fails does not keep the others from running.

    Args:
        runs: of the table.
        request: dataset and places.
        account: of what is finished; kept up to date.
        gpu: as `dsg train` takes it.
        after: called when a run has ended.

    Returns:
        The runs that failed.

    Raises:
        Interrupted: on SIGINT and SIGTERM, when the run has saved what it has.
    """
    failed: list[PlannedRun] = []
    finished = {place: account.seconds(run) for place, run in enumerate(runs) if account.finished(run)}
    for place, run in enumerate(runs):
        if place in finished:
            LOG.info("%s: already finished", _title(run))
            continue
        if run.needs is not None and not account.finished(run.needs):
            LOG.warning("%s is left out: it needs %s, which failed", _title(run), _title(run.needs))
            failed.append(run)
            continue
        LOG.info("%s", _headline(runs, place, finished, None))
        before = epochs_done(run)
        started = time.monotonic()

        def progress(elapsed: float, place: int = place, before: int = before) -> None:
            done = epochs_done(runs[place]) - before
            LOG.info("%s", _headline(runs, place, finished, (place, elapsed, done, before)))

        done = False
        if run.only_tests:
            _take_snapshot(run)
        try:
            done = all(_run(words, run, progress) == 0 for words in commands(run, request, gpu))
        finally:
            account.add(run, time.monotonic() - started, done and run.results.is_file())
        if account.finished(run):
            finished[place] = account.seconds(run)
        else:
            LOG.warning("%s failed; its message is above", _title(run))
            failed.append(run)
        after()
    return failed


def commands(run: PlannedRun, request: Request, gpu: str) -> list[list[str]]:
    """What trains and tests a run, as words of a command line; of a run that only tests, that of a copy."""
    dsg = [sys.executable, "-m", "dsg"]
    common = ["--dataset", request.dataset, "--net", run.net, "--name", run.name, "--gpu", gpu]
    common += ["--output", str(request.output), *(["--data", request.data] if request.data else [])]
    test = [*dsg, "test", *common, "--split", request.split, "--reuse", "--set", *run.pairs]
    return [test] if run.only_tests else [[*dsg, "train", *common, "--set", *run.pairs], test]


def _take_snapshot(run: PlannedRun) -> None:
    """Put a copy of the snapshot that a run only tests into its own folder, so that its results go there."""
    assert run.needs is not None
    Run(run.folder, run.name).make_folder()
    with_problem = f"{run.needs.snapshot}: cannot be copied to {run.folder}"
    try:
        same = run.snapshot.is_file() and filecmp.cmp(run.needs.snapshot, run.snapshot, shallow=False)
        if not same:
            shutil.copyfile(run.needs.snapshot, run.snapshot)
    except OSError as error:
        raise UserError(f"{with_problem} ({error.strerror or error})") from error


def _run(words: Sequence[str], run: PlannedRun, progress: Callable[[float], None]) -> int:
    """The status of a command; `progress` is called whenever an epoch has ended.

    A signal to stop is handed on, and what was begun may save itself.
    """
    caught: list[int] = []
    package = str(Path(os.path.abspath(__file__)).parents[3])  # which may not be installed
    paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    started, epochs = time.monotonic(), epochs_done(run)
    try:
        process = subprocess.Popen(words, env=environment)
    except OSError as error:
        raise UserError(f"{words[0]}: cannot be run ({error.strerror or error})") from error

    def hand_on(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        process.terminate()

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            try:
                status = process.wait(LOOK)
                break
            except subprocess.TimeoutExpired:
                if epochs_done(run) != epochs:
                    epochs = epochs_done(run)
                    progress(time.monotonic() - started)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise Interrupted(caught[0])
    return status


def _headline(
    runs: Sequence[PlannedRun],
    place: int,
    finished: dict[int, float],
    current: tuple[int, float, int, int] | None,
) -> str:
    """How far the table is."""
    run = runs[place]
    text = f"table: run {place + 1} of {len(runs)}, {_title(run)}"
    if current is not None:
        text += f", epoch {current[2] + current[3]} of {run.epochs}"
    left = time_left(runs, finished, current)
    rest = "time left not known yet" if left is None else f"about {duration(left)} left for the table"
    return f"{text}; {len(finished)} finished, {rest}"


def _title(run: PlannedRun) -> str:
    return run.row.title + (f" (seed {run.seed})" if run.seed > 1 else "")
