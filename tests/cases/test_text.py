"""Text and JSON that people write: byte order marks, keys twice, numbers without end, archives of a Mac."""

from __future__ import annotations

import json
import zipfile

import pytest

from dsg.apps.convert.splits import make_rule
from dsg.apps.convert.vocabulary import read_aliases, read_choice
from dsg.config import load_config
from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.cases.inputs import PREDICATES, coco, dataset, genome, image_data, relations, repeated, write

BOM = "utf-8-sig"


# 4: what begins with a byte order mark is read as without it


def test_a_data_set_with_byte_order_marks(tmp_path):
    plain = load_dataset(dataset(tmp_path / "plain"), "train")
    marked = load_dataset(dataset(tmp_path / "marked", encoding=BOM), "train")
    assert marked.vocabulary == plain.vocabulary
    assert [record.name for record in marked.records] == [record.name for record in plain.records]


def test_check_reads_byte_order_marks(tmp_path, program):
    done = program("check", dataset(tmp_path / "marked", encoding=BOM), "--output", tmp_path / "out")
    done.went_well("marked: usable")


def test_lists_with_byte_order_marks(tmp_path):
    ids = write(tmp_path / "ids.txt", "im1.jpg\nim2.jpg\n", BOM)
    assert make_rule(ids, None, None, 0.1, 0).of("1", "im1.jpg") == "test"
    names = write(tmp_path / "names.txt", "dummy\ncup\n", BOM)
    assert read_choice(str(names), "categories").names == ("dummy", "cup")
    listed = write(tmp_path / "names.json", ["dummy", "cup"], BOM)
    assert read_choice(str(listed), "categories").names == ("dummy", "cup")
    aliases = write(tmp_path / "aliases.txt", "table,desk\ncup,mug\n", BOM)
    assert read_aliases(aliases) == {"table": "table", "desk": "table", "cup": "cup", "mug": "cup"}


def test_converters_read_byte_order_marks(tmp_path, program):
    boxes, found = write(tmp_path / "b.json", coco(), BOM), write(tmp_path / "r.csv", relations(), BOM)
    listed = write(tmp_path / "r.json", [[11, "on", 12], [23, "on", 22]], BOM)
    program("convert", "coco", boxes, found, tmp_path / "coco").went_well("test: 1 images")
    program("convert", "coco", boxes, listed, tmp_path / "listed").went_well("test: 1 images")
    related, sizes = (
        write(tmp_path / "rel.json", genome(), BOM),
        write(tmp_path / "d.json", image_data(), BOM),
    )
    program("convert", "visualgenome", related, sizes, tmp_path / "vg").went_well("images")
    assert json.loads((tmp_path / "vg" / "objects.json").read_text()) == ["horse", "man"]


def test_a_configuration_with_a_byte_order_mark(tmp_path):
    path = write(tmp_path / "a.yml", "TRAIN:\n  EPOCHS: 7\n", BOM)
    assert load_config([path]).train.epochs == 7


# 10: what stands twice is not lost without a word


@pytest.mark.parametrize(
    "file", ["annotations_train.json", "annotations_test.json", "train_image_metadata.json"]
)
def test_an_image_twice(file, tmp_path):
    folder = dataset(tmp_path / "mine")
    content = json.loads((folder / file).read_text())
    name = next(iter(content))
    value = content[name][:1] if isinstance(content[name], list) else {"width": 10, "height": 10}
    write(folder / file, repeated(content, name, value))
    split = "test" if "test" in file else "train"
    with pytest.raises(UserError, match="twice") as caught:
        load_dataset(folder, split)
    assert name in str(caught.value) and file in str(caught.value)


def test_check_names_an_image_that_stands_twice(tmp_path, program):
    folder = dataset(tmp_path / "mine")
    content = json.loads((folder / "annotations_train.json").read_text())
    write(folder / "annotations_train.json", repeated(content, "im0.jpg", content["im0.jpg"][:1]))
    done = program("check", folder, "--output", tmp_path / "out")
    assert done.status == 1
    assert "im0.jpg" in done.out and "twice" in done.out


