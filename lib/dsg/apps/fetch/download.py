"""A file from the first mirror that gives it: several tries of each, verified before it gets its name."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.content import problem, size_of
from dsg.apps.fetch.http import OnBytes, Refused, Transient, forget, receive
from dsg.apps.fetch.tools import Tools, explained
from dsg.errors import UserError
from dsg.runtime.progress import Progress

LOG = logging.getLogger("dsg")
MEGABYTE = 1_000_000
SHOWN_FROM = 5 * MEGABYTE  # less is there in a moment


def download(part: Part, urls: Sequence[str], target: Path, tools: Tools) -> None:
    """Puts `part` into `target`, which appears whole and verified or not at all.

    Args:
        urls: mirrors in the order in which they are tried.
        target: the file; while it is incomplete it is called `<target>.part`.

    Raises:
        UserError: no mirror gave it, with the reason of each; or there is no disk for it.
    """
    part_file = target.with_name(target.name + ".part")
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        LOG.info("fetching %s", url)
        try:
            with _progress(part) as on_bytes:
                _from_mirror(url, part_file, part, tools, on_bytes)
        except (Refused, Transient) as error:
            LOG.info("  %s", error)
            failures.append(f"{url}: {error}")
            continue
        with explained(target):
            os.replace(part_file, target)
        forget(part_file)
        return
    kept = f"; {part_file} is kept, and the same command resumes from there" if part_file.is_file() else ""
    page = f" (see {part.page})" if part.page else ""
    raise UserError(
        f"{part.file}: every mirror failed: {'; '.join(failures)}{kept}; "
        f"get it some other way{page} and run the same command with --from FOLDER"
    )


def _from_mirror(url: str, part_file: Path, part: Part, tools: Tools, on_bytes: OnBytes) -> None:
    """Tries one mirror until it has given the whole file, or has failed too often without progress.

    Raises:
        Refused: it has no such file, or a wrong one, which is removed.
        Transient: too many failures; what has arrived is kept.
    """
    failed, restarted = 0, False
    while True:
        before = size_of(part_file)
        try:
            receive(url, part_file, part, tools, on_bytes)
        except Transient as error:
            failed = 1 if size_of(part_file) > before else failed + 1
            if failed >= tools.attempts:
                raise
            wait = max(error.wait, tools.backoff * 2 ** (failed - 1))
            LOG.info("  %s; trying again in %.0f s", error, wait)
            tools.sleep(wait)
            continue
        reason = problem(part_file, part)
        if not reason:
            return
        forget(part_file)
        if not before or restarted:
            raise Refused(f"{reason}; it was removed")
        restarted = True  # two halves of different files, maybe
        LOG.info("  %s; starting again from the beginning", reason)


@contextlib.contextmanager
def _progress(part: Part) -> Iterator[OnBytes]:
    """Shows megabytes, if there are several, with the time left, or the rate if the size is unknown."""
    with contextlib.ExitStack() as stack:
        shown: list[Progress] = []
        told = [0]

        def on_bytes(done: int, total: int) -> None:
            total = total or part.size_guess
            megabytes = -(-done // MEGABYTE) if done == total else done // MEGABYTE
            if not shown and max(done, total) >= SHOWN_FROM:
                told[0] = megabytes
                expected = -(-total // MEGABYTE) if total > done else 0  # an estimate may be too low
                shown.append(stack.enter_context(Progress(f"{part.file}, MB", expected, done=megabytes)))
            if shown and megabytes > told[0]:
                shown[0].advance(megabytes - told[0])
                told[0] = megabytes

        yield on_bytes
