"""Locks between processes."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.runtime.locks import locked
from tests.shared import ROOT

HOLDING = """
import sys
from pathlib import Path
from dsg.runtime.locks import locked
with locked(Path(sys.argv[1]), "", ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDING, str(file)]
    with subprocess.Popen(command, cwd=ROOT / "lib", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="^wait for it$"), locked(file, "wait for it", ""):
            pytest.fail("both hold it")
        first.kill()
    with locked(file, "wait for it", ""):
        pass


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr("dsg.runtime.locks.LOG.propagate", True)
    with locked(tmp_path / "lock", "", "only one at a time"):
        assert f"{tmp_path}: cannot be locked (Function not implemented); only one at a time" in caplog.text
