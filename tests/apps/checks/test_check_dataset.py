"""A data set with every kind of fault: all are named, those that stop a run decide, the rest is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.checks.command import check_dataset
from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE
from dsg.apps.checks.statistics import statistics_of
from dsg.config import load_config
from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.datasets.files import BUS, CAT, DOG, GOOD, mention, relation, write_dataset, write_json
from tests.programs import run_program
from tests.shared import ROOT, needs_shared, shared_path


def with_images(folder: Path) -> Path:
    """Pictures of 100 x 80 pixels for all images of a data set."""
    (folder / "images").mkdir(exist_ok=True)
    for split in ("train", "test"):
        for name in json.loads((folder / f"annotations_{split}.json").read_text()):
            cv2.imwrite(str(folder / "images" / name), np.full((80, 100, 3), 90, np.uint8))
    return folder


@pytest.fixture
def good(tmp_path):
    return with_images(write_dataset(tmp_path / "mine"))


def counts(check, level):
    return {reason: check.findings.count(level, reason) for reason in check.findings.reasons(level)}


def test_a_good_one(good):
    check = check_dataset(str(good))
    assert check.usable and counts(check, LEFT_OUT) == {}
    assert check.images == {"train": (18, 0), "validation": (2, 0), "test": (1, 0)}
    assert {split: item.images for split, item in check.statistics.items()} == {
        "train": 18,
        "validation": 2,
        "test": 1,
    }
    assert check.lines()[-1] == "mine: usable"
    assert counts(check, NOTE) == {"categories that are never used": 1, "predicates that are never used": 1}


def test_all_problems_at_once(tmp_path):
    far, thin, edge = mention(0, 500, 0, 600, 50), mention(1, 30, 5, 30, 60), mention(2, 50, 5, 130, 60)
    train = {f"{n}.jpg": GOOD for n in range(20)}
    train["odd.jpg"] = [
        relation(mention(9, 1, 1, 5, 5), 0, DOG),
        relation(CAT, 7, DOG),
        relation(mention(0, 50, 1, 5, 5), 0, DOG),
        relation(far, 0, DOG),
        relation(CAT, 0, thin),
        relation(CAT, 0, thin),
        relation(edge, 1, edge),
    ]
    train |= {"self.jpg": [relation(CAT, 0, CAT)], "empty.jpg": [], "lost.jpg": GOOD}
    folder = write_dataset(tmp_path / "mine", train, {"t.jpg": GOOD, "0.jpg": [relation(BUS, 0, DOG)]})
    sizes = json.loads((folder / "train_image_metadata.json").read_text())
    sizes["lost.jpg"], sizes["more.jpg"] = {"width": 0, "height": 5}, {"width": 5, "height": 5}
    del sizes["3.jpg"]
    write_json(folder / "train_image_metadata.json", sizes)
    check = check_dataset(str(folder), images=False)
    assert check.usable
    assert counts(check, LEFT_OUT) == {
        "category out of range": 1,
        "predicate out of range": 1,
        "box inverted": 1,
        "box outside the image": 1,
        "image without a size": 1,
        "image without a valid size": 1,
    }
    notes = counts(check, NOTE)
    assert notes["relationship listed twice"] == 1 and notes["self-relation"] == 2
    assert notes["box without width or height"] == 1 and notes["box partly outside the image"] == 1
    assert notes["image without relationships"] == 1 and notes["image without queries"] == 1
    assert notes["size of an image without annotations"] == 1 and notes["image that is also in train"] == 1
    text = "\n".join(check.lines())
    assert "odd.jpg, relationship 0: 9, objects.json has 0 to 3" in text
    assert "train.json)" in text


def test_every_record_of_a_wrong_format_is_named(tmp_path):
    train = {f"{n}.jpg": GOOD for n in range(20)}
    train["bad.jpg"] = [GOOD[0], {"predicate": 1}, relation(CAT, "on", DOG), relation(CAT, 1, [1, 2])]
    train["none.jpg"] = None
    check = check_dataset(str(write_dataset(tmp_path / "mine", train)), images=False)
    assert not check.usable
    assert {split: item.images for split, item in check.statistics.items()} == {
        "train": 19,  # bad.jpg with the one relationship that is of the format
        "validation": 2,
        "test": 1,
    }
    assert counts(check, UNUSABLE) == {
        "relationships in a wrong format": 1,
        "relationship in a wrong format": 3,
    }
    text = "\n".join(check.lines())
    assert "bad.jpg, relationship 1: no 'subject'" in text
    assert "bad.jpg, relationship 2: the predicate is 'on', not a whole number" in text
    assert check.lines()[-1].startswith("mine: NOT usable")


def test_broken_files(good):
    (good / "objects.json").write_text("[1]")
    (good / "annotations_train.json").write_text('{"a.jpg": [')
    (good / "test_image_metadata.json").unlink()
    check = check_dataset(str(good))
    assert counts(check, UNUSABLE) == {"a vocabulary cannot be used": 1, "a file cannot be used": 2}
    text = "\n".join(check.lines())
    assert "the file is cut off" in text and "no such file" in text and "not a JSON list of names" in text


def test_one_fault_hides_no_other(good, tmp_path):
    """A relationship of a wrong format stops the loader; images and numbers are looked at all the same."""
    train = json.loads((good / "annotations_train.json").read_text())
    train["05.jpg"].append({"predicate": 1})
    write_json(good / "annotations_train.json", train)
    (good / "images/00.jpg").unlink()
    (good / "images/01.jpg").write_bytes(b"no image")
    check = check_dataset(str(good))
    assert not check.usable and counts(check, UNUSABLE) == {"relationship in a wrong format": 1}
    assert counts(check, LEFT_OUT) == {"image is missing": 1, "image cannot be used": 1}
    assert check.images == {"train": (18, 2), "validation": (2, 0), "test": (1, 0)}
    assert check.statistics["train"].queries == 36 and set(check.statistics) == {
        "train",
        "validation",
        "test",
    }
    assert "only what can be read of train" in check.lines()
    assert counts(check, NOTE) == {"categories that are never used": 1, "predicates that are never used": 1}
    written = check.write(tmp_path / "report")
    assert written[-1].name == "statistics.png"


def test_a_file_that_is_cut_off_is_read_to_the_cut(good):
    (good / "images/03.jpg").unlink()
    (good / "images/19.jpg").unlink()
    path = good / "annotations_train.json"
    path.write_text(path.read_text().partition('"10.jpg"')[0])
    (good / "annotations_test.json").write_text("[]")
    check = check_dataset(str(good))
    assert counts(check, UNUSABLE) == {"a file cannot be used": 2}
    assert check.findings.count(LEFT_OUT, "image is missing") == 2  # the metadata names them all
    assert check.images["train"] == (18, 1) and check.images["validation"] == (2, 1)
    assert check.statistics["train"].images == 10 and set(check.statistics) == {"train"}
    assert "size of an image without annotations" not in counts(check, NOTE)


def test_without_names_or_sizes_the_rest_is_looked_at(good):
    train = json.loads((good / "annotations_train.json").read_text())
    train["05.jpg"] = [relation(CAT, "on", DOG)]
    write_json(good / "annotations_train.json", train)
    (good / "objects.json").write_text("[1]")
    (good / "predicates.json").unlink()
    (good / "test_image_metadata.json").write_text("{")
    (good / "images/t.jpg").write_bytes(b"no image")
    check = check_dataset(str(good))
    assert counts(check, UNUSABLE) == {
        "a vocabulary cannot be used": 2,
        "a file cannot be used": 1,
        "relationship in a wrong format": 1,
        "more than half of the images cannot be used": 1,
    }
    assert check.images == {"train": (18, 0), "validation": (2, 0), "test": (1, 1)}
    assert check.vocabulary.objects == ("category 0", "category 1")
    assert check.statistics["train"].categories.tolist() == [17, 17]


def test_what_the_loader_would_say_next_is_said_now(good):
    train = {f"{n}.jpg": [relation(CAT, 50, DOG)] for n in range(20)} | {"x.jpg": [{}], "y.jpg": GOOD}
    check = check_dataset(str(write_dataset(good, train)), images=False)
    assert counts(check, UNUSABLE)["relationship in a wrong format"] == 1
    assert counts(check, UNUSABLE)["more than half of the relationships are invalid"] == 1
    assert check.statistics["test"].images == 1


def test_more_than_half_makes_no_sense(tmp_path):
    train = {f"{n}.jpg": [relation(CAT, 50, DOG)] for n in range(20)}
    check = check_dataset(str(write_dataset(tmp_path / "mine", train)), images=False)
    assert counts(check, UNUSABLE)["the split cannot be loaded"] == 2
    assert check.findings.count(LEFT_OUT, "predicate out of range") == 20
    assert set(check.statistics) == {"test"}


def test_images(good):
    images = good / "images"
    (images / "00.jpg").unlink()
    (images / "01.jpg").write_bytes(b"no image")
    cv2.imwrite(str(images / "02.jpg"), np.zeros((10, 10, 3), np.uint8))
    check = check_dataset(str(good))
    assert check.usable and check.images["train"] == (18, 3)
    assert counts(check, LEFT_OUT) == {"image is missing": 1, "image cannot be used": 2}
    assert "02.jpg: the image is 10 x 10 pixels" in "\n".join(check.lines())
    assert check_dataset(str(good), sample=2).images["train"] == (2, 1)
    for path in images.iterdir():
        path.unlink()
    assert not check_dataset(str(good)).usable


def test_image_names_that_no_file_can_have(good):
    long = "a" * 300
    write_dataset(good, test={f"{long}.jpg": GOOD, f"{long}/b.jpg": GOOD, "c\0.jpg": GOOD, "t.jpg": GOOD})
    check = check_dataset(str(good))
    assert check.images["test"] == (4, 3) and counts(check, LEFT_OUT) == {"image is missing": 3}


def test_image_names_that_lead_out_of_the_folder(good):
    cv2.imwrite(str(good.parent / "secret.png"), np.full((80, 100, 3), 90, np.uint8))
    write_dataset(good, test={"../../secret.png": GOOD, "/dev/zero": GOOD, "t.jpg": GOOD})
    loaded = check_dataset(str(good))
    (good / "test_image_metadata.json").write_text("{")
    salvaged = check_dataset(str(good))
    assert loaded.usable and not salvaged.usable
    for check in (loaded, salvaged):
        assert check.images["test"] == (1, 0)
        assert counts(check, LEFT_OUT) == {"image name leads out of the folder": 2}
        assert "             ../../secret.png" in check.lines()
    assert loaded.statistics["test"].images == 1


def test_names(good):
    write_json(good / "objects.json", ["cat", "Cat", "bus ", "tree"])
    check = check_dataset(str(good), images=False)
    notes = counts(check, NOTE)
    assert notes["names that look alike"] == 1 and notes["name with odd spaces"] == 1


@pytest.mark.parametrize("name", ["a$^$", "$\\foo$", "\ud83d", "caf\udce9"])
def test_names_of_categories_that_are_no_formulas(good, tmp_path, name):
    write_json(good / "objects.json", [name, "$b$", "c", "d"])
    write_json(good / "predicates.json", ["on", name, "of"])
    check = check_dataset(str(good), images=False)
    assert check.write(tmp_path / "report")[-1].name == "statistics.png"


def test_statistics(tmp_path):
    other = mention(0, 60, 60, 80, 70)
    train = {"a.jpg": [relation(CAT, 1, DOG), relation(DOG, 0, other)], "b.jpg": [relation(BUS, 2, DOG)]}
    folder = write_dataset(tmp_path / "mine", train)
    found = statistics_of(load_dataset(str(folder), "trainval"))
    assert found.categories.tolist() == [2, 2, 1, 0] and found.predicates.tolist() == [1, 1, 1]
    assert found.ambiguous.tolist() == [1, 1, 0]
    summary = found.summary()
    assert summary["images"] == 2 and summary["entities"] == 5 and summary["queries"] == 3
    assert summary["ambiguous queries, %"] == 66.7 and summary["entities per image (most)"] == 3
    assert sorted(found.pixels.round(3).tolist()) == pytest.approx([14.142, 38.73, 38.73, 40, 79.373])
    mirrored = statistics_of(load_dataset(str(folder), "trainval", flip=True))
    assert mirrored.summary() == summary


def test_what_is_written(good, tmp_path):
    (good / "images" / "00.jpg").unlink()
    check = check_dataset(str(good))
    written = check.write(tmp_path / "report")
    names = ["report.txt", "problems.jsonl", "statistics.json", "statistics.png"]
    assert [path.name for path in written] == names
    cases = [json.loads(line) for line in written[1].read_text().splitlines()]
    assert cases[0]["reason"] and {case["level"] for case in cases} == {LEFT_OUT, NOTE}
    content = json.loads(written[2].read_text())
    assert content["train"]["by category"]["cat"] == 18
    assert content["train"]["by predicate"]["left of"] == {"queries": 18, "ambiguous": 0}
    picture = cv2.imread(str(written[3]))
    assert picture.shape == (1000, 1700, 3)
    for panel in (half for row in np.split(picture, 2) for half in np.array_split(row, 3, axis=1)):
        # Axes and texts are grey: what has a colour is what was counted.
        assert (np.ptp(panel.astype(int), axis=2) > 60).sum() > 1000


@needs_shared("data", "VRD")
def test_real_annotations():
    check = check_dataset("vrd", shared_path("data"), images=False)
    assert check.usable
    notes, left_out = counts(check, NOTE), counts(check, LEFT_OUT)
    assert notes["image without relationships"] == 220 + 45 and notes["image without queries"] == 2
    assert left_out == {"box outside the image": 1, "image without a size": 1}
    assert check.statistics["test"].queries == 6847


def call(*words, cwd):
    return run_program("check_dataset", *words, cwd=cwd)


def call_alone(*words, cwd, environment=None, stdout=subprocess.PIPE):
    """In a process of its own."""
    command = [sys.executable, str(ROOT / "tools/check_dataset.py"), *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)


def test_the_program(good, tmp_path):
    done = call(good, "--sample", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine: usable" in done.stdout and (tmp_path / "output/check/mine/statistics.png").is_file()
    (good / "predicates.json").write_text("{}")
    done = call(good, "--no-images", "--output", "elsewhere", cwd=tmp_path)
    assert done.returncode == 1 and "mine: NOT usable" in done.stdout and done.stderr == ""
    done = call("nowhere", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert call(good, "--sample", "-1", cwd=tmp_path).returncode == 2


def test_the_anchors_of_a_net(good):
    def said(*pairs):
        config = load_config([ROOT / "experiments/cfgs/mini.yml"], pairs)
        return check_dataset(str(good), images=False, net="mini", config=config).anchors

    train, validation, test, remedy = said("ANCHOR_SCALES", "[12]", "ANCHOR_RATIOS", "1")
    assert train == "mini: anchors reach 0.0% of the train boxes at IoU 0.5, 0.0% at 0.7"
    assert "of the validation boxes" in validation and "of the test boxes" in test
    assert "ANCHOR_SCALES auto ANCHOR_RATIOS auto would reach 100.0%" in remedy
    chosen, train, *_ = said("ANCHOR_SCALES", "auto", "ANCHOR_RATIOS", "auto:2")
    assert chosen.startswith("mini: ANCHOR_SCALES [") and " ANCHOR_RATIOS [" in chosen
    assert "reach 100.0% of the train boxes at IoU 0.5" in train
    pairs = [word for part in chosen.split("ANCHOR_")[1:] for word in f"ANCHOR_{part.strip()}".split(" ", 1)]
    assert said(*pairs)[0] == train


def test_anchors_are_in_the_report(good, tmp_path):
    done = call(good, "--no-images", "--net", "mini", "--set", "ANCHOR_SCALES", "[12]", cwd=tmp_path)
    assert done.returncode == 0 and "mini: anchors reach 0.0% of the train boxes" in done.stdout
    assert "mini: anchors reach" in (tmp_path / "output/check/mine/report.txt").read_text()


def test_a_net_whose_anchors_cannot_be_checked(good, tmp_path):
    for words in (("--net", "ss"), ("--net", "min"), ("--set", "ANCHOR_SCALES", "auto")):
        done = call(good, "--no-images", *words, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
    (good / "annotations_train.json").write_text("[]")
    done = call(good, "--no-images", "--net", "mini", "--set", "ANCHOR_SCALES", "auto", cwd=tmp_path)
    assert done.returncode == 1 and "mini: ANCHOR_SCALES auto: there are no boxes to train on" in done.stdout


def test_names_that_are_not_unicode(good, tmp_path):
    name = "caf\udce9.png"  # how Python reads a file's name that is Latin-1
    edge = mention(2, 50, 5, 130, 60)
    write_dataset(good, test={name: [relation(edge, 1, DOG)], "t.jpg": GOOD})
    cv2.imwrite(str(good / "images" / "other.png"), np.full((80, 100, 3), 90, np.uint8))
    os.rename(good / "images" / "other.png", good / "images" / name)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = call_alone(good, cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert (
        "caf\\udce9.png, relationship 0" in done.stdout and "test images read: 2, unusable: 0" in done.stdout
    )
    assert "caf\\udce9.png" in (tmp_path / "output/check/mine/report.txt").read_text()


def test_what_was_found_is_told_where_nothing_can_be_written(good, tmp_path):
    (tmp_path / "output").write_text("in the way")
    done = call(good, "--no-images", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "mine: usable" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that takes nothing")
def test_what_was_found_is_written_where_nothing_can_be_told(good, tmp_path):
    with open("/dev/full", "w") as full:
        done = call_alone(good, "--no-images", cwd=tmp_path, stdout=full)
    assert done.returncode != 0 and (tmp_path / "output/check/mine/statistics.png").is_file()


def test_an_unknown_data_set(tmp_path):
    with pytest.raises(UserError, match="unknown data set"):
        check_dataset("nowhere", tmp_path)
