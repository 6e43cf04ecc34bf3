"""Hostile files: those that once were faults, some new ones of each kind, and the fuzzer's own guards."""

from __future__ import annotations

import functools
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from dsg.errors import UserError
from dsg.runtime.cocotools import has_cocotools
from fuzz.mutations import json_bytes
from fuzz.reader import Reader, attempt, write_files
from fuzz.readers import all_readers
from fuzz.runner import slug, try_reader

CORPUS = Path(__file__).parent / "fuzz"
READERS = {slug(name): reader for name, reader in all_readers().items()}
CASES = sorted(path for path in CORPUS.glob("*/*") if path.is_dir())
QUICK = [name for name in READERS if name != "tensorflow_1_checkpoints"]
WITH_MASKS = ("rle_and_polygons", "dsg_check_of_coco_instances")
FRESH = 12
referring = "referring_json_and_metadata"
valid_files = functools.cache(lambda name: READERS[name].files())


def read(name: str, folder: Path, changed: dict[str, bytes]) -> str:
    """What becomes of changed files beside valid ones."""
    if name in WITH_MASKS and not has_cocotools():
        pytest.skip("pycocotools is not installed")
    write_files(folder, {**valid_files(name), **changed})
    return attempt(READERS[name], folder)


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}: {path.name}")
def test_what_was_a_fault_once(case: Path, tmp_path: Path) -> None:
    files = {path.relative_to(case).as_posix(): path for path in case.rglob("*") if path.is_file()}
    read(case.parent.name, tmp_path / "case", {name: path.read_bytes() for name, path in files.items()})


def test_many_names_with_one_twice(tmp_path: Path) -> None:
    """Looked for in each other these would take minutes."""
    names = [f"name {number}" for number in range(100_000)]
    sizes = json_bytes(dict.fromkeys(names, 0))
    for reader, changed, said in (
        (referring, {"objects.json": json_bytes([*names, names[-1]])}, "'name 99999' is listed twice"),
        (
            referring,
            {"test_image_metadata.json": sizes[:-1] + b', "name 99999": 1}'},
            "appears twice",
        ),
    ):
        write_files(tmp_path / "case", {**valid_files(reader), **changed})
        with pytest.raises(UserError, match=said):
            READERS[reader].read(tmp_path / "case")


def test_a_table_whose_first_line_is_longer_than_csv_reads(tmp_path: Path) -> None:
    files = {**valid_files("dsg_convert_coco"), "relations.csv": b"a" * 200_000}
    write_files(tmp_path / "case", files)
    with pytest.raises(UserError, match="the columns subject, predicate, object are expected"):
        READERS["dsg_convert_coco"].read(tmp_path / "case")


def test_every_case_has_its_reader() -> None:
    assert CASES and {path.parent.name for path in CASES} <= set(READERS)


@pytest.mark.parametrize("name", QUICK)
def test_valid_files_are_accepted_and_others_are_no_faults(name: str, tmp_path: Path) -> None:
    assert read(name, tmp_path / "case", {}) == "accepted"
    checks = list(HealthCheck)

    @settings(
        max_examples=FRESH, derandomize=True, database=None, deadline=None, suppress_health_check=checks
    )
    @given(READERS[name].cases(valid_files(name)))
    def others(changed: dict[str, bytes]) -> None:
        read(name, tmp_path / "case", changed)

    others()


def misbehave(folder: Path) -> None:
    """A reader that does what the content of its file says."""
    content = (folder / "a").read_bytes()
    if content == b"start":
        os.system("true")
    elif content == b"ask":
        socket.create_connection(("127.0.0.1", 9)).close()
    elif content == b"write":
        (folder.parent / "beside").write_text("x")
    elif content == b"take":
        bytearray(10**11)
    elif content == b"hang":
        time.sleep(600)
    elif content == b"crash":
        os.abort()
    elif content == b"fail":
        raise KeyError("a")
    elif content == b"say":
        raise UserError("first line")
    elif content == b"refuse":
        raise UserError("no")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("start", "Escaped"),
        ("ask", "Escaped"),
        ("write", "Escaped"),
        ("take", "MemoryError"),
        ("hang", "no end"),
        ("crash", "the process ended with -6"),
        ("fail", "KeyError"),
        ("refuse", ""),
        ("fine", ""),
    ],
)
def test_the_fuzzer_sees_it(word: str, kind: str, tmp_path: Path) -> None:
    from hypothesis import strategies as st

    cases = st.just({"a": word.encode()})
    reader = Reader("mine", lambda: {"a": b"fine"}, lambda files: cases, misbehave)
    tried = try_reader(reader, 1, 60.0, 0, tmp_path / "kept", limit=1.0)
    assert tried.cases == 1
    if not kind:
        assert not tried.faults and tried.accepted == (word == "fine")
        return
    (found,) = tried.faults
    assert found.startswith(kind)
    said, kept = tried.examples[found]
    assert kept is not None and (kept / "a").read_bytes() == word.encode()
