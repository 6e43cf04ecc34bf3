"""PSG's JSON, both ways."""

from __future__ import annotations

import json

import pytest

from dsg.datasets.formats.exchange import psg
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without


def content() -> dict:
    boxes = [
        {"bbox": [10, 20, 50, 60], "bbox_mode": 0, "category_id": 0},
        {"bbox": [10, 20, 50, 60], "bbox_mode": 1, "category_id": 2},
    ]
    entry = {"image_id": "000000000139", "file_name": "val2017/a.jpg", "width": 100, "height": 80}
    return {
        "data": [{**entry, "annotations": boxes, "relations": [[0, 1, 0], [1, 0, 1], [0, 1, 1]]}],
        "thing_classes": ["cup", "dog"],
        "stuff_classes": ["sky"],
        "predicate_classes": ["over", "in front of"],
        "test_image_ids": ["000000000139"],
    }


def read(tmp_path, value):
    path = tmp_path / "psg.json"
    path.write_text(json.dumps(value))
    return psg.read(path)


def test_round_trip(tmp_path) -> None:
    psg.write(tmp_path / "psg.json", made())
    assert without(psg.read(tmp_path / "psg.json"), splits=True) == without(made(), splits=True)


def test_numbers_from_zero_and_both_kinds_of_box(tmp_path) -> None:
    found = read(tmp_path, content())
    [image] = found.images
    assert found.categories == ("cup", "dog", "sky") and image.key == "000000000139" and image.split == "test"
    assert [(one.name, one.box) for one in image.things] == [
        ("cup", (10, 20, 50, 60)),
        ("sky", (10, 20, 60, 80)),  # width and height
    ]
    assert image.relations == (
        Relation(0, "over", 1),
        Relation(1, "in front of", 0),
        Relation(0, "in front of", 1),
    )


def test_a_relation_of_a_deleted_box_is_counted(tmp_path) -> None:
    value = content()
    value["data"][0]["relations"].append([0, 2, 0])
    found = read(tmp_path, value)
    assert len(found.skipped["relation of an unknown object"]) == 1
    assert len(found.images[0].relations) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["data"][0]["relations"].append([0, 1, 2]), "the predicate is 2; the file has 0 to 1"),
        (lambda v: v["data"][0]["relations"].append([0, 1]), "not [subject, object, predicate]"),
        (lambda v: v["data"][0]["annotations"][0].update(category_id=3), "the category_id is 3"),
        (lambda v: v["data"][0]["annotations"][0].update(bbox=None), "the bbox is null"),
        (lambda v: v["data"][0].update(relations={}), "'relations' is an object, not a list"),
        (lambda v: v["data"][0].pop("height"), "no valid width and height"),
        (lambda v: v.pop("thing_classes"), "has no list `thing_classes`"),
    ],
)
def test_faults_are_named(tmp_path, change, said) -> None:
    value = content()
    change(value)
    with pytest.raises(UserError) as error:
        read(tmp_path, value)
    assert said in str(error.value) and "\n" not in str(error.value)
