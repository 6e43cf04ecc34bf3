"""GQA's scene graphs, both ways."""

from __future__ import annotations

import json

import pytest

from dsg.datasets.formats.exchange import gqa
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without


def content() -> dict:
    return {
        "2407890": {
            "width": 640,
            "height": 480,
            "location": "living room",
            "objects": {
                "271881": {
                    "name": "chair",
                    **{"x": 220, "y": 310, "w": 50, "h": 80},
                    "attributes": ["brown"],
                    "relations": [{"object": "32452", "name": "on"}, {"object": "32452", "name": "near"}],
                },
                "32452": {"name": "rug", "x": 0, "y": 300, "w": 640, "h": 180, "relations": []},
            },
        }
    }


def read(tmp_path, value, name="graphs.json"):
    path = tmp_path / name
    path.write_text(json.dumps(value))
    return gqa.read(path)


def test_round_trip(tmp_path) -> None:
    gqa.write(tmp_path / "graphs.json", made())
    again, wanted = without(gqa.read(tmp_path / "graphs.json")), without(made())
    assert again.images == wanted.images
    assert set(again.categories) == set(wanted.categories)  # the order of the vocabulary is lost


def test_objects_are_related_by_id(tmp_path) -> None:
    [image] = read(tmp_path, content(), "val_sceneGraphs.json").images
    assert (image.file, image.split) == ("2407890.jpg", "validation")
    assert image.things[0].box == (220, 310, 270, 390)
    assert image.relations == (Relation(0, "on", 1), Relation(0, "near", 1))


def test_a_relation_of_a_deleted_object_is_counted(tmp_path) -> None:
    value = content()
    del value["2407890"]["objects"]["32452"]
    found = read(tmp_path, value)
    assert len(found.skipped["relation of an unknown object"]) == 2 and not found.images[0].relations


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["2407890"].pop("objects"), "has no objects"),
        (lambda v: v["2407890"]["objects"]["32452"].pop("w"), "object '32452': no box of four numbers"),
        (lambda v: v["2407890"]["objects"]["271881"]["relations"][0].pop("object"), "has no 'object'"),
        (lambda v: v["2407890"].pop("width"), "no valid width and height"),
    ],
)
def test_faults_are_named(tmp_path, change, said) -> None:
    value = content()
    change(value)
    with pytest.raises(UserError) as error:
        read(tmp_path, value)
    assert said in str(error.value) and "\n" not in str(error.value)
