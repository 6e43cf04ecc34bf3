"""COCO's average precision of boxes and masks, from plain arrays, computed by COCO's own code."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dsg.runtime.cocotools import cocotools

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""The twelve numbers, in the library's order: by IoU, by size, and recall by detections an image."""
ABSENT = -1.0  # the library's figure if nothing is to be found

RunLengths = Mapping[str, Any]


class Objects(NamedTuple):
    """The ground truth of an image."""

    boxes: np.ndarray  # [G, 4] x1 y1 x2 y2; widths without +1
    classes: np.ndarray  # int [G]
    crowd: np.ndarray | None = None  # bool [G]: regions in which detections count neither way
    areas: np.ndarray | None = None  # [G] pixels, by which objects are small or large; None: of the boxes
    masks: Sequence[np.ndarray | RunLengths] | None = None  # bool [H, W], or run lengths in COCO's text


class Found(NamedTuple):
    """The detections in an image, in any order."""

    boxes: np.ndarray  # [D, 4]
    classes: np.ndarray  # int [D]
    scores: np.ndarray  # [D]
    masks: Sequence[np.ndarray | RunLengths] | None = None


class CocoResult(NamedTuple):
    """What COCO reports; NaN where there is nothing to be found."""

    figures: dict[str, float]  # by NAMES
    by_class: dict[int, float]  # AP


def coco_ap(truth: Sequence[Objects], detections: Sequence[Found], *, masks: bool = False) -> CocoResult:
    """COCO's figures for images with their ground truth and their detections, in the same order.

    Args:
        truth: of each image.
        detections: of each image.
        masks: compare masks instead of boxes; all objects and detections then have one.

    Raises:
        UserError: pycocotools is not installed.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # the library prints as it goes
        reference = _reference(truth, masks)
        evaluation = cocotools("cocoeval").COCOeval(reference, iouType="segm" if masks else "bbox")
        evaluation.cocoDt = _dataset([*map(_image, range(len(truth)))], reference, detections, masks)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # precision: [IoU thresholds, recalls, classes, sizes, limits of detections]
    curves = evaluation.eval["precision"][:, :, :, 0, -1]
    by_class = {
        int(number): _figure(curves[:, :, place][curves[:, :, place] > ABSENT].mean())
        if (curves[:, :, place] > ABSENT).any()
        else float("nan")
        for place, number in enumerate(evaluation.params.catIds)
    }
    return CocoResult({name: _figure(value) for name, value in zip(NAMES, evaluation.stats)}, by_class)


def _figure(value: float) -> float:
    return float("nan") if value == ABSENT else float(value)


def _image(number: int) -> dict[str, int]:
    return {"id": number, "height": 0, "width": 0}  # asked for, not used: run lengths state their size


def _reference(truth: Sequence[Objects], masks: bool) -> Any:
    annotations = []
    for image, objects in enumerate(truth):
        boxes = _corner_and_size(objects.boxes)
        areas = boxes[:, 2] * boxes[:, 3] if objects.areas is None else np.asarray(objects.areas)
        crowd = np.zeros(len(boxes), bool) if objects.crowd is None else np.asarray(objects.crowd)
        for row, box in enumerate(boxes):
            annotation = {
                "image_id": image,
                "category_id": int(objects.classes[row]),
                "bbox": box.tolist(),
                "area": float(areas[row]),
                "iscrowd": int(crowd[row]),
            }
            if masks:
                annotation["segmentation"] = _runs(objects.masks, row)
            annotations.append(annotation)
    classes = sorted({annotation["category_id"] for annotation in annotations})
    return _indexed([*map(_image, range(len(truth)))], annotations, classes)


def _dataset(images: list[dict[str, int]], reference: Any, detections: Sequence[Found], masks: bool) -> Any:
    annotations = []
    for image, found in enumerate(detections):
        boxes = _corner_and_size(found.boxes)
        for row, box in enumerate(boxes):
            annotation = {
                "image_id": image,
                "category_id": int(found.classes[row]),
                "bbox": box.tolist(),
                "score": float(found.scores[row]),
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
            }
            if masks:
                annotation["segmentation"] = _runs(found.masks, row)
                annotation["area"] = float(cocotools("mask").area(annotation["segmentation"]))
            annotations.append(annotation)
    return _indexed(images, annotations, reference.getCatIds())


def _indexed(images: list[dict[str, int]], annotations: list[dict[str, Any]], classes: list[int]) -> Any:
    data = cocotools("coco").COCO()
    for number, annotation in enumerate(annotations, 1):  # 0 would mean: without match
        annotation["id"] = number
    data.dataset = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": str(number)} for number in classes],
    }
    data.createIndex()
    return data


def _corner_and_size(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def _runs(masks: Sequence[np.ndarray | RunLengths] | None, row: int) -> Any:
    if masks is None:
        raise ValueError("masks are to be compared, but there are none")
    mask = masks[row]
    return (
        cocotools("mask").encode(np.asfortranarray(mask, np.uint8)) if isinstance(mask, np.ndarray) else mask
    )
