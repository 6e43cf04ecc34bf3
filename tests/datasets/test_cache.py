"""Caches: out of one comes what the files say; what is no cache of these very files is not used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.annotations import RELEASES, write_release
from dsg.datasets import Dataset, ImageRecord, load_dataset
from dsg.datasets.kept import LEAST, NEWEST
from dsg.errors import UserError
from tests.datasets.files import CAT, DOG, GOOD, mention, relation, write_dataset, write_json
from tests.shared import ROOT

LIB = ROOT / "lib"
ARRAYS = ["boxes", "entities", "predicates", "queries", "roles", "subject_masks", "object_masks", "triples"]
BAD = [
    relation(mention(9, 1, 1, 9, 9), 1, DOG),
    relation(CAT, 9, DOG),
    relation(mention(3, 90, 1, 9, 9), 1, DOG),
]


def assert_same(first: ImageRecord, second: ImageRecord) -> None:
    """To the bit, types included."""
    for name in ("name", "path", "width", "height", "flipped"):
        one, other = getattr(first, name), getattr(second, name)
        assert one == other and type(one) is type(other), name
    for name in ARRAYS:
        one, other = getattr(first, name), getattr(second, name)
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, strict=True)


def assert_same_datasets(first: Dataset, second: Dataset) -> None:
    assert len(first) == len(second) > 0
    for one, other in zip(first.records, second.records):
        assert_same(one, other)
    assert list(first.skipped.items()) == list(second.skipped.items())
    assert first.summary() == second.summary()


def mixed(folder: Path) -> Path:
    """A data set with something of everything: faults, empty images, several predicates, other key orders."""
    rng = np.random.RandomState(0)
    train: dict[str, Any] = {}
    for number in range(40):
        boxes = [mention(int(rng.randint(4)), x, 5, x + 10, 40) for x in range(0, 60, 10)]
        boxes += [dict(reversed(boxes[0].items())), mention(1, 3.5, 4, 20, 30)]
        train[f"{number * 7 % 40:02d}.jpg"] = [
            relation(boxes[rng.randint(8)], int(rng.randint(3)), boxes[rng.randint(8)])
            for _ in range(rng.choice([0, 1, 5, 25]))
        ]
    train["03.jpg"] = [*GOOD, *BAD]
    train["04.jpg"] = [relation(CAT, 1, CAT)]
    write_dataset(folder, train=train)
    sizes = {name: {"width": 100, "height": 80} for name in sorted(train)}
    sizes["05.jpg"] = {"width": 0, "height": 0}
    sizes["zz.jpg"] = sizes.pop("06.jpg")
    write_json(folder / "train_image_metadata.json", sizes)
    return folder


OPTIONS: list[dict[str, Any]] = [
    {},
    {"flip": "released", "max_images": 9},
    {"flip": "swap_lr", "seed": 5},
    {"on_bad_record": "keep", "keep_self": True},
    {"split_rule": "dsg", "flip": "swap_lr"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("split", ["train", "validation", "trainval"])
def test_with_and_without_a_cache(tmp_path: Path, split: str, options: dict[str, Any]) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_dataset(folder, split, cache=False, **options)
    assert not cache.exists()
    first = load_dataset(folder, split, cache=cache, **options)
    (file,) = cache.iterdir()
    written = file.stat().st_mtime_ns
    cached = load_dataset(folder, split, cache=cache, **options)
    assert_same_datasets(plain, first)
    assert_same_datasets(plain, cached)
    assert [(item, item.stat().st_mtime_ns) for item in cache.iterdir()] == [(file, written)]


def test_faults_stop_the_loader_from_the_cache_too(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "own", test={"a.jpg": GOOD, "b.jpg": [7], "c.jpg": BAD[:1]})
    said = []
    for cache in (False, tmp_path / "cache", tmp_path / "cache"):
        for policy in ("skip", "error"):
            with pytest.raises(UserError, match="image 'b.jpg', relationship 0: a JSON number") as caught:
                load_dataset(folder, "test", cache=cache, on_bad_record=policy)
            said.append(str(caught.value))
        assert len(load_dataset(folder, "test", max_images=1, cache=cache)) == 1
    assert len(set(said)) == 1


@pytest.mark.parametrize("file", ["annotations_test.json", "test_image_metadata.json"])
def test_changed_files_have_another_cache(tmp_path: Path, file: str) -> None:
    folder, cache = write_dataset(tmp_path / "own", test={"a.jpg": GOOD, "b.jpg": GOOD}), tmp_path / "cache"
    assert len(load_dataset(folder, "test", cache=cache)) == 2
    text = (folder / file).read_text()
    stamp = (folder / file).stat().st_mtime_ns
    (folder / file).write_text(text.replace("b.jpg", "c.jpg"))
    os.utime(folder / file, ns=(stamp, stamp))  # as old and as long as before
    assert [record.name for record in load_dataset(folder, "test", cache=cache).records] == ["a.jpg"]
    (folder / file).write_text(text)
    assert len(load_dataset(folder, "test", cache=cache)) == 2
    assert len(list(cache.iterdir())) == 2


def test_a_longer_vocabulary_makes_good_what_was_bad(tmp_path: Path) -> None:
    folder, cache = write_dataset(tmp_path / "own", test={"a.jpg": [*GOOD, BAD[0]]}), tmp_path / "cache"
    assert "category out of range" in load_dataset(folder, "test", cache=cache).skipped
    write_json(folder / "objects.json", [f"object {number}" for number in range(10)])
    assert load_dataset(folder, "test", cache=cache).skipped == {}


def test_a_copy_elsewhere_shares_the_cache_but_not_the_paths(tmp_path: Path) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    load_dataset(folder, "train", cache=cache)
    shutil.copytree(folder, tmp_path / "copy")
    copy = load_dataset(tmp_path / "copy", "train", cache=cache)
    assert len(list(cache.iterdir())) == 1
    assert all(record.path.is_relative_to(tmp_path / "copy") for record in copy.records)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def rewrite(file: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Changes what a cache holds: its arrays, and its texts."""
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    about = json.loads(values["about"].tobytes())
    change(values, about)
    values["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(file, **values)


def changed(**changes: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Spoils a cache: the arrays or texts of these names become something else."""

    def change(values: dict[str, Any], about: dict[str, Any]) -> None:
        for name, make in changes.items():
            place = values if name in values else about
            place[name] = make(place[name])

    return lambda file: rewrite(file, change)


def put(place: Any, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    """An array with another value there."""

    def change(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[place] = value
        return values

    return change


UNTRUE = {
    "reports that are a list": changed(reports=lambda found: []),
    "reports of two words": changed(reports=lambda found: {"0": [["reason", "detail"]]}),
    "reports of no image": changed(reports=lambda found: {"77": next(iter(found.values()))}),
    "reports of more than there is": changed(reports=lambda found: {"0": 1000 * [["reason", 0, "detail"]]}),
    "faults of no image": changed(faults=lambda found: {"-1": ": not of the format"}),
    "names that are none": changed(names=lambda names: [None, *names[1:]]),
    "names that come twice": changed(names=lambda names: [names[1], *names[1:]]),
    "unsized that is a number": changed(unsized=lambda names: 7),
    "texts nested too deep": lambda file: np.savez(file, about=np.frombuffer(b"[" * 100_000, np.uint8)),
    "entities that are not there": changed(triples=put((0, 2), 200)),
    "an unknown predicate": changed(triples=put((0, 1), 3)),
    "an unknown category": changed(categories=put(0, 77)),
    "negative categories": changed(categories=lambda values: -values.astype(np.int32)),
    "categories with fractions": changed(categories=lambda values: values.astype(np.float32)),
    "a box that is no number": changed(boxes=put((3, 2), np.nan)),
    "an endless box": changed(boxes=put((3, 2), np.inf)),
    "an inverted box": changed(boxes=put((3, 0), 500)),
    "boxes of other numbers": changed(boxes=lambda values: values.astype(np.float64)),
    "a negative size": changed(sizes=put((0, 0), -1)),
    "relations of an image without size": changed(sizes=put((0, 0), 0)),
    "entities of two images": changed(entity_start=lambda values: 0 * values),
    "a start that overflows": changed(entity_start=put(-1, (1 << 63) - 1)),
    "a negative count": changed(triple_count=put(-1, -1)),
    "no query where there are relations": changed(queries=lambda values: 0 * values),
    "more queries than relations": changed(queries=put((0, 1), 1000)),
    "more draws than relations": changed(draws=put(0, 1_000_000_000)),
    "negative draws": changed(draws=put(0, -1)),
    "an array too many": lambda file: rewrite(file, lambda values, about: values.update(more=np.zeros(3))),
}


def pack(file: Path) -> None:
    """A file of kilobytes could hold gigabytes."""
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    np.savez_compressed(file, **values)


def headers(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Spoils a cache: what its arrays say of themselves becomes something else, of the same length."""

    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, re.sub(old, lambda found: new.ljust(len(found[0])), data, count=1))

    return change


HEADERS = {
    "64 TiB": headers(rb"\(\d+, 2\), } +", b"(4398046511104, 2), }"),
    "no number of elements": headers(rb"\(\d+, 2\), } +", b"(9999999999999999999999, 2), }"),
    "an array of objects": headers(rb"'<i4'", b"'|O4'"),
    "an unknown type": headers(rb"'<i4'", b"'<zz'"),
    "a type that NumPy cannot parse": headers(rb"'<i4'", b"'01i'"),
    "an open bracket": headers(rb"'shape': \(", b"'shape':(("),
    "columns first": headers(rb"False", b"True"),
}


def say_more_than_there_is(file: Path) -> None:
    """The archive's directory gives a member another length."""
    content = bytearray(file.read_bytes())
    place = content.rindex(b"PK\1\2")
    content[place + 20 : place + 28] = b"\xf0\xff\xff\x7f" * 2
    file.write_bytes(content)


def turn_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    place = content.rindex(np.float32(60).tobytes())  # within the boxes
    content[place] ^= 1
    file.write_bytes(content)


def leave_an_array_out(file: Path) -> None:
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files if name != "boxes"}
    np.savez(file, **values)


