"""Programs run in the test's process: loading TensorFlow for each takes longer than most of what they do.

Tests whose subject is the process (signals, exit statuses of shell scripts, what an import loads) start one.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.shared import ROOT

QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def run_program(
    name: str, *words: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`tools/<name>.py` with the arguments `words`, started in the folder `cwd`.

    Args:
        environment: variables that are set while it runs.

    Returns:
        Its status and what it printed, as of a process of its own. What C++ prints is not among that. A bug's
        exception is raised.
    """
    path = str(ROOT / "tools" / f"{name}.py")
    command = [path, *map(str, words)]
    stdout, stderr = io.StringIO(), io.StringIO()
    # Set, the level of TensorFlow's messages keeps programs from putting a filter before standard error.
    variables = {"TF_CPP_MIN_LOG_LEVEL": "2", **environment}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, variables))
        stack.enter_context(mock.patch.object(sys, "argv", command))
        stack.enter_context(mock.patch.object(sys, "path", [str(Path(path).parent), *sys.path]))
        stack.enter_context(contextlib.redirect_stdout(stdout))
        stack.enter_context(contextlib.redirect_stderr(stderr))
        stack.enter_context(_own_messages())
        stack.enter_context(_in_folder(cwd))
        try:
            runpy.run_path(path, run_name="__main__")
            status: Any = 0
        except SystemExit as end:
            status = end.code or 0
    return subprocess.CompletedProcess(command, status, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def _in_folder(folder: Path | None) -> Iterator[None]:
    before = Path.cwd()
    if folder is not None:
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _own_messages() -> Iterator[None]:
    """The package's logger without what others added, and warnings on standard error as Python shows them."""
    log = logging.getLogger("dsg")
    before = log.handlers, log.level, log.propagate
    log.handlers = []
    try:
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for category in QUIET:
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", "Even though the `tf.config")  # the fixture `untraced`
            warnings.showwarning = _show_warning
            yield
    finally:
        log.handlers, log.level, log.propagate = before


def _show_warning(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
