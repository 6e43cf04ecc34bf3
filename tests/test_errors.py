"""Messages for users: one line that a terminal shows as it is."""

from __future__ import annotations

import pickle

import pytest

from dsg.errors import LONGEST, UserError


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.json: no such file", "a.json: no such file"),
        ("caf\u00e9 \u732b", "caf\u00e9 \u732b"),
        ("a\nb\n", "a b "),
        ("\x1b[2J\r\0", r"\x1b[2J\r\x00"),
        ("\u2028\ud800", r"\u2028\ud800"),
    ],
)
def test_what_steers_a_terminal_is_spelled_out(given: str, shown: str) -> None:
    assert str(UserError(given)) == shown
    str(UserError(given)).encode()


def test_long_messages_keep_their_beginning_and_their_end() -> None:
    said = str(UserError("file.json: " + "x" * 100_000 + "; fetch it again"))
    assert len(said) <= LONGEST and said.startswith("file.json: ") and said.endswith("; fetch it again")


def test_it_travels_between_processes() -> None:
    assert str(pickle.loads(pickle.dumps(UserError("a\nb")))) == "a b"
