"""How programs end: the right status, one line for a user's mistake, nothing that cannot be printed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from dsg.apps.process import status_of
from dsg.errors import UserError
from dsg.runtime.interrupt import Interrupted
from tests.shared import ROOT

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT / "lib")


def command(code: str) -> list[str]:
    """The command of a process that runs `program(words)`, as `code` defines it."""
    start = "from dsg.apps.process import run_process, status_of"
    end = "run_process(lambda words: status_of(lambda: program(words)))"
    return [sys.executable, "-c", "\n".join([start, code, end])]


def process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What it did."""
    return subprocess.run(command(code), env={**ENVIRONMENT, **environment}, capture_output=True, text=True)


def ended_by(error: BaseException | None) -> int:
    """The status of a program that raises `error`."""

    def program() -> None:
        if error is not None:
            raise error

    return status_of(program)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 0, ""),
        (UserError("a.json: not there"), 2, "error: a.json: not there\n"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "error: /x/y: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (Interrupted(signal.SIGTERM), 143, "interrupted by SIGTERM\n"),
        (SystemExit(2), 2, ""),
        (SystemExit(None), 0, ""),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), 2, "error: pyyaml is not installed: "),
    ],
)
def test_status_and_message(error, status, message, capsys):
    assert ended_by(error) == status
    said = capsys.readouterr().err
    assert said.startswith(message) and said.count("\n") == message.count("\n") + message.endswith(" ")


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        status_of(lambda: 1 // 0)


NAMES = """
import sys
from dsg.errors import UserError


def program(words):
    print("caf\\udce9.png")
    print("caf\\udce9.png", file=sys.stderr)
    raise UserError("caf\\udce9.png: no such image")
"""


@pytest.mark.parametrize("level", [None, "0"], ids=["filtered", "all"])
def test_names_that_are_not_unicode_are_escaped(level):
    noise = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    done = process(NAMES, PYTHONIOENCODING="utf-8:strict", **noise)
    name = "caf\\udce9.png"
    assert (done.returncode, done.stdout) == (2, f"{name}\n"), done.stderr
    assert done.stderr == f"{name}\nerror: {name}: no such image\n"


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_terminal_without_accents(tmp_path):
    """What it cannot show is escaped; a file that its encoding has no name for is one line."""
    done = process('def program(words):\n    print("caf\\u00e9 \\ud83d")', **ASCII)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\xe9 \\ud83d\n", "")
    done = process('def program(words):\n    open("caf\\u00e9.png")', **ASCII)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: 'caf\\xe9.png': ") and "LC_ALL=C.UTF-8" in done.stderr


def test_streams_of_another_kind_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    assert ended_by(None) == 0


NOISE = """
import os, sys


def program(words):
    os.write(2, b'op_level_cost_estimator.cc: Error in PredictCost()\\n')
    os.write(2, b'a crash\\n')
    print('from Python', file=sys.stderr)
"""


@pytest.mark.parametrize(("level", "lines"), [(None, 2), ("2", 2), ("3", 2), ("0", 3), ("1", 3)])
def test_noise_of_tensorflow_is_dropped_and_nothing_else(level, lines):
    """Unless it is asked for: a level that asks for less brings no more than none."""
    done = process(NOISE, **({} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}))
    said = sorted(done.stderr.splitlines())
    assert done.returncode == 0 and said[:2] == ["a crash", "from Python"] and len(said) == lines


def test_matplotlib_of_a_notebook_does_not_reach_programs():
    code = "def program(words):\n    import os, matplotlib\n    assert 'MPLBACKEND' not in os.environ"
    done = process(code, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert done.returncode == 0, done.stderr


def test_whoever_has_seen_enough_closes_the_pipe():
    code = "def program(words):\n    for line in range(100_000): print(line)"
    with subprocess.Popen(
        command(code), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline() == "0\n"
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that takes nothing")
def test_a_full_disk_is_told():
    code = "def program(words):\n    print('a line')"
    with open("/dev/full", "w") as full:
        done = subprocess.run(command(code), env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: the output: cannot be written")
    assert done.stderr.count("\n") == 1


WAITING = """
import time


def program(words):
    try:
        print("started", flush=True)
        while True:  # a single wait could begin just behind the signal
            time.sleep(0.05)
    finally:
        print("tidied up", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 143, "SIGTERM")],
)
def test_signals_end_a_program_in_one_line(number, status, name):
    with subprocess.Popen(
        command(WAITING),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The parent may ignore the signal (a shell background job, nohup), and so would the program.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline() == "started\n"
        running.send_signal(number)
        assert running.stdout.read() == "tidied up\n"
        assert running.stderr.read() == f"interrupted by {name}\n"
    assert running.returncode == status


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_tensorflow_takes_its_fast_kernels_unless_told_otherwise(before, after):
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment.update({} if before is None else {"TF_ENABLE_ONEDNN_OPTS": before})
    asked = "import dsg, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    words = [sys.executable, "-c", asked]
    assert subprocess.run(words, env=environment, capture_output=True, text=True).stdout == f"{after}\n"
