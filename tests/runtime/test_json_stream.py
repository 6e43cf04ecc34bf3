"""Large objects and lists read piece by piece: the same entries and complaints as from the whole file."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dsg.errors import UserError
from dsg.runtime.json_stream import WrongKindError, list_elements, object_members
from dsg.runtime.text import read_json
from tests.properties import given, st

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
    "\ufeff" + json.dumps(CONTENT),
    "{}",
    " { \n } \n",
    '{"a": NaN, "b": [Infinity, -Infinity]}',
]


def outcome(read: Any, *arguments: Any, **options: Any) -> Any:
    """What comes out, or what is said."""
    try:
        return repr(dict(read(*arguments, **options)))
    except UserError as error:
        return str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@pytest.mark.parametrize("chunk", [1, 3, 17, 1 << 20])
@pytest.mark.parametrize("text", TEXTS)
def test_members(tmp_path: Path, text: str, chunk: int) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    assert outcome(object_members, path, chunk=chunk) == outcome(read_json, path)
    expected = list(json.loads(text.lstrip("\ufeff")))
    assert [name for name, _ in object_members(path, chunk=chunk)] == expected


@pytest.mark.parametrize("keys", [None, lambda value: 2, lambda value: -1])
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "a"),
        ('{"a": {"x": 1, "y": 2, "x": 1}}', "x"),
        ('{"a": [{"p": 1, "q": {"x": 0, "x" : 0}}], "b": 1}', "x"),
        ('{"a": {"x": ":", "x": 2}}', "x"),
    ],
)
def test_a_key_that_stands_there_twice(tmp_path: Path, text: str, key: str, keys: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    for said in (outcome(object_members, path, keys, chunk=4), outcome(read_json, path)):
        assert said == f"{path}: the key {key!r} appears twice in one object; keep one of the two"


@pytest.mark.parametrize("text", ["[]", "", "  ", "7", '"text"', "\ufeff[]"])
def test_what_is_no_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WrongKindError):
        list(object_members(path, chunk=1))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An object cut off, with something missing, added or exchanged."""
    text = draw(st.sampled_from(TEXTS)).encode()
    at = draw(st.integers(0, len(text) - 1))
    return draw(
        st.one_of(
            st.just(text[:at]),
            st.integers(1, 3).map(lambda more: text[:at] + text[at + more :]),
            st.sampled_from([b"}", b",", b'"', b"\\", b"\n", b"9", b"\xff"]).map(
                lambda other: text[:at] + other + text[at + 1 :]
            ),
            st.sampled_from([b",", b" ", b"\n", b"}", b'"', b"]"]).map(
                lambda added: text[:at] + added + text[at:]
            ),
            st.sampled_from([b" ", b"}", b"x", b"\n\n {", b"\n"]).map(lambda added: text + added),
        )
    )


@given(content=damaged(), chunk=st.sampled_from([1, 5, 1 << 20]))
def test_damaged_files_are_refused_in_the_same_words(folder: Path, content: bytes, chunk: int) -> None:
    path = folder / "a.json"
    path.write_bytes(content)
    expected = outcome(read_json, path)
    try:
        assert outcome(object_members, path, chunk=chunk) == expected
    except WrongKindError:
        assert "not valid JSON" in expected or "UTF-8" in expected


def test_a_fault_far_from_the_end_is_found_before_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": [1 2], "b": [' + b"1, " * 10_000 + b"\xff")
    with pytest.raises(UserError, match="line 1, column 10: not valid JSON .* damaged"):
        list(object_members(path, chunk=500))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(content=st.lists(values, max_size=5), indent=st.sampled_from([None, 2]), chunk=st.integers(1, 60))
def test_elements_whatever_the_chunk(folder: Path, content: Any, indent: int | None, chunk: int) -> None:
    path = folder / "list.json"
    path.write_text(" \n" + json.dumps(content, indent=indent) + "\n")
    assert list(list_elements(path, chunk=chunk)) == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no JSON list"),
        ('{"a": 1}', "contains no JSON list"),
        ('[{"a": 1}, {"b"', "after element 1: line 1, column 16: not valid JSON .*cut off"),
        ('[{"a": 1}', "after element 0: .*cut off"),
        ("[1, 2", "after element 1: .*cut off"),
        ('[{"a": 1} {"b": 2}]', "after element 0: line 1, column 11: .*Expecting ',' delimiter.*damaged"),
        ("[1, oops]", "after element 1: line 1, column 5: not valid JSON"),
        ("[1, " + "[" * 200_000, "after element 1: .*nested too deeply"),
        ("[1, " + "1" * 5000 + "]", "after element 1: .*a number of thousands of digits"),
        ('[1, {"a": 1, "a": 2}]', "after element 1: the key 'a' appears twice"),
    ],
)
def test_broken_lists(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        list(list_elements(path))


def test_lists_in_zip(tmp_path: Path) -> None:
    path = tmp_path / "r.json.ZIP"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("relationships.JSON", "[1, 2]")
    assert list(list_elements(path)) == [1, 2]
    packed = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:  # what a Mac's archiver adds
        archive.writestr("__MACOSX/._relationships.JSON", b"\0\5\x16\7")
        archive.writestr("._b.json", b"\0\5\x16\7")
    assert list(list_elements(path)) == [1, 2]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.json", "[]")
    with pytest.raises(UserError, match="contains 2 JSON files"):
        list(list_elements(path))
    content, directory = 30 + len("relationships.json"), packed.rindex(b"PK\x01\x02")
    # What is packed; which version of zip can read it; whether it is encrypted.
    for at, bits, message in (
        (content, 7, "invalid block"),
        (directory + 6, 255, "version"),
        (directory + 8, 1, "encrypted"),
    ):
        damage = bytearray(packed)
        damage[at] |= bits
        path.write_bytes(damage)
        with pytest.raises(UserError, match=message):
            list(list_elements(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("relationships.json", "[1, 2]")
    damage = bytearray(path.read_bytes())
    damage[content + 4] = 255  # how it is packed
    path.write_bytes(damage)
    with pytest.raises(UserError, match="r.json.ZIP: cannot be read .*; fetch the file again"):
        list(list_elements(path))
    other = tmp_path / "no.zip"
    other.write_text("no zip")
    with pytest.raises(UserError, match="cannot be read"):
        list(list_elements(other))
    with pytest.raises(UserError, match="no such file"):
        list(list_elements(tmp_path / "nowhere.json"))


def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    element = json.dumps({"image_id": 1, "relationships": ["x" * 50] * 40})
    path = tmp_path / "large.json"
    path.write_text("[" + ", ".join([element] * 12_000) + "]")  # 26 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in list_elements(path)) == 12_000
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
