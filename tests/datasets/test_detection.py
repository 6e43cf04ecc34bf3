"""Data sets for detectors: by name or folder, in either layout, their splits, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsg.config import from_values
from dsg.datasets.content import changes, content_of
from dsg.datasets.detection import InstanceDataset, load_instances
from dsg.datasets.formats.coco_instances import read_coco
from dsg.datasets.formats.segmentations import decode, encode
from dsg.datasets.instance_layouts import choose, find_instances
from dsg.errors import UserError
from dsg.pipeline.splits import dataset_name, load_examined, load_splits
from tests.datasets.instance_files import (
    coco_document,
    detector_config,
    voc_annotation,
    write_coco,
    write_voc,
)
from tests.shared import needs_shared, shared_path


def names_of(folder: Path, split: str, **options: Any) -> list[str]:
    return [record.name for record in load_instances(folder, split, **options).records]


def numbered(first: int, last: int) -> list[str]:
    return [f"{number:06}" for number in range(first, last)]


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """A data folder with both years of VOC."""
    kit = tmp_path / "VOCdevkit"
    write_voc(kit / "VOC2007", {"trainval": numbered(0, 20), "train": numbered(0, 9), "test": ["000099"]})
    write_voc(kit / "VOC2012", {"trainval": ["2008_000001", "2008_000002"], "val": ["2008_000001"]})
    return tmp_path


def test_pascal_voc(devkit: Path) -> None:
    train = load_instances("Pascal-VOC", "train", data_dir=devkit)
    assert [record.name for record in train.records] == numbered(0, 18)
    assert len(train.vocabulary.objects) == 20 and not train.vocabulary.predicates
    assert train.vocabulary.objects[train.records[0].classes[0] - 1] == "dog"
    assert train.summary() == (
        f"pascal_voc train: 18 images, 18 objects of 20 classes ({devkit}/VOCdevkit/VOC2007)"
    )
    record = train.records[0]
    assert record.boxes.tolist() == [[1, 2, 31, 22]] and record.boxes.dtype == np.float32
    assert record.path == devkit / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000000.jpg"
    options = {"data_dir": devkit}
    assert names_of("pascal_voc", "validation", **options) == numbered(18, 20)
    assert names_of("pascal_voc", "trainval", **options) == numbered(0, 20)
    assert names_of("pascal_voc", "test", **options) == ["000099"]


def test_both_years(devkit: Path) -> None:
    options = {"data_dir": devkit}
    every = names_of("pascal_voc_0712", "trainval", **options)
    assert every == [*numbered(0, 20), "2008_000001", "2008_000002"]
    assert names_of("pascal_voc_0712", "test", **options) == ["000099"]
    train, validation = (set(names_of("pascal_voc_0712", split, **options)) for split in ("train", "val"))
    assert train | validation == set(every) and not train & validation and len(validation) == 3


@pytest.mark.parametrize("place", ["VOCdevkit", "VOCdevkit/VOC2007"])
def test_the_data_folder_may_be_the_devkit_or_the_year(devkit: Path, place: str) -> None:
    assert len(load_instances("pascal_voc", "test", data_dir=devkit / place)) == 1


def test_a_year_by_its_path_is_tested_on_val_if_it_has_no_test(devkit: Path) -> None:
    folder = write_voc(devkit / "VOCdevkit" / "VOC2012", {"train": ["a", "b"]})
    assert names_of(folder, "test") == ["2008_000001"] and names_of(folder, "trainval") == ["a", "b"]
    assert len(load_instances(folder, "test").vocabulary.objects) == 20


def test_own_folder_in_vocs_layout(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "mine", {"train": ["a", "b"], "val": ["c"], "test": ["d"]}, ("owl", "cat"))
    (folder / "images" / "val").mkdir(parents=True)
    (folder / "images" / "val" / "c.png").touch()
    loaded = {split: load_instances("mine", split, data_dir=tmp_path) for split in ("train", "val", "test")}
    assert {split: [r.name for r in data.records] for split, data in loaded.items()} == {
        "train": ["a", "b"],
        "val": ["c"],
        "test": ["d"],
    }
    assert names_of(folder, "trainval") == ["a", "b", "c"]
    assert {data.vocabulary.objects for data in loaded.values()} == {("cat", "owl")}
    assert loaded["val"].records[0].path == folder / "images" / "val" / "c.png"
    (folder / "classes.txt").write_text("owl\nowlet\ncat\n")
    assert load_instances(folder, "train").vocabulary.objects == ("owl", "owlet", "cat")
    assert load_instances(folder, "train").records[0].classes.tolist() == [1, 3]


def test_coco_of_the_latest_year(tmp_path: Path) -> None:
    documents = {"train2014": coco_document(3), "train2017": coco_document(20), "val2017": coco_document(2)}
    folder = write_coco(tmp_path / "COCO", documents)
    loaded = load_instances("coco", "train", data_dir=tmp_path, flip=True)
    assert loaded.name == "coco" and loaded.vocabulary.objects == ("cat", "owl")
    assert loaded.summary().startswith("coco train: 18 images and 18 mirrored, 36 objects of 2 classes")
    assert len(load_instances("coco", "validation", data_dir=tmp_path, flip=True)) == 2
    assert len(load_instances("coco", "test", data_dir=folder)) == 2
    assert loaded.records[0].path == folder / "train2017" / "0001.png"


@pytest.mark.parametrize("place", ["train", "images/train", "images", "part/train", "."])
def test_own_folder_in_cocos_layout(tmp_path: Path, place: str) -> None:
    content = coco_document(2)
    for image in content["images"]:
        image["file_name"] = f"{'part/' if place.startswith('part') else ''}{image['file_name']}"
    folder = write_coco(tmp_path / "mine", {"train": content, "valid": coco_document(3, first=8)})
    images = folder / ("train/part" if place == "part/train" else place)
    images.mkdir(parents=True, exist_ok=True)
    (images / "0001.png").touch()
    record = load_instances(folder, "train").records[0]
    assert record.path.is_file() and record.path == images / "0001.png"
    assert len(load_instances(folder, "test")) == 3


def test_a_mirror_image(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, {"train": coco_document(4)})
    plain, mirrored = load_instances(folder, "trainval", flip=True).records[::4]
    assert plain.name == mirrored.name and mirrored.flipped and not plain.flipped
    assert mirrored.boxes.tolist() == [[29, 2, 59, 22], [30, 5, 50, 35]]
    assert mirrored.classes.tolist() == plain.classes.tolist() == [2, 1]


def test_images_that_teach_nothing_are_for_tests_alone(tmp_path: Path) -> None:
    document = coco_document(3, iscrowd=1)
    document["annotations"] = [a for a in document["annotations"] if a["iscrowd"] or a["image_id"] == 2]
    folder = write_coco(tmp_path, {"train": document, "val": document})
    train = load_instances(folder, "trainval")
    assert [record.name for record in train.records] == ["0002.png"]
    assert train.skipped == {"image without an object to learn from": [("0001.png", ""), ("0003.png", "")]}
    assert len(load_instances(folder, "test")) == 3


def test_the_first_images_only(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, {"train": coco_document(9)})
    records = load_instances(folder, "trainval", max_images=2, flip=True).records
    assert [(record.name, record.flipped) for record in records] == [
        *(("0001.png", False), ("0002.png", False), ("0001.png", True), ("0002.png", True))
    ]


def test_the_same_content_has_the_same_checksums(tmp_path: Path) -> None:
    square = [[1, 2, 31, 2, 31, 22, 1, 22]]
    before = write_coco(tmp_path / "a", {"train": coco_document(3, segmentation=square)})
    document = coco_document(3, segmentation=square)
    same = write_coco(tmp_path / "b", {"train": {"info": "other text", **document}})
    content = content_of(load_instances(before, "trainval"))
    assert list(content) == ["images", "sizes", "boxes", "categories", "masks"]
    assert changes(content, content_of(load_instances(same, "trainval"))) == []
    for change, part in (
        ({"bbox": [1, 2, 30, 21]}, "boxes"),
        ({"category_id": 3}, "categories"),
        ({"iscrowd": 1}, "categories"),
        ({"segmentation": [[1, 2, 30, 2, 31, 22]]}, "masks"),
    ):
        other = write_coco(tmp_path / "c", {"train": coco_document(3, **{"segmentation": square, **change})})
        assert changes(content, content_of(load_instances(other, "trainval"))) == [part]
    assert changes(content, content_of(load_instances(before, "trainval", flip=True)))[0] == "images"


MISSING = [
    ("pascal_voc", r"'pascal_voc' is missing: .*VOCdevkit/VOC2007 should contain.*fetch\.sh pascal_voc"),
    ("pascal_voc_0712", r"'pascal_voc_0712' is missing.*VOC2007.*fetch\.sh pascal_voc_0712"),
    ("coco", r"'coco' is missing: .*instances_train2017\.json.*fetch\.sh coco"),
    ("shapes", "'shapes' is missing.*dsg shapes"),
    ("VRD", "data set 'VRD' has relationships, and detectors learn from objects with boxes; known: pascal"),
    ("cocoo", "unknown data set 'cocoo': did you mean 'coco'"),
    ("nothing", "unknown data set 'nothing': known: pascal_voc, pascal_voc_0712, coco, shapes"),
]


@pytest.mark.parametrize(("name", "reason"), MISSING)
def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        load_instances(name, "train", data_dir=tmp_path)


def test_folders_without_annotations_for_detection(devkit: Path) -> None:
    with pytest.raises(UserError, match="contains VOC2007: give .*VOC2007, or this folder as --data"):
        load_instances(devkit / "VOCdevkit", "train")
    (devkit / "rr").mkdir()
    with pytest.raises(UserError, match="no annotations for detection: annotations/instances_train"):
        load_instances(devkit / "rr", "train")
    (devkit / "rr" / "annotations_train.json").write_text("{}")
    with pytest.raises(UserError, match="referring relationships; a detector needs"):
        load_instances(devkit / "rr", "train")


def test_splits_that_a_folder_has_not(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, {"train": coco_document(3)})
    with pytest.raises(UserError, match=r"no list of images for test \(val\); it has train"):
        load_instances(folder, "test")
    with pytest.raises(UserError, match="split: unknown value 'dev'"):
        load_instances(folder, "dev")
    with pytest.raises(UserError, match="layout: unknown value 'yolo'; it is one of voc, coco"):
        load_instances(folder, "train", layout="yolo")
    one = write_coco(tmp_path / "one", {"train": coco_document(1)})
    with pytest.raises(UserError, match="no image for validation.*too short to be split"):
        load_instances(one, "validation")


def test_categories_that_differ_between_files(tmp_path: Path) -> None:
    other = {**coco_document(2, first=5), "categories": [{"id": 7, "name": "owl"}, {"id": 3, "name": "dog"}]}
    folder = write_coco(tmp_path, {"train": coco_document(2), "val": other, "test": coco_document(1)})
    with pytest.raises(UserError, match="val and train have different categories"):
        load_instances(folder, "trainval")


@pytest.mark.parametrize(
    "change", [{"category_id": 4}, {"bbox": [0.1, 0.2, 0.3, 0.2]}, {"image_id": 77}, {"bbox": [70, 2, 9, 9]}]
)
def test_up_to_half_of_the_objects_may_be_bad(tmp_path: Path, change: dict) -> None:
    loaded = load_instances(write_coco(tmp_path, {"train": coco_document(5, **change)}), "trainval")
    assert len(loaded) == 5


def test_more_than_half_of_the_objects_are_bad(tmp_path: Path) -> None:
    document = coco_document(5, category_id=4)
    document["annotations"][1]["bbox"] = [80, 80, 3, 3]
    with pytest.raises(UserError, match="6 of 10 objects cannot be used, mostly object of an unknown categ"):
        load_instances(write_coco(tmp_path, {"train": document}), "trainval")


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([0.1, 0.2, 0.3, 0.2], "smaller than a pixel: they go from 0 to 1"),
        ([40, 30, 55, 45], r"leave their image, and fit as \[x1, y1, x2, y2\]; boxes are \[x, y, width"),
    ],
)
def test_boxes_that_cannot_be_meant(tmp_path: Path, box: list[float], reason: str) -> None:
    document = coco_document(5)
    for annotation in document["annotations"]:
        annotation["bbox"] = box
    with pytest.raises(UserError, match=reason):
        load_instances(write_coco(tmp_path, {"train": document}), "trainval")


def test_bad_records_stop_where_they_shall(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, {"train": ["a", "b"]})
    (folder / "Annotations" / "b.xml").write_text(voc_annotation([("dog", (1, 2, 3, 4))], size=""))
    loaded = load_instances(folder, "trainval")
    assert loaded.skipped == {"annotation without size": [("b", "")]}
    assert "skipped, annotation without size: 1 (b)" in loaded.summary()
    with pytest.raises(UserError, match="image 'b': annotation without size; correct it"):
        load_instances(folder, "trainval", on_bad_record="error")


def test_an_empty_list_of_classes(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, {"train": ["a"]})
    (folder / "classes.txt").write_text("background\n")
    with pytest.raises(UserError, match=r"classes\.txt: names no class; write the name of each"):
        load_instances(folder, "trainval")


def test_the_splits_of_a_configuration(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "mine", {"train": coco_document(11), "val": coco_document(2)})
    (folder / "images").mkdir()
    for number in range(1, 12):
        cv2.imwrite(str(folder / "images" / f"{number:04}.png"), np.zeros((50, 60, 3), np.uint8))
    config = detector_config("DATA.DIR", str(tmp_path), "TRAIN.VALIDATE_IMAGES", "1")
    training, validation = load_splits(config, "mine")
    assert (len(training), len(validation), len(load_examined(config, "mine", "test"))) == (18, 1, 2)
    assert dataset_name(config, "mine") == "mine"
    for path in (folder / "images").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="9 of 9 images of mine train are missing"):
        load_splits(config, "mine")


def test_relationships_are_not_learned_from_objects_alone(tmp_path: Path) -> None:
    config = from_values({"DATA.DIR": str(tmp_path)})
    write_coco(tmp_path / "mine", {"train": coco_document(11)})
    for name in ("mine", "pascal_voc"):
        for refused in (dataset_name, load_splits):
            with pytest.raises(UserError, match=f"{name}: has objects without relationships, for detectors"):
                refused(config, name)
    (tmp_path / "coco").mkdir()  # a folder of relationships may have the name
    (tmp_path / "coco" / "annotations_train.json").write_text("[]")
    assert dataset_name(config, "coco") == "coco"


@needs_shared("data", "coco")
def test_real_photographs() -> None:
    folder = shared_path("data", "coco")
    counts = {split: len(load_instances(folder, split)) for split in ("train", "validation", "test")}
    assert counts == {"train": 49, "validation": 6, "test": 18}
    loaded = load_instances("coco", "trainval", data_dir=folder.parent)
    assert not loaded.skipped and all(record.path.is_file() for record in loaded.records)
    assert choose(find_instances("coco", folder), "test").lists[0].name == "val2017"


def assert_same(first: InstanceDataset, second: InstanceDataset) -> None:
    """To the bit, types included."""
    assert first.summary() == second.summary() and first.vocabulary == second.vocabulary
    assert content_of(first) == content_of(second)
    for one, other in zip(first.records, second.records):
        for name in ("name", "path", "width", "height", "flipped"):
            assert getattr(one, name) == getattr(other, name), name
            assert type(getattr(one, name)) is type(getattr(other, name)), name
        for name in ("boxes", "classes", "difficult", "crowd"):
            assert getattr(one, name).dtype == getattr(other, name).dtype, name
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert list(one.segmentations) == list(other.segmentations)


def mixed(folder: Path) -> Path:
    """Polygons, run lengths in both forms, no masks, crowds, faults, images without objects."""
    document = coco_document(12)
    objects = document["annotations"]
    objects[0]["segmentation"] = [[1, 2, 31, 2, 31, 22, 1, 22], [40, 2, 50, 2, 50, 9]]
    objects[1].update(segmentation={"size": [50, 60], "counts": [500, 30, 2470]}, iscrowd=1)
    objects[2]["segmentation"] = encode(np.eye(50, 60) > 0)
    objects[3]["segmentation"] = [[1, 2, 3, 4]]
    objects[5]["category_id"] = 99
    del objects[8:12]
    return write_coco(folder, {"train": document, "val": coco_document(3, first=90)})


@pytest.mark.parametrize("options", [{"split": "train", "flip": True}, {"split": "test"}, {"split": "val"}])
def test_with_and_without_a_cache(tmp_path: Path, options: dict[str, Any]) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_instances(folder, **options, cache=False)
    assert not cache.exists()
    assert_same(load_instances(folder, **options, cache=cache), plain)
    (file,) = cache.iterdir()
    written = file.stat().st_mtime_ns
    (folder / "annotations").rename(folder / "elsewhere")
    (folder / "elsewhere").rename(folder / "annotations")
    assert_same(load_instances(folder, **options, cache=cache), plain)
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [written]
    with pytest.raises(UserError):
        load_instances(folder, **{**options, "split": "train"}, cache=cache, on_bad_record="error")


def test_masks_are_those_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    stated = {record.name: record for record in read_coco(mixed(tmp_path), "train").images}
    records = load_instances(tmp_path, "trainval").records
    masks = 0
    for record in records:
        for one, other in zip(record.segmentations, stated[record.name].segmentations):
            if other is None:
                assert one is None
                continue
            where = (record.height, record.width, record.name)
            np.testing.assert_array_equal(decode(one, *where), decode(other, *where))
            masks += 1
    assert masks == 3
    assert records[0].segmentations[-1] == records[0].segmentations[1]
    assert len(records[:2]) == 2 and records[-1].name == records[len(records) - 1].name


SPOILED: dict[str, Any] = {
    "no archive": lambda values: None,
    "an array less": lambda values: values.pop("labels"),
    "other types": lambda values: values.update(boxes=values["boxes"].astype(np.float64)),
    "other shapes": lambda values: values.update(sizes=values["sizes"][:-1]),
    "objects of no image": lambda values: values["starts"].__setitem__(-1, 99),
    "falling starts": lambda values: values["starts"].__setitem__(1, -5),
    "masks beyond the text": lambda values: values["mask_starts"].__setitem__(-1, 10**6),
    "no class": lambda values: values["labels"].__setitem__(0, 3),
    "the background": lambda values: values["labels"].__setitem__(0, 0),
    "boxes outside": lambda values: values["boxes"].__setitem__((0, 2), 61),
    "boxes of no number": lambda values: values["boxes"].__setitem__((0, 0), np.nan),
    "no size": lambda values: values["sizes"].__setitem__((0, 0), 0),
    "other texts": lambda values: values.update(about=np.frombuffer(b'{"key": 3}', np.uint8)),
    "a name that leads out": lambda values: values.update(
        about=np.frombuffer(values["about"].tobytes().replace(b"0001.png", b"../1.png"), np.uint8)
    ),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_what_is_no_cache_of_these_files_is_rewritten(tmp_path: Path, fault: str) -> None:
    folder, cache = mixed(tmp_path / "own"), tmp_path / "cache"
    plain = load_instances(folder, "trainval", cache=cache)
    (file,) = cache.iterdir()
    good = file.read_bytes()
    with np.load(file) as stored:
        values = {name: stored[name].copy() for name in stored.files}
    SPOILED[fault](values)
    np.savez(file, **values) if fault != "no archive" else file.write_bytes(b"PK")
    assert_same(load_instances(folder, "trainval", cache=cache), plain)
    assert file.read_bytes() == good
