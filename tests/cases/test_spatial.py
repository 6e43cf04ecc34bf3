"""Relations computed from the boxes of a COCO file: no file of relations is needed."""

from __future__ import annotations

import json

import pytest

from tests.cases.inputs import coco, write


@pytest.fixture
def convert(program, tmp_path):
    def run(content, *options, form="option"):
        boxes = write(tmp_path / "boxes.json", content)
        how = (
            ("spatial", tmp_path / "out") if form == "place" else (tmp_path / "out", "--relations", "spatial")
        )
        return program("convert", "coco", boxes, *how, *options)

    return run


def related(folder, image):
    """(subject's box, predicate, object's box), boxes x1 y1 x2 y2."""
    predicates = json.loads((folder / "predicates.json").read_text())
    annotated = {}
    for split in ("train", "test"):
        annotated.update(json.loads((folder / f"annotations_{split}.json").read_text()))

    def box(mention):
        y1, y2, x1, x2 = mention["bbox"]
        return x1, y1, x2, y2

    return {(box(r["subject"]), predicates[r["predicate"]], box(r["object"])) for r in annotated[image]}


def pair(first, second):
    """Four images, each with two boxes [x, y, width, height]."""

    def change(content):
        content["annotations"] = [
            {"id": 10 * n + place, "image_id": n, "category_id": place + 1, "bbox": list(box)}
            for n in range(1, 5)
            for place, box in enumerate((first, second))
        ]

    return coco(change)


@pytest.mark.parametrize("form", ["option", "place"])
def test_beside_each_other(form, convert, tmp_path):
    convert(pair((10, 50, 30, 30), (100, 50, 30, 30)), form=form).went_well("test: 1 images")
    left, right = (10, 50, 40, 80), (100, 50, 130, 80)
    assert related(tmp_path / "out", "im1.jpg") == {(left, "left of", right), (right, "right of", left)}


@pytest.mark.parametrize(
    ("first", "second", "there", "back"),
    [
        ((50, 10, 30, 30), (50, 100, 30, 30), "above", "below"),
        ((60, 60, 20, 20), (40, 40, 80, 80), "inside", "contains"),
        ((40, 40, 60, 60), (70, 70, 60, 60), "overlaps", "overlaps"),
        ((10, 10, 30, 30), (100, 20, 30, 30), "left of", "right of"),
    ],
)
def test_the_rules(first, second, there, back, convert, tmp_path):
    convert(pair(first, second)).went_well()
    one, other = ((x, y, x + w, y + h) for x, y, w, h in (first, second))
    assert related(tmp_path / "out", "im2.jpg") == {(one, there, other), (other, back, one)}


def test_predicates_may_be_chosen(convert, tmp_path):
    convert(coco(), "--predicates", write(tmp_path / "p.txt", "left of\nright of\n")).went_well()
    assert json.loads((tmp_path / "out" / "predicates.json").read_text()) == ["left of", "right of"]


def test_a_data_set_of_them_can_be_used(convert, tmp_path, program):
    convert(coco(images=20)).went_well()
    program("check", tmp_path / "out", "--no-images", "--output", tmp_path / "o").went_well("usable")


def test_the_rules_are_documented():
    from tests.cases.programs import ROOT

    text = (ROOT / "docs" / "your-own-data.md").read_text(encoding="utf-8")
    assert all(
        f"*{name}*" in text
        for name in ("left of", "right of", "above", "below", "inside", "contains", "overlaps")
    )
