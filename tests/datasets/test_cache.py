"""Caches: out of one comes what the files say; what is no cache of these very files is not used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsg.bench.annotations import RELEASES, write_release
from dsg.datasets import Dataset, ImageRecord, load_dataset
from dsg.datasets.cache import LEAST, NEWEST
from dsg.errors import UserError
from tests.datasets.files import CAT, DOG, GOOD, mention, relation, write_dataset, write_json

LIB = Path(__file__).resolve().parents[2] / "lib"
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
