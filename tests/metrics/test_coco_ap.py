"""COCO's average precision: a case worked by hand, and the library's own way on files."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from dsg.metrics.coco_ap import NAMES, Found, Objects, coco_ap

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
SIZE = 60


def square(box: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    x1, y1, x2, y2 = np.round(box).astype(int)
    mask[y1:y2, x1:x2] = True
    return mask


def test_by_hand() -> None:
    """Two objects; the best detection hits one exactly, the next nothing, the last the other at IoU 0.81."""
    truth = [Objects(np.array([[0, 0, 10, 10], [20, 20, 30, 30.0]]), np.array([1, 1]))]
    boxes = np.array([[0, 0, 10, 10], [40, 40, 50, 50], [20, 20, 29, 29.0]])
    result = coco_ap(truth, [Found(boxes, np.array([1, 1, 1]), np.array([0.9, 0.8, 0.7]))])
    both = (51 + 50 * 2 / 3) / 101  # recall 0.5 at precision 1, recall 1 at 2/3
    one = 51 / 101
    assert result.figures["AP50"] == pytest.approx(both) and result.figures["AP75"] == pytest.approx(both)
    assert result.figures["AP"] == pytest.approx((7 * both + 3 * one) / 10)  # 0.5 to 0.8 and 0.85 to 0.95
    assert result.by_class == {1: pytest.approx(result.figures["AP"])}
    assert result.figures["AR1"] == 0.5 and np.isnan(result.figures["APl"])


def test_crowds_count_neither_way() -> None:
    truth = [
        Objects(np.array([[0, 0, 10, 10], [20, 20, 50, 50.0]]), np.array([1, 1]), np.array([False, True]))
    ]
    boxes = np.array([[0, 0, 10, 10], [25, 25, 35, 35], [30, 30, 40, 40.0]])
    result = coco_ap(truth, [Found(boxes, np.ones(3, int), np.array([0.7, 0.8, 0.9]))])
    assert result.figures["AP"] == pytest.approx(1.0)


def random_case(seed: int) -> tuple[list[Objects], list[Found]]:
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(6):
        count = int(rng.integers(0, 6))
        low = rng.uniform(0, 30, (count, 2))
        boxes = np.round(np.concatenate([low, low + rng.uniform(4, 25, (count, 2))], 1))
        classes = rng.integers(1, 4, count)
        crowd = rng.random(count) < 0.15
        truth.append(Objects(boxes, classes, crowd, masks=[square(box) for box in boxes]))
        guesses = np.clip(np.round(np.repeat(boxes, 2, 0) + rng.normal(0, 2, (2 * count, 4))), 0, SIZE)
        guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2] + 1)
        labels = np.where(rng.random(2 * count) < 0.9, np.repeat(classes, 2), 1)
        found.append(Found(guesses, labels, rng.random(2 * count), [square(box) for box in guesses]))
    return truth, found


def by_files(truth: list[Objects], found: list[Found], kind: str, folder: Path) -> np.ndarray:
    """The library's figures by its own road: an annotation file and a results file."""
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def runs(pixels: np.ndarray) -> dict:
        encoded = mask.encode(np.asfortranarray(pixels, np.uint8))
        return {"size": encoded["size"], "counts": encoded["counts"].decode()}

    def corner(box: np.ndarray) -> list[float]:
        return [*box[:2], *(box[2:] - box[:2])]

    annotations, results = [], []
    for image, (objects, guesses) in enumerate(zip(truth, found)):
        for box, number, crowd, pixels in zip(objects.boxes, objects.classes, objects.crowd, objects.masks):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(number),
                    "bbox": corner(box),
                    "area": float(np.prod(box[2:] - box[:2])),
                    "iscrowd": int(crowd),
                    "segmentation": runs(pixels),
                }
            )
        for box, number, score, pixels in zip(guesses.boxes, guesses.classes, guesses.scores, guesses.masks):
            results.append({"image_id": image, "category_id": int(number), "score": float(score)})
            results[-1].update({"segmentation": runs(pixels)} if kind == "segm" else {"bbox": corner(box)})
    categories = [
        {"id": number, "name": str(number)} for number in sorted({a["category_id"] for a in annotations})
    ]
    images = [{"id": image, "height": SIZE, "width": SIZE} for image in range(len(truth))]
    file, results_file = folder / "truth.json", folder / "results.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    results_file.write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(str(file))
        evaluation = COCOeval(reference, reference.loadRes(str(results_file)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_the_librarys(kind: str, seed: int, tmp_path: Path) -> None:
    truth, found = random_case(seed)
    result = coco_ap(truth, found, masks=kind == "segm")
    wanted = by_files(truth, found, kind, tmp_path)
    assert np.array_equal(
        [result.figures[name] for name in NAMES], np.where(wanted == -1, np.nan, wanted), equal_nan=True
    )
    assert np.nanmean(list(result.by_class.values())) == pytest.approx(result.figures["AP"])


def test_nothing_found_and_nothing_to_find() -> None:
    none = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    truth = Objects(np.array([[0, 0, 10, 10.0]]), np.array([3]))
    assert coco_ap([truth], [none]).figures["AP"] == 0
    nothing = Objects(np.zeros((0, 4)), np.zeros(0, int))
    assert np.isnan(coco_ap([nothing], [none]).figures["AP"])
    with pytest.raises(ValueError, match="there are none"):
        coco_ap([truth], [none], masks=True)