def test_a_key_twice_in_a_file_of_boxes(tmp_path, program):
    boxes = write(tmp_path / "b.json", repeated(coco(), "categories", []))
    done = program("convert", "coco", boxes, write(tmp_path / "r.csv", relations()), tmp_path / "out")
    done.refused("categories", "twice")


@pytest.mark.parametrize(
    "text",
    [
        "TRAIN:\n  LEARNING_RATE: 0.5\n  EPOCHS: 2\nTRAIN:\n  MAX_QUERIES: 7\n",
        "TRAIN:\n  EPOCHS: 2\n  EPOCHS: 3\n",
        "TRAIN: {EPOCHS: 2, EPOCHS: 3}\n",
        "TRAIN.EPOCHS: 2\nTRAIN:\n  EPOCHS: 3\n",
    ],
)
def test_an_option_twice_in_a_file(text, tmp_path):
    with pytest.raises(UserError, match="TRAIN|EPOCHS") as caught:
        load_config([write(tmp_path / "twice.yml", text)])
    assert "twice.yml: " in str(caught.value) and (
        "already" in str(caught.value) or "twice," in str(caught.value)
    )


# 22: what an archiver adds of its own is left out


def zipped(path, name, content, extra):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, json.dumps(content))
        for added in extra:
            archive.writestr(added, b"\0\5\x16\7" + bytes(50))
    return path


@pytest.mark.parametrize(
    ("file", "name", "extra"),
    [
        ("a.json.zip", "relationships.json", ("__MACOSX/._relationships.json",)),
        ("a.zip", "folder/relationships.json", ("folder/.DS_Store", "__MACOSX/folder/._relationships.json")),
        ("A.JSON.ZIP", "relationships.json", ()),
        ("a.zip", "RELATIONSHIPS.JSON", ("._RELATIONSHIPS.JSON",)),
        ("a.zip", "relationships.json", ("Thumbs.db", "desktop.ini")),
    ],
)
def test_archives_as_people_make_them(file, name, extra, tmp_path, program):
    related = zipped(tmp_path / file, name, genome(), extra)
    sizes = write(tmp_path / "image_data.json", image_data())
    program("convert", "visualgenome", related, sizes, tmp_path / "vg").went_well("relationships")


def test_two_files_in_an_archive_are_named(tmp_path, program):
    related = zipped(tmp_path / "a.zip", "relationships.json", genome(), ("second.json",))
    sizes = write(tmp_path / "image_data.json", image_data())
    done = program("convert", "visualgenome", related, sizes, tmp_path / "vg")
    done.refused("a.zip", "2", "second.json")


# 25: numbers without end


@pytest.mark.parametrize("value", ["1" * 400, "-" + "1" * 400, "1" * 5000, "1e999", "[" + "1" * 400 + "]"])
@pytest.mark.parametrize(
    "key", ["TRAIN.EPOCHS", "TRAIN.LEARNING_RATE", "TRAIN.SCALES", "RNG_SEED", "PIXEL_MEANS"]
)
def test_options_of_hundreds_of_digits(key, value):
    with pytest.raises(UserError, match=key) as caught:
        load_config(overrides=[key, value])
    assert len(str(caught.value)) < 600


def test_a_file_of_hundreds_of_digits(tmp_path):
    with pytest.raises(UserError, match="TRAIN.EPOCHS"):
        load_config([write(tmp_path / "a.yml", f"TRAIN:\n  EPOCHS: {'1' * 400}\n")])


def test_a_category_of_hundreds_of_digits(tmp_path):
    folder = dataset(tmp_path / "mine")
    text = (
        (folder / "annotations_train.json")
        .read_text()
        .replace('"category": 1', f'"category": {"1" * 400}', 1)
    )
    (folder / "annotations_train.json").write_text(text)
    data = load_dataset(folder, "train")
    assert sum(map(len, data.skipped.values())) > 0 and data.vocabulary.predicates == PREDICATES
