"""Visual Genome's own files: streamed, names chosen, boxes from `objects.json` where it is given."""

from __future__ import annotations

import json

import pytest

from dsg.apps.convert.command import Options, convert_visual_genome
from dsg.apps.convert.splits import SplitRule
from dsg.apps.convert.visual_genome import VisualGenomeSource
from dsg.apps.convert.vocabulary import Choice
from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.programs import run_program

RULE = SplitRule(test=frozenset({"2", "5"}))


def thing(number, name, x, synset="", plural=False):
    key = {"names": [name, "thing"]} if plural else {"name": name}
    synsets = [synset] if synset else []
    return {"object_id": number, **key, "synsets": synsets, "x": x, "y": 10, "w": 20, "h": 30}


def genome(images=6):
    """relationships.json, image_data.json, objects.json."""
    relationships, sizes, objects = [], [], []
    for image in range(1, images + 1):
        man, horse = thing(image * 10, "Man", 5, "man.n.01"), thing(image * 10 + 1, "horse", 40, "", True)
        hat = thing(image * 10 + 2, "hat", 8)
        found = [
            {"predicate": "RIDING", "subject": man, "object": horse, "relationship_id": 1, "synsets": []},
            {"predicate": "wears", "subject": man, "object": hat, "relationship_id": 2, "synsets": []},
        ]
        relationships.append({"image_id": image, "relationships": found[: 1 + image % 2]})
        sizes.append({"image_id": image, "width": 100, "height": 80, "url": "https://x/VG_100K/1.jpg"})
        listed = [thing(image * 10, "person", 6, "", True), thing(image * 10 + 3, "horse", 41, "", True)]
        listed[1]["merged_object_ids"] = [image * 10 + 1]
        objects.append({"image_id": image, "objects": listed, "image_url": "x"})
    return relationships, sizes, objects


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def source(write):
    relationships, sizes, _ = genome()
    return VisualGenomeSource(write("relationships.json", relationships), write("image_data.json", sizes))


def load(folder, name):
    return json.loads((folder / name).read_text())


def test_the_files(source, tmp_path):
    out = tmp_path / "out"
    account = convert_visual_genome(source, out, Options(rule=RULE))
    assert load(out, "objects.json") == ["man", "horse", "hat"]
    assert load(out, "predicates.json") == ["riding", "wears"]
    assert account.images == {"train": 4, "test": 2} and account.relationships == {"train": 6, "test": 3}
    assert load(out, "annotations_test.json")["2.jpg"] == [
        {
            "predicate": 0,
            "subject": {"category": 0, "bbox": [10, 40, 5, 25]},
            "object": {"category": 1, "bbox": [10, 40, 40, 60]},
        }
    ]
    assert len(load_dataset(str(out), "trainval")) == 4


def test_objects_and_what_was_merged_into_them(source, write, tmp_path):
    objects = write("objects.json", genome()[2])
    full = VisualGenomeSource(source.relationships, source.image_data, objects)
    convert_visual_genome(full, tmp_path / "out", Options(rule=RULE))
    assert load(tmp_path / "out", "objects.json") == ["horse", "person"]
    first = load(tmp_path / "out", "annotations_test.json")["2.jpg"][0]
    assert first["subject"] == {"category": 1, "bbox": [10, 40, 6, 26]}
    assert first["object"] == {"category": 0, "bbox": [10, 40, 41, 61]}


def test_objects_in_another_order(source, write, tmp_path):
    objects = write("objects.json", genome()[2][::-1])
    full = VisualGenomeSource(source.relationships, source.image_data, objects)
    account = convert_visual_genome(full, tmp_path / "out", Options(rule=RULE))
    assert account.images == {"train": 4, "test": 2}


def test_names(source, tmp_path):
    synsets = VisualGenomeSource(source.relationships, source.image_data, names="synset")
    options = Options(
        categories=Choice(most=2),
        category_aliases={"horse": "animal"},
        predicate_aliases={"wears": "on"},
        rule=RULE,
    )
    account = convert_visual_genome(synsets, tmp_path / "out", options)
    assert load(tmp_path / "out", "objects.json") == ["man.n.01", "animal"]
    assert load(tmp_path / "out", "predicates.json") == ["riding", "on"]
    assert account.left_out == {"category not in the vocabulary": 3}


def test_odd_records(write, tmp_path):
    relationships, sizes, _ = genome()
    man = relationships[0]["relationships"][0]["subject"]
    nameless = {key: value for key, value in man.items() if key != "name"}
    relationships[0]["relationships"] += [
        {"predicate": "on", "subject": man, "object": nameless},
        {"predicate": "", "subject": man, "object": man},
        {"predicate": "on", "subject": man, "object": None},
    ]
    relationships.append({"image_id": 99, "relationships": []})
    source = VisualGenomeSource(write("r.json", relationships), write("i.json", sizes))
    account = convert_visual_genome(source, tmp_path / "out", Options(rule=RULE))
    assert account.left_out == {"relationship without names or boxes": 3, "image not in image_data.json": 1}


def test_wrong_files(source, write, tmp_path):
    swapped = VisualGenomeSource(source.image_data, source.image_data)
    with pytest.raises(UserError, match="element 0: has no list 'relationships'"):
        convert_visual_genome(swapped, tmp_path / "out", Options(rule=RULE))
    swapped = VisualGenomeSource(source.relationships, source.relationships)
    with pytest.raises(UserError, match="is this image_data.json"):
        convert_visual_genome(swapped, tmp_path / "out", Options(rule=RULE))


def test_the_program(source, tmp_path):
    (tmp_path / "pictures/VG_100K").mkdir(parents=True)
    words = ["visualgenome", "relationships.json", "image_data.json", "out", "--predicates", "1"]
    done = run_program("convert", *words, "--images", "pictures", "--test-share", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "out", "predicates.json") == ["riding"]
    assert (tmp_path / "out/JPEGImages/VG_100K").is_dir()
