"""Ids: those that must be unique are, and numbers as text or with a point are numbers."""

from __future__ import annotations

import json

import pytest

from tests.cases.inputs import WIDTH, coco, genome, image_data, relations, write


def convert(program, tmp_path, boxes, related=None, *options):
    given = write(tmp_path / "boxes.json", boxes)
    by = related if related is not None else relations()
    named = write(tmp_path / ("r.csv" if isinstance(by, str) else "r.json"), by)
    return program("convert", "coco", given, named, tmp_path / "out", *options)


def convert_genome(program, tmp_path, related, sizes=None, *options):
    first = write(tmp_path / "relationships.json", related)
    second = write(tmp_path / "image_data.json", image_data() if sizes is None else sizes)
    return program("convert", "visualgenome", first, second, tmp_path / "vg", *options)


def written(folder):
    return {file.name: file.read_text() for file in folder.glob("*.json")}


# 7: an id twice is refused, both named


def test_two_categories_of_one_id(tmp_path, program):
    boxes = coco(lambda c: c["categories"].append({"id": 1, "name": "fork"}))
    convert(program, tmp_path, boxes).refused("boxes.json", "categories", "id 1", "cup", "fork", "twice")
    assert not (tmp_path / "out").exists()


def test_two_categories_of_one_id_as_text_and_number(tmp_path, program):
    boxes = coco(lambda c: c["categories"].append({"id": "1", "name": "fork"}))
    convert(program, tmp_path, boxes).refused("id 1", "cup", "fork")


def test_two_images_of_one_id(tmp_path, program):
    boxes = coco(lambda c: c["images"].append({"id": 2, "file_name": "other.jpg", "width": 9, "height": 9}))
    convert(program, tmp_path, boxes).refused("images", "id 2", "im2.jpg", "other.jpg", "twice")


def test_two_annotations_of_one_id(tmp_path, program):
    boxes = coco(lambda c: c["annotations"].append({**c["annotations"][0], "bbox": [0, 0, 9, 9]}))
    convert(program, tmp_path, boxes).refused("annotations", "id 11", "twice")


def test_two_sizes_of_one_image(tmp_path, program):
    sizes = [*image_data(), {"image_id": 3, "width": 999, "height": 999}]
    convert_genome(program, tmp_path, genome(), sizes).refused("image_data.json", "3", "twice")


# 23: what is a whole number is read as one


def test_ids_with_a_point(tmp_path, program):
    plain = convert(program, tmp_path / "plain", coco())
    for name, change in {
        "annotations": lambda c: [a.update(id=float(a["id"])) for a in c["annotations"]],
        "images": lambda c: [i.update(id=float(i["id"])) for i in c["images"]],
        "all": lambda c: [
            entry.update({key: float(entry[key]) for key in entry if key.endswith("id")})
            for group in c.values()
            for entry in group
        ],
        "text": lambda c: [a.update(id=str(a["id"])) for a in c["annotations"]],
    }.items():
        convert(program, tmp_path / name, coco(change)).went_well(*plain.out.splitlines()[:2])
        assert written(tmp_path / name / "out") == written(tmp_path / "plain" / "out")


def test_relations_with_a_point(tmp_path, program):
    """As pandas writes them where a column had a gap."""
    convert(program, tmp_path / "plain", coco())
    csv = relations().replace("1,on", "1.0,on").replace(",on,12\n", ",on,12.0\n")
    convert(program, tmp_path / "csv", coco(), csv).went_well()
    listed = [[float(10 * n + s), "on", float(10 * n + 2)] for n in range(1, 5) for s in (1, 3)]
    convert(program, tmp_path / "json", coco(), listed).went_well()
    assert written(tmp_path / "csv" / "out") == written(tmp_path / "plain" / "out")
    assert written(tmp_path / "json" / "out") == written(tmp_path / "plain" / "out")


@pytest.mark.parametrize("key", ["image_id", "object_id"])
@pytest.mark.parametrize("kind", [str, float])
def test_visual_genome_with_ids_of_another_kind(key, kind, tmp_path, program):
    def changed(entry):
        if isinstance(entry, list):
            return [changed(one) for one in entry]
        if isinstance(entry, dict):
            return {k: kind(v) if k == key else changed(v) for k, v in entry.items()}
        return entry

    convert_genome(program, tmp_path / "plain", genome()).went_well()
    convert_genome(program, tmp_path / "other", changed(genome()), changed(image_data())).went_well()
    assert written(tmp_path / "other" / "vg") == written(tmp_path / "plain" / "vg")


def test_sizes_of_visual_genome_as_text_or_with_a_point(tmp_path, program):
    sizes = [{**entry, "width": float(WIDTH), "height": str(entry["height"])} for entry in image_data()]
    convert_genome(program, tmp_path, genome(), sizes).went_well()
    content = json.loads((tmp_path / "vg" / "train_image_metadata.json").read_text())
    assert set(map(tuple, (entry.values() for entry in content.values()))) == {(WIDTH, 150)}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "boolean"),
        (1.5, "1.5"),
        ([1], "list"),
        ({"a": 1}, "object"),
        ("", "empty"),
        (1e300, "1e+300"),
    ],
)
def test_an_id_that_is_none_is_named_for_what_it_is(value, said, tmp_path, program):
    boxes = coco(lambda c: c["annotations"][4].update(id=value))
    convert(program, tmp_path, boxes).refused("boxes.json", "annotations, entry 4", "'id'", said)


def test_an_id_that_is_absent(tmp_path, program):
    boxes = coco(lambda c: c["images"][1].pop("id"))
    convert(program, tmp_path, boxes).refused("images, entry 1", "no 'id'")


@pytest.mark.parametrize(("value", "said"), [(None, "null"), ("x1", "'x1'"), (1.5, "1.5"), ([2], "list")])
def test_an_image_of_visual_genome_without_a_number(value, said, tmp_path, program):
    sizes = image_data()
    sizes[2]["image_id"] = value
    convert_genome(program, tmp_path, genome(), sizes).refused(
        "image_data.json", "element 2", "image_id", said
    )
    related = genome()
    related[2]["image_id"] = value
    convert_genome(program, tmp_path, related).refused("relationships.json", "element 2", "image_id", said)


def test_scene_graphs_are_named(tmp_path, program):
    """Visual Genome's scene_graphs.json, whose relationships name objects, in place of relationships.json."""
    graphs = [
        {
            "image_id": entry["image_id"],
            "objects": [r[role] for r in entry["relationships"] for role in ("subject", "object")],
            "relationships": [
                {
                    "predicate": r["predicate"],
                    "subject_id": r["subject"]["object_id"],
                    "object_id": r["object"]["object_id"],
                }
                for r in entry["relationships"]
            ],
        }
        for entry in genome()
    ]
    convert_genome(program, tmp_path / "plain", genome()).went_well()
    convert_genome(program, tmp_path / "graphs", graphs).went_well()
    assert written(tmp_path / "graphs" / "vg") == written(tmp_path / "plain" / "vg")
