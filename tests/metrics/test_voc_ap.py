"""PASCAL VOC's average precision against the development kit's rules as measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dsg.errors import UserError
from dsg.metrics.voc_ap import (
    RECALLS_07,
    ClassResult,
    Detections,
    ImageTruth,
    average_precision,
    average_precision_07,
    evaluate_class,
    read_results,
    results_line,
    write_results,
)
from tests.golden import FOLDER, golden

INPUT = json.loads((FOLDER / "voc_eval_input.json").read_text())
WANTED = golden("voc_eval")
CASES = [(run, name) for run in INPUT["runs"] for name in INPUT["detections"]]


def evaluate(name: str, **settings: object) -> ClassResult:
    truth = {}
    for image, objects in INPUT["annotations"].items():
        own = [thing for thing in objects if thing["name"] == name]
        boxes = np.array([thing["bbox"] for thing in own]).reshape(-1, 4)
        truth[image] = ImageTruth(boxes, np.array([thing["difficult"] for thing in own], bool))
    rows = INPUT["detections"][name]
    detections = Detections(
        [row[0] for row in rows], np.array([row[1] for row in rows]), np.array([row[2:] for row in rows])
    )
    return evaluate_class(truth, detections, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("run", "name"), CASES)
def test_every_class_of_every_run(run: str, name: str) -> None:
    settings = INPUT["runs"][run]
    result = evaluate(name, threshold=settings["ovthresh"], use_difficult=settings["use_diff"])
    for key, value in (
        ("rec", result.recall),
        ("prec", result.precision),
        ("ap", result.ap),
        ("ap_07", result.ap_07),
    ):
        np.testing.assert_allclose(value, WANTED[f"{run}/{name}/{key}"], rtol=0, atol=1e-12)


def test_the_area_alone() -> None:
    assert np.array_equal(RECALLS_07, WANTED["thresholds_07"])
    for case in range(6):
        recall, precision = WANTED[f"voc_ap/{case}/rec"], WANTED[f"voc_ap/{case}/prec"]
        for function, key in ((average_precision, "ap"), (average_precision_07, "ap_07")):
            np.testing.assert_allclose(
                function(recall, precision), WANTED[f"voc_ap/{case}/{key}"], atol=1e-12
            )


def test_by_hand() -> None:
    truth = {"a": ImageTruth(np.array([[1, 1, 10, 10], [21, 1, 30, 10]]), np.array([False, False]))}
    boxes = np.array([[1, 1, 10, 10], [50, 50, 60, 60], [21, 1, 30, 10]])
    result = evaluate_class(truth, Detections(["a", "b", "a"], np.array([0.9, 0.8, 0.7]), boxes))
    assert np.allclose(result.recall, [0.5, 0.5, 1]) and np.allclose(result.precision, [1, 0.5, 2 / 3])
    assert result.ap == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert result.ap_07 == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_results_files_are_the_kits(tmp_path: Path) -> None:
    case = INPUT["results_file"]
    for name, images in case["dets"].items():
        rows = [(image, row) for image, found in images.items() for row in found]
        lines = [results_line(image, row[4], np.array(row[:4])) for image, row in rows]
        assert lines == case["lines"][name]
        path = tmp_path / f"{name}.txt"
        write_results(
            path,
            Detections(*zip(*((i, r[4], np.array(r[:4])) for i, r in rows))),  # type: ignore[arg-type]
        )
        assert path.read_text().splitlines() == lines
        read = read_results(path)
        assert list(read.images) == [image for image, _ in rows]
        assert np.allclose(read.boxes - 1, [row[:4] for _, row in rows], atol=0.06)


def test_bad_results_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "dog.txt"
    with pytest.raises(UserError, match="cannot read"):
        read_results(path)
    for content in ("a 0.5 1 1 2\n", "a 0.5 1 1 2 nan\n", "a 0.5 1 x 2 2\n", "a 0.5 1 1 2 2\n\n"):
        path.write_text(content)
        with pytest.raises(UserError, match=r"dog\.txt, line \d: not"):
            read_results(path)
    path.write_text("")
    assert len(read_results(path).scores) == 0
