"""A command as a process, looked at from outside, stopped at a moment and struck there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL = 0.002  # seconds
ENOUGH = 3600.0  # seconds after which a command counts as hanging
ORPHANS = 10.0  # seconds that processes may outlive the one that started them


@dataclass(frozen=True)
class View:
    """What is seen of a running command."""

    folder: Path  # where it writes
    output: Path  # the file that its standard output goes to
    seconds: float  # since it was started

    def printed(self) -> str:
        """What it has printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def names(self, place: str = ".") -> list[str]:
        """The files in a folder below `folder`; none where there is no such folder."""
        try:
            return os.listdir(self.folder / place)
        except OSError:
            return []


@dataclass(frozen=True)
class Moment:
    """When to strike."""

    name: str
    reached: Callable[[View], bool]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    reached: bool  # the moment came before the end
    status: int  # of the process; -N where signal N ended it
    printed: str
    errors: str  # what it wrote to standard error
    seconds: float
    orphans: int  # processes that it left running, which were then killed


def run(
    command: Sequence[str],
    folder: Path,
    outputs: Path,
    environment: Mapping[str, str],
    moment: Moment | None = None,
    strike: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> Ended:
    """Run a command to its end, whatever that is.

    Args:
        folder: where the command writes.
        outputs: its standard output and error go to this path with `.out` and `.err` at its end.
        environment: of the process.
        moment: when it is stopped; it has still come once the process stands, so that what is seen is what
            the strike meets.
        strike: what is done to it then; it goes on afterwards, if it lives.

    Raises:
        TimeoutError: it hangs; it was killed.
    """
    output, errors = (outputs.with_name(f"{outputs.name}.{end}") for end in ("out", "err"))
    started = time.monotonic()
    with open(output, "wb") as out, open(errors, "wb") as err:
        process = subprocess.Popen(
            list(command),
            stdout=out,
            stderr=err,
            env=dict(environment),
            start_new_session=True,
            # A shell's background job ignores the signal, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            reached = moment is not None and _stopped_at(process, moment, folder, output, started)
            if reached:
                strike(process)
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
            status = process.wait(ENOUGH)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"hangs: {' '.join(command)}") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            orphans = _end_orphans(process.pid)
    seconds = time.monotonic() - started
    printed, told = (path.read_text(encoding="utf-8", errors="replace") for path in (output, errors))
    return Ended(reached, status, printed, told, seconds, orphans)


def _stopped_at(
    process: subprocess.Popen[bytes], moment: Moment, folder: Path, output: Path, started: float
) -> bool:
    """Wait until the process stands at the moment; False if it ends before."""
    while process.poll() is None:
        if moment.reached(View(folder, output, time.monotonic() - started)):
            process.send_signal(signal.SIGSTOP)
            while process.poll() is None and _state(process.pid) not in "TZ":
                time.sleep(POLL)
            if process.poll() is None and moment.reached(View(folder, output, time.monotonic() - started)):
                return True
            process.send_signal(signal.SIGCONT)
        if time.monotonic() - started > ENOUGH:
            raise TimeoutError("the moment never came")
        time.sleep(POLL)
    return False


def _end_orphans(session: int) -> int:
    """How many processes of a session outlive its first one by more than a moment; they are killed."""
    until = time.monotonic() + ORPHANS
    while (left := _living(session)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


def _living(session: int) -> list[int]:
    """The processes of a session, zombies left out; none where the system has no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(path)
        if len(fields) > 3 and fields[0] != "Z" and fields[3] == str(session):
            found.append(int(path.parent.name))
    return found


def _state(pid: int) -> str:
    """One letter, T for stopped, where the system tells; else T."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return fields[0] if fields else "T"


def _fields(path: Path) -> list[str]:
    """What follows the name of a process in its line of /proc: state, parent, group, session."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