def point_beyond_the_end(file: Path) -> None:
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    values["triple_start"] = values["triple_start"] + 1000
    np.savez(file, **values)


def another_format(file: Path) -> None:
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    text = values["about"].tobytes().replace(b'"format": ', b'"format": 9')
    values["about"] = np.frombuffer(text, np.uint8)
    np.savez(file, **values)


def become_objects(file: Path) -> None:
    np.savez(file, about=np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    "spoil",
    [
        truncate,
        turn_a_bit,
        leave_an_array_out,
        point_beyond_the_end,
        another_format,
        become_objects,
        pack,
        say_more_than_there_is,
        *(pytest.param(spoil, id=name) for name, spoil in {**UNTRUE, **HEADERS}.items()),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_text("something else"),
        lambda file: np.savez(file, other=np.zeros(3)),
    ],
)
def test_a_spoilt_cache_is_written_anew(tmp_path: Path, spoil: Any) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_dataset(folder, "train", cache=cache)
    (file,) = cache.iterdir()
    good = file.read_bytes()
    spoil(file)
    assert file.read_bytes() != good
    assert_same_datasets(load_dataset(folder, "train", cache=cache), plain)
    assert len(file.read_bytes()) == len(good) and list(cache.iterdir()) == [file]
    assert_same_datasets(load_dataset(folder, "train", cache=cache), plain)


