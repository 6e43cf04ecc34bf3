"""Text and JSON that people write: what programs of theirs put around it, and what cannot be read."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.runtime.text import read_json, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("cup\r\nTür\rtable\n".encode(encoding))
    assert read_text(path) == "cup\nTür\ntable\n"
    path.write_text('{"a": [1, NaN]}', encoding=encoding)
    assert repr(read_json(path)) == "{'a': [1, nan]}"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("read", [read_text, read_json])
def test_what_is_not_utf8_is_named_with_its_line(tmp_path: Path, read, mark: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(mark + b'"cup",\n"T\xfcr"\n')
    with pytest.raises(UserError) as caught:
        read(path)
    place = 9 + len(mark)
    assert str(caught.value) == (
        f"{path}: line 2: not UTF-8 text (byte {place}); save it as UTF-8, or fetch it again"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text('["cup"]', encoding=encoding)
    with pytest.raises(UserError, match="it seems, UTF-16; save it as UTF-8"):
        read_json(path)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such list$"):
        read_text(tmp_path / "nowhere", "no such list")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}',
            "the key 'c' appears twice in one object; keep one",
        ),
        ('{"a": 1,\n "b": 2,\n "a": 3}', "the key 'a' appears twice"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6: not valid JSON .* the file is damaged: correct it"),
        ('{"a": 1,\n "b"', "line 2, column 5: not valid JSON .* the file is cut off"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "1" * 5_000 + "]", "a number of thousands of digits"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer.*git lfs pull"),
        (" <!DOCTYPE html><html></html>", "a web page, not the file"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_json(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")


def test_what_is_written_here_is_read(tmp_path: Path) -> None:
    content = {"ü": [1, 2.5, None, {"x": "\ud800"}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "a.json") == content
