"""Label Studio's JSON, both ways."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dsg.datasets.formats.exchange import label_studio
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without


def region(key: str, name: str, x: float = 10.0, rotation: float = 0) -> dict:
    box = {"x": x, "y": 25.0, "width": 20.0, "height": 50.0, "rotation": rotation}
    size = {"original_width": 200, "original_height": 100}
    return {"id": key, "type": "rectanglelabels", **size, "value": {**box, "rectanglelabels": [name]}}


def link(first: str, second: str, direction: str, *names: str) -> dict:
    ends = {"from_id": first, "to_id": second}
    return {"type": "relation", **ends, "direction": direction, "labels": list(names)}


def task(*result: dict) -> dict:
    address = "/data/local-files/?d=photos/a%20b.jpg"
    return {"id": 3, "data": {"image": address}, "annotations": [{"result": list(result)}]}


def read(tmp_path, *tasks):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    return label_studio.read(path)


def test_round_trip(tmp_path) -> None:
    label_studio.write(tmp_path / "tasks.json", made())
    again, wanted = (without(one, keys=False) for one in (label_studio.read(tmp_path / "tasks.json"), made()))
    assert again.images == wanted.images


def test_predictions_keep_their_scores(tmp_path) -> None:
    annotation = made()
    scored = [replace(thing, score=0.5) for thing in annotation.images[0].things]
    annotation.images[0] = replace(annotation.images[0], things=tuple(scored))
    label_studio.write(tmp_path / "tasks.json", annotation)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert "predictions" in tasks[0] and "annotations" in tasks[1]
    again = label_studio.read(tmp_path / "tasks.json").images[0]
    assert [thing.score for thing in again.things] == [0.5] * 4


def test_percent_and_directions(tmp_path) -> None:
    found = read(
        tmp_path,
        task(
            region("a", "cup"),
            region("b", "table", 50),
            link("a", "b", "right", "on", "near"),
            link("a", "b", "left", "under"),
            link("a", "b", "bi", "beside"),
        ),
    )
    [image] = found.images
    assert image.file == "photos/a b.jpg" and image.key == "3"
    assert image.things[0].box == (20, 25, 60, 75)  # of 200 x 100
    assert [(one.subject, one.predicate, one.object) for one in image.relations] == [
        (0, "on", 1),
        (0, "near", 1),
        (1, "under", 0),
        (0, "beside", 1),
        (1, "beside", 0),
    ]


def test_a_turned_box_becomes_the_box_around_it(tmp_path) -> None:
    [image] = read(tmp_path, task(region("a", "cup", 50, rotation=90))).images
    np.testing.assert_allclose(image.things[0].box, [100 - 50, 25, 100, 25 + 40], atol=1e-5)


def test_what_is_left_out_is_counted(tmp_path) -> None:
    found = read(
        tmp_path,
        task(
            region("a", "cup"),
            {**region("b", "table"), "value": {"x": 1, "y": 1, "width": 1, "height": 1}},
            {"id": "c", "type": "brushlabels", "value": {}},
            link("a", "gone", "right", "on"),
            link("a", "a", "right"),
        ),
        {"data": {"image": "b.jpg"}, "annotations": [{"was_cancelled": True, "result": []}]},
    )
    assert {reason: len(places) for reason, places in found.skipped.items()} == {
        "region without a label": 1,
        "result that is no rectangle (brushlabels)": 1,
        "relation of an unknown object": 1,
        "relation without a label": 1,
        "task without an annotation": 1,
    }
    assert found.images[0].relations == ()


def test_the_newest_annotation_counts(tmp_path) -> None:
    one = task(region("a", "cup"))
    one["annotations"].append({"result": [region("a", "table"), region("b", "cup")]})
    found = read(tmp_path, one)
    assert [thing.name for thing in found.images[0].things] == ["table", "cup"]
    assert len(found.skipped["older annotation of a task"]) == 1


@pytest.mark.parametrize(
    ("made_of", "said"),
    [
        (task(region("a", "cup"), link("a", "a", "up", "on")), "the direction is 'up'"),
        ({"data": {"image": "a.jpg"}, "annotations": 4}, "'annotations' is 4, not a list"),
        (task({**region("a", "cup"), "value": {"x": 1}}), "no box of x, y, width, height"),
        ({"annotations": []}, "task 0: has no data"),
        ({"data": {"image": 3}, "annotations": [{"result": [region("a", "cup")]}]}, "names no image"),
    ],
)
def test_faults_are_named(tmp_path, made_of, said) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, made_of)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_relations_of_a_pair_share_one_arrow(tmp_path) -> None:
    label_studio.write(tmp_path / "tasks.json", made())
    result = json.loads((tmp_path / "tasks.json").read_text())[0]["annotations"][0]["result"]
    arrows = [one for one in result if one["type"] == "relation"]
    assert [one["labels"] for one in arrows] == [["on"], ["under"], ["holding", "on"]]
    assert label_studio.read(tmp_path / "tasks.json").images[0].relations[0] == Relation(0, "on", 1)
