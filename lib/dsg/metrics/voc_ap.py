"""PASCAL VOC's average precision, as its development kit and tf-faster-rcnn compute it: NumPy.

Boxes are x1 y1 x2 y2 in the kit's pixels, which start at 1 and include the last one: widths are x2 - x1 + 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsg.errors import UserError
from dsg.runtime.files import write_text

RECALLS_07 = np.arange(0.0, 1.1, 0.1)
"""Where the metric of 2007 reads the curve. As floats: a recall of exactly 0.3 does not reach the fourth."""


class ImageTruth(NamedTuple):
    """The objects of one class in one image."""

    boxes: np.ndarray  # [G, 4]
    difficult: np.ndarray  # bool [G]: neither a hit nor a miss counts


class Detections(NamedTuple):
    """What was found of one class, in any order."""

    images: Sequence[str]  # of each
    scores: np.ndarray  # [D]
    boxes: np.ndarray  # [D, 4]


class ClassResult(NamedTuple):
    """Precision by recall, after each detection from the best on, and the areas below."""

    recall: np.ndarray  # [D] float64; NaN if nothing is to be found
    precision: np.ndarray  # [D] float64
    ap: float  # the area; NaN with detections and nothing to be found
    ap_07: float  # the mean at eleven recalls


def evaluate_class(
    truth: Mapping[str, ImageTruth],
    detections: Detections,
    *,
    threshold: float = 0.5,
    use_difficult: bool = False,
) -> ClassResult:
    """Precision, recall and average precision of a class.

    By falling score (equal scores in the order given) each detection takes the object that it overlaps most,
    found before or not. It hits where their IoU is above `threshold`; hits of difficult objects count neither
    way, second hits of an object are false.

    Args:
        truth: the objects by image; images without entry have none.
        detections: of this class in all images.
        threshold: IoU that a hit exceeds.
        use_difficult: count difficult objects as others.
    """
    objects = {
        image: ImageTruth(np.asarray(boxes, np.float64), np.asarray(hard, bool) & (not use_difficult))
        for image, (boxes, hard) in truth.items()
    }
    used = {image: np.zeros(len(known.boxes), bool) for image, known in objects.items()}
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
    order = np.argsort(-np.asarray(detections.scores, np.float64), kind="stable")
    hits, misses = np.zeros(len(order)), np.zeros(len(order))
    for place, row in enumerate(order):
        image = detections.images[row]
        overlaps = _overlaps(objects[image].boxes, boxes[row]) if image in objects else np.zeros(0)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best < 0 or not overlaps[best] > threshold:
            misses[place] = 1
        elif not objects[image].difficult[best]:
            (misses if used[image][best] else hits)[place] = 1
            used[image][best] = True
    wanted = sum(int((~known.difficult).sum()) for known in objects.values())
    hits, misses = np.cumsum(hits), np.cumsum(misses)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hits / np.float64(wanted)
    precision = hits / np.maximum(hits + misses, np.finfo(np.float64).eps)
    return ClassResult(
        recall, precision, average_precision(recall, precision), average_precision_07(recall, precision)
    )


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area below the curve, each precision raised to the best at a higher recall."""
    steps = np.concatenate([[0.0], recall, [1.0]])
    best = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    rises = np.flatnonzero(steps[1:] != steps[:-1])
    return float(np.sum((steps[rises + 1] - steps[rises]) * best[rises + 1]))


def average_precision_07(recall: np.ndarray, precision: np.ndarray) -> float:
    """The mean of the best precision from each of eleven recalls on, as in 2007."""
    total = 0.0
    for threshold in RECALLS_07:
        reached = precision[recall >= threshold]
        total += (float(reached.max()) if len(reached) else 0.0) / len(RECALLS_07)
    return total


def _overlaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    inter = np.maximum(high - low + 1, 0).prod(1)
    area, others = (box[2:] - box[:2] + 1).prod(), (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    return inter / (area + others - inter)


def kit_boxes(boxes: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] whose width is x2 - x1, in pixels from 0, as the kit counts: from 1, the last pixel
    included.

    Example:
        >>> kit_boxes(np.array([0.0, 0.0, 500.0, 375.0]))
        array([  1.,   1., 500., 375.])
    """
    return boxes + np.array([1, 1, 0, 0], boxes.dtype)


def results_line(image: str, score: float, box: np.ndarray) -> str:
    """A line of a results file; `box` in pixels from 0, the last one included, as tf-faster-rcnn has them.

    Example:
        >>> results_line("000001", 0.9995, np.array([10.25, 20.5, 30.0, 40.0], np.float32))
        '000001 0.999 11.2 21.5 31.0 41.0'
    """
    corners = np.asarray(box, np.float32) + np.float32(1)
    return f"{image} {np.float32(score):.3f} " + " ".join(f"{corner:.1f}" for corner in corners)


def results_file(split: str, name: str) -> str:
    """The name of the development kit's results file for a class.

    Example:
        >>> results_file("test", "dog")
        'comp4_det_test_dog.txt'
    """
    return f"comp4_det_{split}_{name}.txt"


def write_results(path: Path, detections: Detections) -> None:
    """A results file of the development kit for a class; boxes as `results_line` takes them.

    Raises:
        UserError: it cannot be written.
    """
    lines = (results_line(*row) for row in zip(detections.images, detections.scores, detections.boxes))
    write_text(path, "".join(f"{line}\n" for line in lines), make_folder=True)


def read_results(path: Path) -> Detections:
    """The detections in a results file, boxes in the kit's pixels.

    Raises:
        UserError: it cannot be read, or a line is not `image score x1 y1 x2 y2`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read it ({error})") from error
    images, numbers = [], []
    for count, line in enumerate(lines, 1):
        image, *rest = line.split() or [""]
        try:
            values = [float(word) for word in rest]
        except ValueError:
            values = []
        if len(values) != 5 or not np.isfinite(values).all():
            raise UserError(f"{path}, line {count}: not `image score x1 y1 x2 y2`; write it again")
        images.append(image)
        numbers.append(values)
    table = np.array(numbers, np.float64).reshape(-1, 5)
    return Detections(images, table[:, 0], table[:, 1:])
