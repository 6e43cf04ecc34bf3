"""Runs: data that changed between two starts, splits that are absent or called otherwise, names, examples."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from types import SimpleNamespace

import numpy as np
import pytest

from dsg.config import load_config
from dsg.datasets import load_dataset
from dsg.engine.snapshots import load_snapshot, save_snapshot
from tests.cases.inputs import dataset, relationships, write
from tests.cases.programs import ROOT
from tests.tiny import PAIRS, PLAIN

SHORT = [*PAIRS, *PLAIN, "TRAIN.EPOCHS", "1", "ANCHOR_SCALES", "auto:2"]
MINI = ROOT / "experiments" / "cfgs" / "mini.yml"


def train(program, folder, output, *options, pairs=()):
    given = ("--imdb", folder, "--net", "mini", "--cfg", MINI, "--output", output, *options)
    return program("train", *given, "--set", *SHORT, *pairs)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """Where a run of one epoch is kept, once a test has made it."""
    return SimpleNamespace(folder=tmp_path_factory.mktemp("runs"), made=False)


@pytest.fixture
def trained(first_run, program, tmp_path, untraced):
    """A data set, and an output folder with a run called `a` that was trained on it."""
    if not first_run.made:
        dataset(first_run.folder / "data" / "mine")
        train(
            program, first_run.folder / "data" / "mine", first_run.folder / "output", "--tag", "a"
        ).went_well("ANCHOR_SCALES auto:2: [", "of the training boxes at IoU 0.5")
        first_run.made = True
    shutil.copytree(first_run.folder, tmp_path / "copy")
    copy = tmp_path / "copy"
    return SimpleNamespace(
        data=copy / "data" / "mine", output=copy / "output", run=copy / "output/mini/mine_train/a"
    )


def replace(folder, **options):
    shutil.rmtree(folder)
    return dataset(folder, **options)


# 2: a run continues only on the data that it began with


def test_the_same_data_elsewhere(trained, program, tmp_path):
    shutil.move(trained.data, tmp_path / "elsewhere" / "mine")
    done = train(program, tmp_path / "elsewhere" / "mine", trained.output, "--tag", "a")
    done.went_well("is finished")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"shift": 30}, "boxes"),
        ({"name": "picture{}.jpg"}, "images"),
    ],
)
@pytest.mark.parametrize("epochs", ["1", "2"])
def test_other_data_of_the_same_name(options, what, epochs, trained, program):
    replace(trained.data, **options)
    before = {path: path.read_bytes() for path in trained.run.glob("*.npz")}
    done = train(program, trained.data, trained.output, "--tag", "a", pairs=("TRAIN.EPOCHS", epochs))
    done.refused(str(trained.run), what, "training", "another name")
    assert {path: path.read_bytes() for path in trained.run.glob("*.npz")} == before


def test_other_relations(trained, program):
    path = trained.data / "annotations_train.json"
    content = json.loads(path.read_text())
    content["im0.jpg"][0]["predicate"] = 1
    write(path, content)
    train(program, trained.data, trained.output, "--tag", "a").refused("relations", "another name")


def test_other_data_for_validation(trained, program):
    names = load_dataset(trained.data, "validation").records
    path = trained.data / "annotations_train.json"
    content = json.loads(path.read_text())
    content[names[0].name] = relationships(shift=9)
    write(path, content)
    train(program, trained.data, trained.output, "--tag", "a").refused("validation", "boxes")


def test_annotations_written_in_another_order_are_the_same(trained, program):
    path = trained.data / "annotations_train.json"
    content = json.loads(path.read_text())
    write(path, dict(sorted(content.items(), reverse=True)))
    train(program, trained.data, trained.output, "--tag", "a").went_well("is finished")


def test_snapshots_of_before_resume(trained, program):
    """Those that say nothing of their data."""
    for path in trained.run.glob("*.npz"):
        with np.load(path) as archive:
            assert "data" in json.loads(str(archive["meta"]))
        snapshot = load_snapshot(path)
        old = type(snapshot.meta)(**{**vars(snapshot.meta), "data": {}})
        save_snapshot(path, snapshot.variables, snapshot.slots, old)
    train(program, trained.data, trained.output, "--tag", "a").went_well("is finished")


def test_results_of_other_data_are_not_used_again(trained, program):
    """A table of before the annotations were corrected."""
    given = ("--imdb", trained.data, "--net", "mini", "--cfg", MINI, "--output", trained.output)
    done = program("test", *given, "--model", "a_iter_0", "--reuse", "--set", *SHORT).went_well()
    assert "testing" in done
    again = program("test", *given, "--model", "a_iter_0", "--reuse", "--set", *SHORT).went_well()
    assert "testing" not in again
    path = trained.data / "annotations_test.json"
    write(path, {name: relationships(shift=9) for name in json.loads(path.read_text())})
    assert "testing" in program("test", *given, "--model", "a_iter_0", "--reuse", "--set", *SHORT).went_well()


# anchors that a run chose when it began


def test_a_run_keeps_the_anchors_that_it_chose(trained, program):
    chosen = load_config([trained.run / "config.yml"]).anchor_scales
    assert len(chosen) == 1  # all boxes have one size
    meta = load_snapshot(trained.run / "a_iter_1.npz").meta
    assert meta.config["ANCHOR_SCALES"] == list(chosen) and meta.automatic == {"ANCHOR_SCALES": "auto:2"}

    def again(scales):
        return train(program, trained.data, trained.output, "--tag", "a", pairs=("ANCHOR_SCALES", scales))

    again(str(list(chosen))).went_well("is finished")
    again("[2, 3]").refused("ANCHOR_SCALES was", "another name")
    # whatever the data would give today
    for path in trained.run.glob("*.npz"):
        snapshot = load_snapshot(path)
        config = {**snapshot.meta.config, "ANCHOR_SCALES": [2.25, 7.75]}
        save_snapshot(
            path, snapshot.variables, snapshot.slots, dataclasses.replace(snapshot.meta, config=config)
        )
    again("auto:2").went_well("is finished")
    assert load_config([trained.run / "config.yml"]).anchor_scales == (2.25, 7.75)
    # nor does a run of other anchors resume as one that chose them
    for path in trained.run.glob("*.npz"):
        snapshot = load_snapshot(path)
        save_snapshot(
            path, snapshot.variables, snapshot.slots, dataclasses.replace(snapshot.meta, automatic={})
        )
    again("auto:2").refused("ANCHOR_SCALES was [2.25, 7.75]", "another name")


# 16: names of runs


@pytest.mark.parametrize("name", ["", "-1", "-x", "--", ".", "..", "a/b", " ", "a\nb"])
def test_names_that_cannot_be_a_run(name, tmp_path, program):
    folder = dataset(tmp_path / "mine")
    done = train(program, folder, tmp_path / "out", f"--tag={name}")
    done.refused("name")
    assert not list((tmp_path / "out").rglob("*.npz")) and not list((tmp_path / "out").rglob("*.log"))


# 17: no test split


def without_test(folder):
    for name in ("annotations_test.json", "test_image_metadata.json"):
        (folder / name).unlink()
    return folder


def test_a_test_split_that_is_absent_is_said_before_training(tmp_path):
    """By the script, which tests what it has trained."""
    import subprocess
    import sys

    folder = without_test(dataset(tmp_path / "mine"))
    command = [str(ROOT / "experiments" / "scripts" / "train.sh"), "cpu", str(folder), "mini", "a", *SHORT]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        env={"PATH": "/usr/bin:/bin", "DSG_PYTHON": sys.executable, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done
    (line,) = done.stderr.splitlines()
    assert "annotations_test.json" in line and "--no-test" in line
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_check_says_that_there_is_no_test_split(tmp_path, program):
    done = program("check", without_test(dataset(tmp_path / "mine")), "--output", tmp_path / "out")
    assert "annotations_test.json" in done.out and "--no-test" in done.out


# 18: what people call the split for validation


def named_otherwise(folder, split, word):
    """The files of a split under another word; those of the test split are copied for validation."""
    source = "test" if split == "validation" else split
    for pattern in ("annotations_{}.json", "{}_image_metadata.json"):
        shutil.copy(folder / pattern.format(source), folder / pattern.format(word))
    if split != "validation":
        for pattern in ("annotations_{}.json", "{}_image_metadata.json"):
            (folder / pattern.format(split)).unlink()
    return folder


@pytest.mark.parametrize("word", ["val", "valid", "dev", "validation"])
def test_words_for_validation(word, tmp_path):
    folder = named_otherwise(dataset(tmp_path / "mine", images=False), "validation", word)
    data = load_dataset(folder, "validation")
    assert [record.name for record in data.records] == ["im12.jpg", "im13.jpg", "im14.jpg", "im15.jpg"]
    assert len(load_dataset(folder, "train")) == 12
    assert (f"annotations_{word}.json" in data.summary()) == (word != "validation")


@pytest.mark.parametrize("split, word", [("train", "training"), ("test", "testing")])
def test_words_for_other_splits(split, word, tmp_path):
    folder = named_otherwise(dataset(tmp_path / "mine", images=False), split, word)
    data = load_dataset(folder, split)
    assert len(data) and f"annotations_{word}.json" in data.summary()


def test_two_files_for_one_split(tmp_path):
    folder = named_otherwise(dataset(tmp_path / "mine", images=False), "validation", "val")
    named_otherwise(folder, "validation", "validation")
    data = load_dataset(folder, "validation")
    assert "annotations_val.json" in data.summary() and "not used" in data.summary()


def test_check_says_which_file_it_used(tmp_path, program):
    folder = named_otherwise(dataset(tmp_path / "mine"), "validation", "val")
    done = program("check", folder, "--output", tmp_path / "out")
    done.went_well("annotations_val.json")


# 24: examples


@pytest.fixture
def serve(program):
    """The page, which cannot open: its port is taken."""
    pytest.importorskip("gradio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield lambda *options: program("serve", "--port", taken.getsockname()[1], *options)


def test_a_folder_of_examples_that_does_not_exist(tmp_path, serve):
    serve("--examples", tmp_path / "none").refused(str(tmp_path / "none"), "no such folder")


def test_a_file_in_place_of_a_folder_of_examples(tmp_path, serve):
    serve("--examples", write(tmp_path / "a.txt", "x")).refused("a.txt", "folder")


def test_examples_without_a_picture(tmp_path):
    from dsg.apps.serve.command import examples_folder
    from dsg.errors import UserError

    with pytest.raises(UserError, match="no such folder"):
        examples_folder(tmp_path / "none")
    write(tmp_path / "photos" / "a.heic", "x")
    with pytest.raises(UserError, match="no image"):
        examples_folder(tmp_path / "photos")
