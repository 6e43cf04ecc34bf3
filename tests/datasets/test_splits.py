"""Train, validation and test: by both rules, and from a file of one's own."""

from __future__ import annotations

import json
import random

import pytest

from dsg.datasets import load_dataset
from dsg.datasets.splits import dsg_split, rr_split
from dsg.errors import UserError
from tests.datasets.files import GOOD, write_dataset, write_json


def names(dataset) -> list[str]:
    return [record.name for record in dataset.records]


def test_rr_takes_the_last_tenth_by_name() -> None:
    images = [f"{number}.jpg" for number in range(40)]
    train, validation = rr_split(images)
    assert validation == ["6.jpg", "7.jpg", "8.jpg", "9.jpg"]
    assert sorted(train + validation) == sorted(images)
    assert train == [name for name in images if name in train]
    assert rr_split(["a"]) == (["a"], [])
    assert rr_split([]) == ([], [])


def test_dsg_shuffles_mirror_images_too_and_keeps_train_clean() -> None:
    images = [f"{number}.jpg" for number in range(500)] * 2
    train, validation = dsg_split(images, 3)
    order = list(range(1000))
    random.Random(3).shuffle(order)
    assert validation == order[900:]
    assert not {images[position] for position in train} & {images[position] for position in validation}
    assert 0.79 < len(train) / 1000 < 0.83


@pytest.mark.parametrize("rule", ["rr", "dsg"])
def test_parts_share_no_image(tmp_path, rule: str) -> None:
    folder = write_dataset(tmp_path / "own")
    parts = [
        load_dataset(folder, split, split_rule=rule, flip="released") for split in ("train", "validation")
    ]
    train, validation = (set(names(part)) for part in parts)
    assert train and validation and not train & validation
    assert len(train | validation) == 20
    assert names(load_dataset(folder, "trainval")) == [f"{number:02d}.jpg" for number in range(20)]


def test_a_validation_file_is_used(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    write_json(folder / "annotations_validation.json", {"v.jpg": GOOD})
    write_json(folder / "validation_image_metadata.json", {"v.jpg": {"width": 100, "height": 80}})
    for rule in ("rr", "dsg"):
        assert names(load_dataset(folder, "validation", split_rule=rule)) == ["v.jpg"]
        assert names(load_dataset(folder, "val", split_rule=rule)) == ["v.jpg"]
        assert len(load_dataset(folder, "train", split_rule=rule)) == 20


def test_first_images_are_those_of_the_whole(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    whole = load_dataset(folder, "train")
    some = load_dataset(folder, "train", max_images=5, flip="released")
    assert names(some) == names(whole)[:5] * 2
    assert len(load_dataset(folder, "train", max_images=0)) == 18


def test_loading_twice_gives_the_same(tmp_path) -> None:
    several = [dict(GOOD[0], predicate=predicate) for predicate in range(3)]
    folder = write_dataset(tmp_path / "own", {f"{number}.jpg": several for number in range(30)})
    drawn = [[int(r.predicates[0, 1]) for r in load_dataset(folder, "train").records] for _ in range(2)]
    other = [int(r.predicates[0, 1]) for r in load_dataset(folder, "train", seed=4).records]
    assert drawn[0] == drawn[1] != other
    assert set(drawn[0]) == {0, 1, 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": "dev"},
        {"flip": "vertical"},
        {"split_rule": "random"},
        {"multi_predicate": "all"},
        {"on_bad_record": "fix"},
    ],
)
def test_unknown_option_values_are_named(tmp_path, wrong: dict) -> None:
    folder = write_dataset(tmp_path / "own")
    arguments = {"split": "train", **wrong}
    (option, value), *_ = wrong.items()
    with pytest.raises(UserError, match=f"{option}: unknown value '{value}'; it is one of"):
        load_dataset(folder, arguments.pop("split"), **arguments)


def test_metadata_decides_the_order(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    file = folder / "train_image_metadata.json"
    sizes = json.loads(file.read_text())
    write_json(file, dict(reversed(sizes.items())))
    assert names(load_dataset(folder, "trainval"))[0] == "19.jpg"
