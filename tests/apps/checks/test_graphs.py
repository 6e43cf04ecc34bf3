"""A data set of scene graphs with faults: what is noted, what stops a run; and the program."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE
from dsg.apps.checks.graphs import check_graphs
from dsg.apps.checks.report import Check
from tests.datasets.instance_files import coco_document, write_coco
from tests.datasets.test_scene_graphs import write_graphs
from tests.programs import run_program

SQUARE = [[1, 2, 31, 2, 31, 22, 1, 22]]


def counts(check: Check, level: str) -> dict[str, int]:
    return {reason: check.findings.count(level, reason) for reason in check.findings.reasons(level)}


def with_masks(folder: Path, widths: tuple[int, int] = (5, 5)) -> Path:
    masks = {
        "train": coco_document(10, segmentation=SQUARE),
        "val": coco_document(2, first=20, segmentation=SQUARE),
    }
    write_coco(folder / "auxiliary", masks)
    (folder / "embeddings").mkdir()
    for name, width in zip(("glove_mean_vg", "glove_mean_coco"), widths):
        np.save(folder / "embeddings" / f"{name}.npy", np.ones((2, width), np.float32))
    return folder


def test_a_good_one(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    check = check_graphs(str(with_masks(write_graphs(tmp_path / "own"))), images=False)
    assert check.usable and not counts(check, LEFT_OUT)
    # the objects of the small square that is the cat's mask do not fill its box; "on" is only in the test
    assert set(counts(check, NOTE)) == {"predicates that are not in train"}
    train = check.statistics["train"].summary()
    assert (train["images"], train["objects"], train["relations"]) == (10, 20, 10)
    assert train["relations of the most frequent fifth of predicates, %"] == 100.0
    assert check.lines()[-1] == "own: usable"


def test_all_problems_at_once(tmp_path: Path) -> None:
    folder = write_graphs(tmp_path / "own", test_boxes=50)
    with h5py.File(folder / "VG-SGG.h5", "r+") as file:
        boxes, last = file["boxes_1024"], file["img_to_last_box"]
        boxes[4], boxes[6] = [-300, 200, 100, 100], [200, 200, 0, 50]
        file["relationships"][7] = [14, 14]
        file["img_to_first_rel"][9] = file["img_to_last_rel"][9] = -1
        last[9] -= 1
        file["img_to_first_rel"][10] = file["img_to_last_rel"][10] = -1
        file["img_to_first_box"][10] = last[10] = -1
    check = check_graphs(str(folder), images=False)
    assert counts(check, LEFT_OUT) == {
        "image with more than 40 objects (GROUNDING.MOST_BOXES)": 1,
        "image with no objects": 1,
    }
    notes = counts(check, NOTE)
    assert notes.pop("no masks to learn from") == 1 and notes.pop("predicates that are not in train") == 1
    assert notes.pop("no word vectors: masks cannot be transferred") == 1
    assert notes == {
        "box outside its image": 1,
        "box without an area": 1,
        "relation of an object with itself": 1,
        "image without relations: only the detector learns from it": 1,
        "image with one object, which has no pair": 1,
    }


def test_what_stops_a_run_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    folder = with_masks(write_graphs(tmp_path / "own"), widths=(5, 4))
    dictionary = json.loads((folder / "VG-SGG-dicts.json").read_text())
    check = check_graphs(str(folder), images=False)
    assert counts(check, UNUSABLE) == {"word vectors of different widths": 1}
    dictionary["label_to_idx"] = {"cat": 1}
    (folder / "VG-SGG-dicts.json").write_text(json.dumps(dictionary))
    done = run_program("check_dataset", folder, "--no-images", cwd=tmp_path)
    assert done.returncode == 1
    assert "labels[1] is 2, VG-SGG-dicts.json has 1 to 1; the two files must be of one release" in done.stdout
    assert "own: NOT usable" in done.stdout
