"""RelTR's COCO files with rel.json, both ways."""

from __future__ import annotations

import json

import pytest

from dsg.datasets.formats.exchange import reltr
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without


def write_files(folder, relations, annotations=()) -> None:
    boxes = {
        "images": [{"id": 4, "file_name": "a.jpg", "width": 100, "height": 80}],
        "annotations": [
            {"id": 90, "image_id": 4, "category_id": 1, "bbox": [10, 20, 30, 40]},
            {"id": 17, "image_id": 4, "category_id": 2, "bbox": [50, 20, 30, 40]},
            *annotations,
        ],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "table"}],
    }
    (folder / "val.json").write_text(json.dumps(boxes))
    names = ["__background__", "on", "near"]
    (folder / "rel.json").write_text(json.dumps({"val": {"4": relations}, "rel_categories": names}))


def test_round_trip(tmp_path) -> None:
    reltr.write(tmp_path, made())
    again = reltr.read(tmp_path)
    assert without(again, splits=True, keys=False) == without(made(), splits=True, keys=False)
    rel = json.loads((tmp_path / "rel.json").read_text())
    assert rel["rel_categories"][0] == "__background__" and rel["train"]["1"][0] == [0, 1, 1]


def test_positions_and_numbers_from_1(tmp_path) -> None:
    write_files(tmp_path, [[1, 0, 1], [1, 0, 2], [0, 1, 0], [0, 2, 1]])
    found = reltr.read(tmp_path)
    [image] = found.images
    assert image.split == "validation" and found.predicates == ("on", "near")
    assert image.relations == (Relation(1, "on", 0), Relation(1, "near", 0))  # positions, not ids
    assert {reason: len(places) for reason, places in found.skipped.items()} == {
        "relation of the background": 1,
        "relation of an unknown object": 1,
    }


@pytest.mark.parametrize(
    ("relation", "said"),
    [([0, 1, 3], "the predicate is 3; the file has 0 to 2"), ([0, 1], "not [subject, object, predicate]")],
)
def test_faults_are_named(tmp_path, relation, said) -> None:
    write_files(tmp_path, [relation])
    with pytest.raises(UserError) as error:
        reltr.read(tmp_path)
    assert said in str(error.value) and "\n" not in str(error.value)
