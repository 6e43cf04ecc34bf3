"""How a program ends, and what its process needs around it.

A user's mistake ends with one line on standard error and status 2, an interruption with 128 + the signal's
number; a bug keeps its traceback. Only the standard library is loaded here.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from dsg.apps.parser import USER_ERROR_STATUS
from dsg.errors import UserError
from dsg.runtime.interrupt import Interrupted
from dsg.runtime.missing import missing_packages_named
from dsg.runtime.noise import without_noise

BROKEN_PIPE_STATUS = 128 + 13
LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def status_of(program: Callable[[], int | None]) -> int:
    """Run `program`; its exit status, with None as 0. Errors that a user can fix, and interruptions, are
    reported in one line.

    Example:
        >>> status_of(lambda: None)
        0
    """
    try:
        with missing_packages_named():
            status = program() or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # while a failure can still be reported
        return status
    except SystemExit as end:  # help, and errors that the parser found
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UserError as error:
        return _refused(f"error: {error}")
    except PermissionError as error:
        if error.filename is None:
            raise
        return _refused(f"error: {error.filename}: {error.strerror}")
    except BrokenPipeError:  # `| head` has read enough
        _forget_output()
        return BROKEN_PIPE_STATUS
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _forget_output()
        return _refused(f"error: {error.filename or 'the output'}: cannot be written ({error.strerror})")
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        if encoding == "utf-8":
            raise
        name = error.object if len(error.object) < 200 else f"{error.object[:200]}..."
        return _refused(
            f"error: {ascii(name)}: this terminal's encoding ({encoding}) cannot express this file name; set "
            "LC_ALL=C.UTF-8"
        )
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        return 128 + int(getattr(error, "signal", signal.SIGINT))


def run_process(program: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run `program` with the arguments of the command line, and exit with the status that it returns.

    Example:
        >>> if __name__ == "__main__":
        ...     run_process(main)
    """
    _escape_what_cannot_be_printed()
    os.environ.pop(
        "MPLBACKEND", None
    )  # notebooks set one that programs cannot load, and drawing to files needs none
    # Users who set TensorFlow's own level to these want all its messages; otherwise its errors suffice.
    quiet = os.environ.setdefault(LEVEL, "2") not in ("0", "1") and _is_standard_error(sys.stderr)
    with without_noise() if quiet else contextlib.nullcontext(), _stoppable():
        status = program(sys.argv[1:])
    sys.exit(status)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Within it, SIGINT and SIGTERM raise `Interrupted`, once: what a program then does to leave nothing half
    done is not interrupted. SIGHUP, from a terminal that closes, acts like SIGTERM. Signals that are ignored,
    as with `nohup`, stay ignored.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    def hang_up(number: int, _: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)  # goes to its current handler

    handlers: dict[int, Any] = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: hang_up}
    before: dict[int, Any] = {}
    for number, handler in handlers.items():
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_standard_error(stream: Any) -> bool:
    """Whether the stream writes to the descriptor that C++ code writes to, and is not captured elsewhere."""
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


def _refused(line: str) -> int:
    print(line, file=sys.stderr)
    return USER_ERROR_STATUS


def _forget_output() -> None:
    """Discard the remaining output, so that exiting does not fail on it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_what_cannot_be_printed() -> None:
    """A file name that is not Unicode, or not in the terminal's encoding, must not end a program."""
    for stream in (sys.stdout, sys.stderr):
        # The caller may have replaced them.
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
