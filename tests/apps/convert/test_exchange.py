"""`dsg convert FROM TO`: between the formats, and to what training reads."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dsg.apps.commands.convert import EXCHANGE
from dsg.apps.convert.command import Options, convert_visual_genome
from dsg.apps.convert.exchange import convert_files
from dsg.apps.convert.splits import SplitRule
from dsg.apps.convert.visual_genome import VisualGenomeSource
from dsg.apps.convert.vocabulary import Choice
from dsg.apps.main import main
from dsg.datasets import load_dataset
from dsg.datasets.formats.exchange import coco, psg
from dsg.datasets.formats.exchange.annotation import Annotation
from dsg.datasets.formats.exchange.table import FORMATS, readable, recognised, writable, write_annotation
from dsg.datasets.scene_graphs import load_graphs
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without
from tests.shared import ROOT


def related() -> Annotation:
    """Both images with relations, so that either split has some."""
    annotation = made()
    first, second = annotation.images
    annotation.images[1] = replace(first, key="9", file="9.jpg", split=second.split)
    return annotation


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("7", "9"):
        Image.new("RGB", (640, 480)).save(folder / f"{name}.jpg")
    return folder


@pytest.mark.parametrize("name", [name for name in FORMATS if name in writable() and name in readable()])
def test_each_format_is_recognised_and_read_for_training(name, tmp_path, images) -> None:
    if name == "referring":
        psg.write(tmp_path / "psg.json", related())
        convert_files(tmp_path / "psg.json", tmp_path / "source", Options())
    else:
        write_annotation(tmp_path / "source", related(), name)
        if FORMATS[name].ending:
            (tmp_path / "source").rename(tmp_path / f"source{FORMATS[name].ending}")
    source = tmp_path / f"source{FORMATS[name].ending}"
    assert recognised(source) == name
    convert_files(source, tmp_path / "data", Options(images=images))
    records = [
        record for split in ("train", "test") for record in load_dataset(tmp_path / "data", split).records
    ]
    assert sorted(record.name for record in records) == ["7.jpg", "9.jpg"]
    wanted = {("cup", "on", "table"), ("table", "under", "cup"), ("person", "holding", "cup")}
    vocabulary = load_dataset(tmp_path / "data", "train").vocabulary
    for record in records:
        names = [vocabulary.objects[number] for number in record.entities]
        said = {(names[s], vocabulary.predicates[p], names[o]) for s, p, o in record.triples.tolist()}
        assert said == {*wanted, ("person", "on", "cup")}
        box = record.boxes[names.index("table")]
        np.testing.assert_allclose(box, [10, 280, 410, 430], atol=640 / 1024 if name == "vg150" else 0.01)


def test_to_vg150_with_images_of_any_name(tmp_path, images) -> None:
    annotation = related()
    (images / "7.jpg").rename(images / "a kitchen.jpg")
    annotation.images[0] = replace(annotation.images[0], file="a kitchen.jpg")
    coco.write(tmp_path / "coco.json", annotation)
    account = convert_files(tmp_path / "coco.json", tmp_path / "vg", Options(images=images), to="vg150")
    assert account.images == {"train": 1, "test": 1} and not account.left_out
    for split in ("train", "test"):
        [record] = (
            load_graphs(tmp_path / "vg", split).records
            if split == "test"
            else [load_graphs(tmp_path / "vg", split, need_relations=False).records[0]]
        )
        assert record.path.is_file() and len(record.boxes) == 4


def test_a_data_set_and_back_is_the_same(tmp_path) -> None:
    psg.write(tmp_path / "psg.json", related())
    convert_files(tmp_path / "psg.json", tmp_path / "a", Options())
    convert_files(tmp_path / "a", tmp_path / "coco.json", Options(), to="coco")
    convert_files(tmp_path / "coco.json", tmp_path / "b", Options())
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        path.name for path in (tmp_path / "b").iterdir()
    }
    for path in (tmp_path / "a").iterdir():
        assert path.read_text() == (tmp_path / "b" / path.name).read_text()


@pytest.mark.parametrize("objects", [False, True])
def test_visual_genomes_files_are_what_their_reader_reads(objects, tmp_path) -> None:
    psg.write(tmp_path / "psg.json", related())
    convert_files(tmp_path / "psg.json", tmp_path / "vg", Options(), to="visual-genome")
    files = [tmp_path / "vg" / f"{name}.json" for name in ("relationships", "image_data", "objects")]
    rule = SplitRule(test=frozenset({"9"}))
    source = VisualGenomeSource(*files[: 3 if objects else 2])
    options = Options(categories=Choice(names=("cup", "table", "person")), rule=rule)
    convert_visual_genome(source, tmp_path / "a", options)
    convert_files(tmp_path / "psg.json", tmp_path / "b", options)
    for split in ("train", "test"):
        [first], [second] = (load_dataset(tmp_path / name, split).records for name in "ab")
        assert first.name == second.name and first.entities.tolist() == second.entities.tolist()
        np.testing.assert_array_equal(first.boxes, second.boxes)
        assert len(first.triples) == len(second.triples) == 4


def test_relations_beside_the_boxes_have_their_own_command(tmp_path, capsys) -> None:
    coco.write(tmp_path / "a.json", made())
    assert main(["convert", "coco", str(tmp_path / "a.json"), "-", str(tmp_path / "b")]) == 2
    assert f"`dsg convert {tmp_path / 'a.json'} DIR`" in capsys.readouterr().err


def test_names_that_are_not_chosen_leave_with_their_relations(tmp_path) -> None:
    coco.write(tmp_path / "a.json", related())
    options = Options(
        categories=Choice(names=("table", "mug")), category_aliases={"cup": "mug"}, predicates=Choice(most=2)
    )
    account = convert_files(tmp_path / "a.json", tmp_path / "b.json", options, to="coco")
    found = coco.read(tmp_path / "b.json")
    assert found.categories == ("table", "mug") and found.predicates == ("on", "holding")
    assert [(r.subject, r.predicate, r.object) for r in found.images[0].relations] == [(0, "on", 1)]
    assert account.left_out == {"category not in the vocabulary": 2, "predicate not in the vocabulary": 2}


def test_the_command(tmp_path, capsys) -> None:
    psg.write(tmp_path / "psg.json", made())
    assert main(["convert", str(tmp_path / "psg.json"), str(tmp_path / "a.json"), "--to", "coco"]) == 0
    assert without(coco.read(tmp_path / "a.json"), splits=True, keys=False) == without(
        made(), splits=True, keys=False
    )
    assert "train: 1 images, 4 relationships" in capsys.readouterr().out
    assert main(["convert", "--to", "coco", str(tmp_path / "psg.json"), str(tmp_path / "a.json")]) == 2
    assert "already exists" in capsys.readouterr().err


def test_training_names_the_command_for_what_it_does_not_read(tmp_path) -> None:
    psg.write(tmp_path / "psg.json", related())
    write_annotation(tmp_path / "reltr", related(), "reltr")
    write_annotation(tmp_path / "vg", related(), "vg150")
    convert_files(tmp_path / "psg.json", tmp_path / "rr", Options())
    for load, name, command in (
        (load_dataset, "psg.json", "FOLDER`"),
        (load_dataset, "reltr", "FOLDER`"),
        (load_dataset, "vg", "FOLDER`"),
        (load_graphs, "psg.json", "FOLDER --to vg150`"),
        (load_graphs, "reltr", "FOLDER --to vg150`"),
        (load_graphs, "rr", "FOLDER --to vg150`"),
    ):
        with pytest.raises(UserError) as error:
            load(tmp_path / name, "train")
        said = str(error.value)
        assert f"`dsg convert {tmp_path / name} {command} makes a data set" in said and "\n" not in said


def test_the_help_and_the_page_list_the_formats() -> None:
    page = (ROOT / "docs" / "formats.md").read_text()
    for name in FORMATS:
        assert name in EXCHANGE and page.count(f"| `{name}` |") >= 1, name
    only_read, only_written = (set(FORMATS) - set(names) for names in (writable(), readable()))
    assert only_read == {"scene-graphs"} and only_written == {"sgbench", "visual-genome"}


def test_what_cannot_be_told_is_refused(tmp_path) -> None:
    psg.write(tmp_path / "psg.json", made())
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    for source, target, settings, said in (
        ("psg.json", "a.json", {}, "several formats have this ending; name one by --to"),
        ("psg.json", "a.json", {"to": "cocco"}, "did you mean 'coco'"),
        ("other.json", "a", {}, "of no format that is known"),
        ("gone.json", "a", {}, "no such file or folder"),
    ):
        with pytest.raises(UserError) as error:
            convert_files(tmp_path / source, tmp_path / target, Options(), **settings)
        assert said in str(error.value) and "\n" not in str(error.value)