def test_a_pipe_in_place_of_a_cache_is_not_waited_for(tmp_path: Path) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_dataset(folder, "train", cache=cache)
    (file,) = cache.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert_same_datasets(load_dataset(folder, "train", cache=cache), plain)
    assert file.is_file()


def test_records_of_a_cache_that_states_fewer_draws_can_be_made(tmp_path: Path) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_dataset(folder, "train", cache=cache)
    (file,) = cache.iterdir()
    changed(draws=lambda values: 0 * values)(file)
    for record, other in zip(plain.records, load_dataset(folder, "train", cache=cache).records):
        np.testing.assert_array_equal(record.predicates >= 0, other.predicates >= 0)


def test_a_cache_of_other_files_under_this_name_is_not_used(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = write_dataset(tmp_path / "first", test={"a.jpg": GOOD})
    second = write_dataset(tmp_path / "second", test={"b.jpg": GOOD})
    load_dataset(first, "test", cache=cache)
    (file,) = cache.iterdir()
    load_dataset(second, "test", cache=cache)
    (other,) = set(cache.iterdir()) - {file}
    shutil.copy(other, file)
    assert [record.name for record in load_dataset(first, "test", cache=cache).records] == ["a.jpg"]


def test_where_nothing_can_be_written_it_works_without(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "own")
    (tmp_path / "file").write_text("no folder")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        assert len(load_dataset(folder, "test", cache=cache)) == 1


def test_old_caches_and_abandoned_files_go(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    abandoned, recent = (cache / f".annotations_test-{number}.npz.1.tmp" for number in range(2))
    for file in (abandoned, recent):
        file.write_bytes(b"half")
    os.utime(abandoned, (1, 1))
    for number in range(NEWEST + 3):
        folder = write_dataset(tmp_path / f"{number}", test={f"{number}.jpg": GOOD})
        load_dataset(folder, "test", cache=cache)
        for file in cache.glob("annotations_test-*"):
            os.utime(file, (time.time() - 60, file.stat().st_mtime - 60))
    assert len(list(cache.glob("annotations_test-*"))) == NEWEST
    assert recent.exists() and not abandoned.exists()


def loaded(folder: Path, home: Path, **variables: str) -> int:
    """Loads in a process of its own, whose environment is given; how many records."""
    code = f"from dsg.datasets import load_dataset; print(len(load_dataset({str(folder)!r}, 'trainval')))"
    environment = {**os.environ, "PYTHONPATH": str(LIB), "HOME": str(home), **variables}
    environment = {name: value for name, value in environment.items() if value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_where_caches_lie(tmp_path: Path) -> None:
    """Large files only; beside them, or in the user's folder, or where the variable says, or nowhere."""
    folder, home = tmp_path / "own", tmp_path / "home"
    nothing = {"DSG_CACHE": "", "XDG_CACHE_HOME": ""}
    write_release(folder, RELEASES["visual_genome"].of_images(50))
    number = loaded(folder, home, **nothing)
    assert not (folder / ".dsg_cache").exists() and not home.exists()

    with open(folder / "annotations_train.json", "a") as file:
        file.write(" " * LEAST)
    assert loaded(folder, home, **{**nothing, "DSG_CACHE": "off"}) == number
    assert not (folder / ".dsg_cache").exists() and not home.exists()
    assert loaded(folder, home, **{**nothing, "DSG_CACHE": str(tmp_path / "there")}) == number
    assert not (folder / ".dsg_cache").exists() and len(list((tmp_path / "there").iterdir())) == 1
    assert loaded(folder, home, **nothing) == number
    assert len(list((folder / ".dsg_cache").iterdir())) == 1 and not home.exists()
    shutil.rmtree(folder / ".dsg_cache")
    (folder / ".dsg_cache").write_text("in the way")
    assert loaded(folder, home, **nothing) == number
    assert len(list((home / ".cache" / "dsg").iterdir())) == 1
    assert loaded(folder, home, **{**nothing, "XDG_CACHE_HOME": str(tmp_path / "xdg")}) == number
    assert len(list((tmp_path / "xdg" / "dsg").iterdir())) == 1
