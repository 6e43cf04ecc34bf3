"""What detectors read of `shapes`: masks of what is seen, the same in both layouts; older folders get it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dsg.datasets import load_dataset
from dsg.datasets.detection import load_instances
from dsg.datasets.formats.segmentations import decode
from dsg.datasets.shapes.generator import generate_shapes
from dsg.datasets.shapes.pictures import make_view
from dsg.errors import UserError

FOR_DETECTORS = ("annotations", "Annotations", "ImageSets", "classes.txt")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shapes"
    return generate_shapes(folder, train=20, test=4, size=(96, 64), seed=2, workers=1, progress=False)


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("split", ["train", "validation", "test", "trainval"])
def test_images_and_objects_are_those_of_the_relations(shapes: Path, split: str) -> None:
    asked = load_dataset("shapes", split, data_dir=shapes.parent)
    loaded = load_instances("shapes", split, data_dir=shapes.parent)
    assert loaded.vocabulary.objects == asked.vocabulary.objects and not loaded.skipped
    assert [record.path for record in loaded.records] == [record.path for record in asked.records]
    for record, other in zip(loaded.records, asked.records):
        entities = {(*box, category) for box, category in zip(other.boxes.tolist(), other.entities.tolist())}
        objects = zip(record.boxes.tolist(), record.classes.tolist())
        assert {(*box, number - 1) for box, number in objects} == entities


def test_both_layouts_say_the_same(shapes: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    for split in ("train", "test"):
        coco, voc = (load_instances(shapes, split, layout=layout) for layout in ("coco", "voc"))
        assert voc.vocabulary == coco.vocabulary and len(voc) == len(coco)
        for one, other in zip(coco.records, voc.records):
            assert one.path == other.path and (one.width, one.height) == (other.width, other.height)
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_array_equal(one.classes, other.classes)
            assert len(one.segmentations) == len(one.boxes) and not other.segmentations


def test_a_mask_is_what_is_seen_of_a_solid(shapes: Path) -> None:
    """As the ray of each pixel's centre decides, but for the pixels of an outline; its box is its extent."""
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    settings = json.loads((shapes / "shapes.json").read_text())
    document = json.loads((shapes / "annotations" / "instances_test.json").read_text())
    areas = [annotation["area"] for annotation in document["annotations"]]
    hidden = 0
    for number, record in enumerate(load_instances(shapes, "test").records):
        view, _ = make_view("test", number, settings)
        masks = [decode(one, record.height, record.width, record.name) for one in record.segmentations]
        for position, (mask, box) in enumerate(zip(masks, record.boxes)):
            rows, columns = np.nonzero(mask)
            extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == extent and areas.pop(0) == mask.sum()
            quarters = (view.owner == position).reshape(record.height, 2, record.width, 2).sum((1, 3))
            assert mask[quarters == 4].all() and not mask[quarters == 0].any()
            hidden += view.shown[position] < 1
        assert np.sum(masks, 0).max() <= 2  # two only where each has half of a pixel
    assert not areas and hidden


def test_an_older_folder_gets_what_is_missing(shapes: Path, tmp_path: Path) -> None:
    older = shutil.copytree(shapes, tmp_path / "shapes")
    for name in FOR_DETECTORS:
        shutil.rmtree(older / name) if (older / name).is_dir() else (older / name).unlink()
    before = contents(older)
    assert len(load_instances("shapes", "test", data_dir=tmp_path)) == 4
    after = contents(older)
    assert before.items() <= after.items() and after == contents(shapes)
    shutil.rmtree(older / "annotations")  # as an interruption may leave it
    generate_shapes(older, train=20, test=4, size=(96, 64), seed=2, workers=1, progress=False)
    assert contents(older) == after


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 0}', '{"version": 1, "train": 2, "test": "x"}'])
def test_a_folder_that_another_version_made(tmp_path: Path, text: str) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "shapes.json").write_text(text)
    with pytest.raises(
        UserError, match=r"masks cannot be added; generate .* again with `dsg shapes .*--force"
    ):
        load_instances("shapes", "train", data_dir=tmp_path)
    assert [path.name for path in (tmp_path / "shapes").iterdir()] == ["shapes.json"]
