"""A large object read piece by piece: the same members and the same complaints as from the whole file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dsg.datasets.annotations import read_json
from dsg.datasets.stream import NotAnObjectError, members
from dsg.errors import UserError

CONTENT = {
    "a é": [{"p": 1, "s": [1, 2.5, -3e5]}],
    "b": [],
    'ü\n"': {"x": None, "y": [True, False, "ሴ long " * 20]},
    "c": 12,
    "a2": "text",
    "d": [[1, [2, [3]]]],
}
TEXTS = [
    json.dumps(CONTENT),
    json.dumps(CONTENT, indent=2),
    json.dumps(CONTENT, ensure_ascii=False, indent=1),
    "{}",
    " { \n } \n",
    '{"a": NaN, "b": [Infinity, -Infinity]}',
]


def outcome(read: Any, *arguments: Any) -> Any:
    """What comes out, or what is said."""
    try:
        return repr(dict(read(*arguments)))
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("chunk", [1, 3, 17, 1 << 20])
@pytest.mark.parametrize("text", TEXTS)
def test_members(tmp_path: Path, text: str, chunk: int) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    assert outcome(members, path, chunk) == outcome(read_json, path)
    assert [name for name, _ in members(path, chunk)] == list(json.loads(text))


def test_a_name_that_comes_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1, "b": 2, "a": 3}')
    assert list(members(path, 4)) == [("a", 1), ("b", 2), ("a", 3)]


@pytest.mark.parametrize("text", ["[]", "", "  ", "7", '"text"', "\ufeff{}"])
def test_what_is_no_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotAnObjectError):
        list(members(path, 1))


def damaged(rng: random.Random, text: bytes) -> bytes:
    """The text cut off, with something missing, added or exchanged."""
    at = rng.randrange(len(text))
    return rng.choice(
        [
            text[:at],
            text[:at] + text[at + rng.randrange(1, 4) :],
            text[:at] + rng.choice([b"}", b",", b'"', b"\\", b"\n", b"9", b"\xff"]) + text[at + 1 :],
            text[:at] + rng.choice([b",", b" ", b"\n", b"}", b'"', b"]"]) + text[at:],
            text + rng.choice([b" ", b"}", b"x", b"\n\n {", b"\n"]),
        ]
    )


@pytest.mark.parametrize("text", TEXTS)
def test_damaged_files_are_refused_in_the_same_words(tmp_path: Path, text: str) -> None:
    rng, path = random.Random(text), tmp_path / "a.json"
    for _ in range(80):
        path.write_bytes(damaged(rng, text.encode()))
        expected = outcome(read_json, path)
        for chunk in (1, 5, 1 << 20):
            try:
                assert outcome(members, path, chunk) == expected, path.read_bytes()
            except NotAnObjectError:
                assert "not valid JSON" in expected or "UTF-8" in expected


def test_a_fault_far_from_the_end_is_found_before_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": [1 2], "b": [' + b"1, " * 10_000 + b"\xff")
    with pytest.raises(UserError, match="line 1, column 10: not valid JSON .* damaged"):
        list(members(path, 500))
