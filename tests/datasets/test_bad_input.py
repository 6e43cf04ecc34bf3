"""What a user may have on disk: each mistake is named with its place, or left out and counted."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.datasets.files import CAT, DOG, GOOD, mention, relation, write_dataset, write_json


def refused(folder, *parts: str, split: str = "test", **options: Any) -> None:
    """Loading raises one line that holds all the parts."""
    with pytest.raises(UserError) as caught:
        load_dataset(folder, split, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_missing_folder_names_files_and_source(tmp_path) -> None:
    refused("vrd", "VRD", "annotations_train.json", "objects.json", "fetch.sh vrd --data", data_dir=tmp_path)
    refused("shapes", "dsg shapes", data_dir=tmp_path)
    refused("visualgenome", "VisualGenome", "fetch.sh visualgenome", data_dir=tmp_path / "nowhere")


def test_unknown_data_set_names_the_nearest(tmp_path) -> None:
    refused("visualgenom", "did you mean 'visualgenome'?", data_dir=tmp_path)
    refused("xyz", "visualgenome, vrd, clevr, shapes", data_dir=tmp_path)


@pytest.mark.parametrize(
    "file", ["annotations_test.json", "test_image_metadata.json", "objects.json", "predicates.json"]
)
def test_missing_file(tmp_path, file: str) -> None:
    folder = write_dataset(tmp_path / "own")
    (folder / file).unlink()
    refused(folder, f"{folder / file}: no such file")


@pytest.mark.parametrize("file", ["annotations_test.json", "test_image_metadata.json", "objects.json"])
def test_truncated_json_names_file_and_line(tmp_path, file: str) -> None:
    folder = write_dataset(tmp_path / "own")
    content = json.dumps(json.loads((folder / file).read_text()), indent=1)
    (folder / file).write_text(content[: len(content) // 2])
    refused(folder, str(folder / file), "line ", "not valid JSON")


def test_empty_and_binary_files(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    file = folder / "annotations_test.json"
    file.write_text("")
    refused(folder, str(file), "cut off")
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    refused(folder, str(file), "UTF-8")
    file.write_text("[" * 100000)
    refused(folder, str(file))
    file.unlink()
    file.mkdir()
    (folder / "annotations_train.json").unlink()
    refused(folder, str(file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "a JSON list, not an object"),
        ("text", "a JSON string"),
        ({"a.jpg": {}}, "image 'a.jpg'"),
        ({"a.jpg": [7]}, "relationship 0: a JSON number, not a relationship"),
        ({"a.jpg": [GOOD[0], {"subject": CAT, "object": DOG}]}, "relationship 1: no 'predicate'"),
        ({"a.jpg": [{"predicate": 1, "subject": CAT}]}, "no 'object'"),
        ({"a.jpg": [relation(CAT, "on", DOG)]}, "the predicate is 'on', not a whole number"),
        ({"a.jpg": [relation(CAT, True, DOG)]}, "the predicate is True"),
        ({"a.jpg": [relation([], 1, DOG)]}, "the subject is a JSON list"),
        ({"a.jpg": [relation({"category": 1}, 1, DOG)]}, "the subject has no 'bbox'"),
        ({"a.jpg": [relation({"category": 1.5, "bbox": [0, 9, 0, 9]}, 1, DOG)]}, "the category 1.5"),
        (
            {"a.jpg": [relation(DOG, 1, {"category": 1, "bbox": [0, 9, 0]})]},
            "the object has the bbox [0, 9, 0]",
        ),
        ({"a.jpg": [relation(DOG, 1, {"category": 1, "bbox": [0, "9", 0, 9]})]}, "ymin, ymax, xmin, xmax"),
        ({"a.jpg": [relation(DOG, 1, {"category": 1, "bbox": [0, float("nan"), 0, 9]})]}, "nan"),
        ({"a.jpg": [relation(DOG, 1, {"category": 1, "bbox": [0, 10**400, 0, 9]})]}, "bbox"),
    ],
)
def test_wrong_format_names_image_and_relationship(tmp_path, content: Any, said: str) -> None:
    folder = write_dataset(tmp_path / "own")
    write_json(folder / "annotations_test.json", content)
    write_json(folder / "test_image_metadata.json", {"a.jpg": {"width": 100, "height": 80}})
    refused(folder, str(folder / "annotations_test.json"), said)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("key", ["a.jpg", "predicate", "subject", "category", "bbox", "note"])
def test_a_key_twice_is_refused_before_its_first_value_is_lost(tmp_path, key: str, indent: Any) -> None:
    folder = write_dataset(tmp_path / "own")
    noted = [{**relation(CAT, 1, DOG), "note": {"note": "a: b"}}]
    text = json.dumps({"b.jpg": GOOD, "a.jpg": [*GOOD, *noted]}, indent=indent)
    at = text.rindex(f'"{key}"')
    value, _ = json.JSONDecoder().raw_decode(text, text.index(":", at) + 2)
    twice = f'{text[:at]}"{key}": {json.dumps(value)}, {text[at:]}'
    (folder / "annotations_test.json").write_text(twice)
    refused(folder, "annotations_test.json", f"the key {key!r} appears twice")


def test_a_byte_order_mark_changes_nothing(tmp_path) -> None:
    plain, marked = (write_dataset(tmp_path / name) for name in ("plain", "marked"))
    for file in marked.iterdir():
        file.write_text(file.read_text(), encoding="utf-8-sig")
    expected, found = (load_dataset(folder, "train") for folder in (plain, marked))
    assert found.vocabulary == expected.vocabulary and len(found) == len(expected)
    assert found.records[0].boxes.tolist() == expected.records[0].boxes.tolist()


def test_coco_json_is_not_this_format(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own")
    write_json(folder / "annotations_test.json", {"images": [], "annotations": [], "info": {"year": 2017}})
    refused(folder, "image 'info'", "a list of relationships is expected")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"cat": 0}, "not a JSON list of names"),
        ([1, 2], "not a JSON list of names"),
        ([], "an empty list"),
        (["cat", "dog", "cat"], "'cat' is listed twice"),
    ],
)
def test_wrong_vocabulary(tmp_path, content: Any, said: str) -> None:
    folder = write_dataset(tmp_path / "own")
    write_json(folder / "objects.json", content)
    refused(folder, str(folder / "objects.json"), said)


def test_vocabulary_of_another_data_set(tmp_path) -> None:
    write_dataset(tmp_path / "VRD")
    refused("vrd", "objects.json: 4 names where vrd has 100", data_dir=tmp_path)


FAULTS = {
    "category out of range": relation(mention(4, 1, 1, 9, 9), 1, DOG),
    "predicate out of range": relation(CAT, 3, DOG),
    "box inverted": relation(mention(3, 50, 10, 20, 30), 1, DOG),
    "box outside the image": relation(mention(3, 100, 10, 140, 30), 1, DOG),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_bad_relationship_is_left_out_and_counted(tmp_path, reason: str) -> None:
    folder = write_dataset(
        tmp_path / "own", test={"a.jpg": [GOOD[0], FAULTS[reason], GOOD[1]], "b.jpg": GOOD}
    )
    dataset = load_dataset(folder, "test")
    ((image, detail),) = dataset.skipped[reason]
    assert image == "a.jpg" and detail.startswith("relationship 1: ")
    assert dataset.records[0].triples.tolist() == dataset.records[1].triples.tolist()
    assert len(dataset.records[0].boxes) == 2
    assert f"skipped, {reason}: 1 (a.jpg: relationship 1" in dataset.summary()
    refused(folder, str(folder / "annotations_test.json"), "'a.jpg'", reason, on_bad_record="error")


@pytest.mark.parametrize(
    "box", [(-30, 10, -5, 20), (-30, 10, 0, 20), (100, 1, 101, 9), (5, 80, 9, 90), (5, -9, 9, 0)]
)
def test_boxes_wholly_outside(tmp_path, box: tuple) -> None:
    bad = relation(mention(3, *box), 1, DOG)
    folder = write_dataset(tmp_path / "own", test={"a.jpg": [*GOOD, bad]})
    assert len(load_dataset(folder, "test").skipped["box outside the image"]) == 1
    kept = load_dataset(folder, "test", on_bad_record="keep")
    assert not kept.skipped and len(kept.records[0].queries) == 3


def test_many_bad_relationships_mean_wrong_files(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own", test={"a.jpg": GOOD, "b.jpg": list(FAULTS.values())})
    refused(folder, "4 of 6 relationships are invalid", "belong together")


def test_image_without_size_is_left_out_and_counted(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own", test={"a.jpg": GOOD, "b.jpg": GOOD})
    write_json(folder / "test_image_metadata.json", {"a.jpg": {"width": 100, "height": 80}})
    dataset = load_dataset(folder, "test")
    assert [record.name for record in dataset.records] == ["a.jpg"]
    assert dataset.skipped == {"image without a size": [("b.jpg", "not in test_image_metadata.json")]}
    refused(folder, "'b.jpg'", "image without a size", on_bad_record="error")


OUTSIDE = ["/dev/zero", "../secret.jpg", "part/../../secret.jpg", "part/..", ".."]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    "options", [{}, {"on_bad_record": "keep"}, {"split_rule": "dsg"}, {"max_images": 30}]
)
def test_image_names_that_lead_out_of_the_folder(tmp_path, name: str, options: dict[str, Any]) -> None:
    """They would be read from there, and shown in pictures and reports."""
    content = {name: GOOD, **{f"{number}.jpg": GOOD for number in range(20)}}
    folder = write_dataset(tmp_path / "own", train=content, test=content)
    for split in ("train", "validation", "test"):
        dataset = load_dataset(folder, split, **options)
        assert name not in [record.name for record in dataset.records]
    assert dataset.skipped == {"image name leads out of the folder": [(name, "")]}
    refused(folder, repr(name), "image name leads out of the folder", on_bad_record="error")


@pytest.mark.parametrize("name", ["a..b.jpg", "part/a.jpg", "..a/b..jpg", "...", "./a.jpg", "..\\b.jpg"])
def test_odd_image_names_inside_the_folder(tmp_path, name: str) -> None:
    dataset = load_dataset(write_dataset(tmp_path / "own", test={name: GOOD}), "test")
    assert [record.name for record in dataset.records] == [name] and dataset.skipped == {}


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (None, "not in the metadata, and no image to read it from"),
        ({}, "not in the metadata, and no image to read it from"),
        ({"width": 0, "height": 80}, "width 0, height 80"),
        ({"width": "wide", "height": 80}, "width 'wide', height 80"),
        ([100, 80], "a JSON list"),
    ],
)
def test_image_with_an_impossible_size(tmp_path, size: Any, said: str) -> None:
    folder = write_dataset(tmp_path / "own", test={"a.jpg": GOOD, "b.jpg": GOOD})
    write_json(folder / "test_image_metadata.json", {"a.jpg": {"width": 100, "height": 80}, "b.jpg": size})
    dataset = load_dataset(folder, "test")
    assert dataset.skipped == {"image without a valid width and height": [("b.jpg", said)]}


def test_images_that_ask_nothing_are_left_out_and_counted(tmp_path) -> None:
    content = {"a.jpg": GOOD, "b.jpg": [], "c.jpg": [relation(CAT, 1, copy.deepcopy(CAT))], "d.jpg": []}
    folder = write_dataset(tmp_path / "own", test=content)
    dataset = load_dataset(folder, "test")
    assert len(dataset) == 1
    assert [image for image, _ in dataset.skipped["image without relationships"]] == ["b.jpg", "d.jpg"]
    assert [image for image, _ in dataset.skipped["image without a query"]] == ["c.jpg"]
    assert len(load_dataset(folder, "test", on_bad_record="error")) == 1


def test_size_without_annotations_is_counted(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own", test={"a.jpg": GOOD})
    sizes = {name: {"width": 100, "height": 80} for name in ("a.jpg", "z.jpg")}
    write_json(folder / "test_image_metadata.json", sizes)
    assert "size without annotations: 1 (z.jpg" in load_dataset(folder, "test").summary()


def test_nothing_left(tmp_path) -> None:
    folder = write_dataset(tmp_path / "own", train={"a.jpg": GOOD}, test={"a.jpg": []})
    refused(folder, "no image with a query")
    refused(folder, "too small to split", split="validation")


def test_long_lists_of_skipped_cases_are_cut(tmp_path) -> None:
    content = {"a.jpg": GOOD, **{f"{number}.jpg": [] for number in range(10)}}
    dataset = load_dataset(write_dataset(tmp_path / "own", test=content), "test")
    assert "10 (0.jpg; 1.jpg; 2.jpg; and 7 more)" in dataset.summary()
