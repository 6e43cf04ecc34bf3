"""A program of the project, run in this process: its status and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dsg.apps.main import main

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from dsg.apps.process import run_process as main"
"""How a subprocess gets what all programs end with."""


class Done(NamedTuple):
    """What a program left."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it said."""
        return self.out + self.err

    def refused(self, *words: str) -> str:
        """The one line with which it refused its input; `words` are in it."""
        assert self.status == 2, self
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in self.err
        for word in words:
            assert word in line, (word, line)
        return line

    def went_well(self, *words: str) -> str:
        """What it said; `words` are in it."""
        assert self.status == 0, self
        for word in words:
            assert word in self.said, (word, self.said)
        return self.said


Program = Callable[..., Done]


@pytest.fixture
def program(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """`program("check", folder)` is `dsg check <folder>`."""

    def run(name: str, *arguments: Any) -> Done:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
        capfd.readouterr()
        status = main([name, *(str(argument) for argument in arguments)])
        said = capfd.readouterr()
        return Done(status, said.out, said.err)

    return run
