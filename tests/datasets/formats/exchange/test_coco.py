"""COCO with relations between annotations, both ways."""

from __future__ import annotations

import json

import pytest

from dsg.datasets.formats.exchange import coco
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without


def content() -> dict:
    """Ids from 0 on, annotations of two images mixed, ids of annotations that are no positions."""
    return {
        "images": [
            {"id": 0, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 1, "file_name": "b.jpg", "width": 100, "height": 80},
        ],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 0, "bbox": [0, 0, 10, 10]},
            {"id": 0, "image_id": 0, "category_id": 0, "bbox": [10, 20, 40, 30.5]},
            {"id": 3, "image_id": 0, "category_id": 4, "bbox": [60, 20, 30, 50]},
        ],
        "categories": [{"id": 0, "name": "cup"}, {"id": 4, "name": "table"}],
        "rel_categories": [{"id": 0, "name": "on"}, {"id": 9, "name": "near"}],
        "rel_annotations": [
            {"id": 0, "image_id": 0, "subject_id": 0, "predicate_id": 0, "object_id": 3},
            {"id": 1, "image_id": 0, "subject_id": 0, "predicate_id": 9, "object_id": 3},
        ],
    }


def read(tmp_path, value):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    return coco.read(path)


def test_round_trip(tmp_path) -> None:
    path = tmp_path / "written.json"
    coco.write(path, made())
    again = coco.read(path)
    assert without(again, splits=True, keys=False) == without(made(), splits=True, keys=False)
    written = json.loads(path.read_text())
    assert written["annotations"][0]["bbox"] == [50, 200, 80, 90]
    assert [one["id"] for one in written["annotations"]] == [1, 2, 3, 4, 5]


def test_ids_from_zero_are_ids_and_no_positions(tmp_path) -> None:
    first, second = read(tmp_path, content()).images
    assert [thing.name for thing in first.things] == ["cup", "table"]
    assert first.things[0].box == (10, 20, 50, 50.5)
    assert first.relations == (Relation(0, "on", 1), Relation(0, "near", 1))  # one pair, two predicates
    assert second.relations == ()


def test_relations_that_lead_nowhere_are_counted(tmp_path) -> None:
    value = content()
    value["rel_annotations"] += [
        {"id": 2, "subject_id": 0, "predicate_id": 0, "object_id": 77},  # deleted
        {"id": 3, "subject_id": 78, "predicate_id": 0, "object_id": 0},
        {"id": 4, "subject_id": 0, "predicate_id": 0, "object_id": 5},
    ]
    found = read(tmp_path, value)
    assert {reason: len(places) for reason, places in found.skipped.items()} == {
        "relation of an unknown object": 2,
        "relation between two images": 1,
    }
    assert len(found.images[0].relations) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("rel_categories"), "has no list `rel_categories`"),
        (
            lambda v: v["rel_annotations"][0].pop("subject_id"),
            "rel_annotations, entry 0: has no 'subject_id'",
        ),
        (lambda v: v["rel_annotations"][0].update(predicate_id=5), "predicate 5 is not among rel_categories"),
        (lambda v: v["annotations"][0].update(id=0), "the id 0 appears twice"),
        (lambda v: v["annotations"][1].update(bbox=[1, 2, 3]), "not [x, y, width, height]"),
        (lambda v: v["images"][0].pop("width"), "no valid width and height"),
    ],
)
def test_faults_are_named(tmp_path, change, said) -> None:
    value = content()
    change(value)
    with pytest.raises(UserError) as error:
        read(tmp_path, value)
    assert said in str(error.value) and "\n" not in str(error.value)
