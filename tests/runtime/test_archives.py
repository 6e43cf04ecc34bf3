"""Archives from outside, of either kind: which members there are, and which names are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.runtime.archives import members, opened, read
from dsg.runtime.limits import Limits
from tests.apps.fetch.files import tar_of, zip_of
from tests.properties import given, st

PACK = {"zip": zip_of, "ZIP": zip_of, "tar.gz": tar_of}
PARTS = ["..", ".", "", "a", "b c", "ü.jpg", "C:", "c:x", "...", "a..b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


@pytest.mark.parametrize("kind", PACK)
def test_what_macs_add_is_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    added = ("__MACOSX/._a.json", "x/__MACOSX/b", "x/.DS_Store", ".DS_Store", "x/._a.json")
    path.write_bytes(PACK[kind]({"x/a.json": b"{}", **dict.fromkeys(added, b"\0\5\x16\7"), "x/a._b": b"1"}))
    with opened(path) as archive:
        listed = members(archive, path, Limits())
        assert [member.name for member in listed] == ["x/a.json", "x/a._b"]
        with read(archive, listed[0]) as content:
            assert content.read() == b"{}"


@given(
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).filter(lambda parts: parts != [""]),
    slash=st.sampled_from("/\\"),
    kind=st.sampled_from(["zip", "tar.gz"]),
)
def test_no_name_leads_out(folder: Path, parts: list[str], slash: str, kind: str) -> None:
    name, path = slash.join(parts), folder / f"a.{kind}"
    path.write_bytes(PACK[kind]({name: b"1"}))
    target = folder / "target"
    try:
        with opened(path) as archive:
            names = [member.name for member in members(archive, path, Limits())]
    except UserError as error:
        assert "leads out of the folder" in str(error)
        assert {"..", ".", "", "C:", "c:x"} & set(parts)
    else:
        assert all((target / found).resolve().is_relative_to(target) for found in names)
        assert all("\\" not in found and not found.startswith("/") for found in names)
