"""A data set for detection with faults: what is left out, what is odd, what stops a run; and the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsg.apps.checks.detection import check_instances
from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE
from dsg.apps.checks.report import Check
from dsg.datasets.formats.segmentations import encode
from tests.datasets.instance_files import coco_document, voc_annotation, write_coco, write_voc
from tests.programs import run_program
from tests.shared import needs_shared, shared_path

SQUARE = [[1, 2, 31, 2, 31, 22, 1, 22]]


def counts(check: Check, level: str) -> dict[str, int]:
    return {reason: check.findings.count(level, reason) for reason in check.findings.reasons(level)}


def with_images(folder: Path, count: int = 12) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    for number in range(1, count):
        cv2.imwrite(str(folder / "images" / f"{number:04}.png"), np.zeros((50, 60, 3), np.uint8))
    return folder


def documents(**changes: Any) -> dict[str, Any]:
    return {
        "train": coco_document(8, segmentation=SQUARE, **changes),
        "test": coco_document(2, first=9, segmentation=SQUARE),
    }


def test_a_good_one(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    check = check_instances(str(with_images(write_coco(tmp_path / "mine", documents()))))
    assert check.usable and not counts(check, LEFT_OUT) and not counts(check, NOTE)
    assert check.images == {"train": (7, 0), "validation": (1, 0), "test": (2, 0)}
    assert {split: item.summary()["objects"] for split, item in check.statistics.items()} == {
        "train": 14,
        "validation": 2,
        "test": 4,
    }
    train = check.statistics["train"].summary()
    assert train["objects with a mask, %"] == 50.0 and train["categories used"] == 2
    assert train["small objects (below 32 pixels), %"] == 100.0
    assert check.lines()[-1] == "mine: usable"


def test_all_problems_at_once(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    files = documents()
    objects = files["train"]["annotations"]
    objects[0]["segmentation"] = {"size": [60, 50], "counts": [3000]}
    objects[2]["segmentation"] = [[1, 1, 5, 5]]
    objects[4]["category_id"] = 99
    objects[6]["bbox"] = [70, 70, 5, 5]
    objects[8]["bbox"] = [20, 20, 30, 20]
    objects[9]["segmentation"] = encode(np.zeros((50, 60), bool))
    files["train"]["images"].append({"id": 50, "file_name": "0000.png", "width": 60, "height": 50})
    files["train"]["categories"].append({"id": 100, "name": "newt"})
    files["test"]["categories"].append({"id": 100, "name": "newt"})
    files["test"]["images"][0]["file_name"] = "0001.png"
    files["test"]["annotations"][0]["category_id"] = 100
    folder = with_images(write_coco(tmp_path / "mine", files))
    (folder / "images" / "0002.png").write_bytes(b"no image")
    cv2.imwrite(str(folder / "images" / "0003.png"), np.zeros((9, 9, 3), np.uint8))
    (folder / "images" / "0010.png").unlink()
    check = check_instances(str(folder))
    assert check.usable
    assert counts(check, LEFT_OUT) == {
        "object with a bad segmentation": 2,
        "object of an unknown category": 1,
        "object without a box in its image": 1,
        "image cannot be used": 2,
        "image is missing": 1,
    }
    assert counts(check, NOTE) == {
        "image without an object to learn from": 1,
        "image that is also in train": 1,
        "categories of test that are not in train": 1,
        "mask that does not fill its box": 1,
        "mask without a pixel": 1,
    }
    text = "\n".join(check.lines())
    assert "a polygon of 2 points; it needs 3" in text
    assert "run lengths of size [60, 50], the image is [50, 60]" in text
    assert "0003.png: the image is 9 x 9 pixels, its metadata says 60 x 50" in text


def test_what_stops_a_run(tmp_path: Path) -> None:
    files = documents()
    files["test"]["categories"][0]["name"] = "hawk"
    check = check_instances(str(write_coco(tmp_path / "mine", files)))
    assert not check.usable
    assert counts(check, UNUSABLE) == {
        "other categories": 1,
        "more than half of the images cannot be used": 3,
    }
    assert "than train: 2: hawk, owl" in "\n".join(check.lines())
    (tmp_path / "mine" / "annotations" / "instances_test.json").write_text("{")
    check = check_instances(str(tmp_path / "mine"), images=False)
    assert counts(check, UNUSABLE) == {"the split cannot be loaded": 1}


def test_vocs_layout(tmp_path: Path) -> None:
    names = [f"{number:04}" for number in range(1, 12)]
    folder = with_images(write_voc(tmp_path / "mine", {"trainval": names, "test": ["0005"]}, ["owl"]))
    (folder / "Annotations" / "0002.xml").write_text(voc_annotation([], size=""))
    check = check_instances(str(folder), sample=3)
    assert counts(check, LEFT_OUT) == {"annotation without size": 1}
    assert counts(check, NOTE) == {"image that is also in train": 1}
    assert check.images["train"] == (3, 0)


def test_the_program(tmp_path: Path) -> None:
    folder = with_images(write_coco(tmp_path / "mine", documents()))
    done = run_program("check_dataset", folder, "--net", "detector_mini", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "detector_mini: anchors reach" in done.stdout and "mine: usable" in done.stdout
    output = tmp_path / "output" / "check" / "mine"
    assert {path.name for path in output.iterdir()} == {
        "report.txt",
        "problems.jsonl",
        "statistics.json",
        "statistics.png",
    }
    statistics = json.loads((output / "statistics.json").read_text())
    assert statistics["train"]["by category"] == {"cat": 7, "owl": 7}
    (folder / "annotations" / "instances_train.json").write_text("[]")
    assert run_program("check_dataset", folder, "--no-images", cwd=tmp_path).returncode == 1
    missing = run_program("check_dataset", "coco", cwd=tmp_path)
    assert (
        missing.returncode == 2 and missing.stderr.count("\n") == 1 and "'coco' is missing" in missing.stderr
    )


@needs_shared("data", "coco")
def test_real_annotations() -> None:
    check = check_instances("coco", shared_path("data"), images=False)
    assert check.usable and not counts(check, LEFT_OUT)
    assert sum(item.summary()["objects"] for item in check.statistics.values()) == 769
