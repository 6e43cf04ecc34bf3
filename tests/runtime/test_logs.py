"""Messages reach the console while there is one."""

from __future__ import annotations

import errno
import io
import logging
import sys

import pytest

from dsg.runtime.logs import ConsoleHandler


def emit(message: str, *values: object) -> None:
    ConsoleHandler().emit(logging.LogRecord("dsg", logging.INFO, "", 0, message, values, None))


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(errno.ENOSPC, "full"), ValueError("closed file")]
)
def test_a_console_that_went_away_ends_nothing(error, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stdout", Gone())
    emit("epoch 1")


def test_a_name_that_cannot_be_printed_ends_nothing(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    emit("skipped: \ud800.jpg")
    emit("epoch 2")
    assert raw.getvalue() == b"epoch 2\n"


def test_a_console_shows_them(capsys):
    emit("epoch %d", 3)
    assert capsys.readouterr().out == "epoch 3\n"
