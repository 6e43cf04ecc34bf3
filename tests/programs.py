"""Programs run in the test's process: loading TensorFlow for each takes longer than most of what they do.

Tests whose subject is the process (signals, what an import loads, what the shell scripts do) start one.
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

UNSEEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
UNTRACED = "Even though the `tf.config"  # how TensorFlow's warning begins where functions run untraced
Done = subprocess.CompletedProcess[str]


def run_program(name: str, *words: object, cwd: Path | None = None) -> Done:
    """`tools/<name>.py` with the arguments `words`, started in the folder `cwd`.

    Returns:
        Its status and what it printed, as of a process of its own. What C++ prints is not among that, and a
        bug's exception is raised.
    """
    return _run(ROOT / "tools" / f"{name}.py", words, cwd)


def run_script(name: str, *words: object, cwd: Path) -> Done:
    """The same of `experiments/scripts/<name>`: what the script hands on to Python."""
    with mock.patch.dict(os.environ, DSG_START=str(cwd)):
        return _run(ROOT / "lib/dsg/apps/scripts.py", [name.partition(".")[0], *words], ROOT)


def run_apart(*words: object) -> Done:
    """`dsg <words>` in a process of its own, where it needs more memory than this one should go on holding:
    TensorFlow keeps scratch space for every size of convolution that it has computed.
    """
    paths = os.pathsep.join([str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "dsg", *map(str, words)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)


def _run(path: Path, words: Any, cwd: Path | None) -> Done:
    command = [str(path), *map(str, words)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ))
        stack.enter_context(mock.patch.object(sys, "argv", command))
        stack.enter_context(mock.patch.object(sys, "path", [str(path.parent), *sys.path]))
        stack.enter_context(contextlib.redirect_stdout(stdout))
        stack.enter_context(contextlib.redirect_stderr(stderr))
        stack.enter_context(_own_messages())
        stack.enter_context(_in_folder(cwd))
        try:
            runpy.run_path(str(path), run_name="__main__")
            status: Any = 0
        except SystemExit as end:
            status = end.code or 0
    return subprocess.CompletedProcess(command, status, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def _in_folder(folder: Path | None) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder or before)
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
            for category in UNSEEN:
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", UNTRACED)
            warnings.showwarning = _show_warning
            yield
    finally:
        log.handlers, log.level, log.propagate = before


def _show_warning(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
