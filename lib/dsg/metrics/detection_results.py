"""What an evaluation of detections found: COCO's and VOC's average precision, per class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.metrics.coco_ap import CocoResult, Found, Objects, coco_ap
from dsg.metrics.report import aligned
from dsg.metrics.voc_ap import Detections, ImageTruth, evaluate_class, kit_boxes

COCO, VOC = "coco", "voc"
HEADLINE = (("AP", "ap"), ("AP50", "ap_50"), ("AP75", "ap_75"), ("mask AP", "mask_ap"), ("VOC AP", "voc_ap"))
FIGURES = {"AP": "ap", "AP50": "ap_50", "AP75": "ap_75", "AR100": "ar_100"}
"""COCO's figures by their keys in `DetectionResults.summary`."""


@dataclass(frozen=True)
class ClassFigures:
    """Average precision of a class; nan where it has no objects, COCO's also where that was not measured."""

    name: str
    objects: int
    ap: float
    mask_ap: float
    voc_ap: float
    voc_ap_07: float


@dataclass(frozen=True)
class DetectionResults:
    """The outcome of an evaluation of detections."""

    metric: str  # COCO or VOC: what `score` is
    images: int
    classes: tuple[ClassFigures, ...]
    boxes: CocoResult | None  # None where pycocotools is not installed and not needed
    masks: CocoResult | None  # None without masks
    skipped: dict[str, str] = field(default_factory=dict)  # image name -> why it was not evaluated
    compared: tuple[ImageTruthAndFound, ...] = ()  # of what the figures are

    @property
    def objects(self) -> int:
        """The number of objects that count."""
        return sum(one.objects for one in self.classes)

    @property
    def score(self) -> float:
        """What snapshots are compared by: VOC's average precision, or COCO's of boxes, and the mean of that
        of boxes and of masks where there are masks; nan without any object.
        """
        if self.metric == VOC:
            return self.voc_ap
        assert self.boxes is not None
        parts = [self.boxes.figures["AP"]] + ([self.masks.figures["AP"]] if self.masks else [])
        return float(np.mean(parts))

    @property
    def voc_ap(self) -> float:
        """VOC's average precision from 2010 on, the area below the curve, mean over classes."""
        return _mean([one.voc_ap for one in self.classes])

    @property
    def voc_ap_07(self) -> float:
        """VOC's average precision of 2007, at eleven recalls, mean over classes."""
        return _mean([one.voc_ap_07 for one in self.classes])

    def summary(self) -> dict[str, float]:
        """The headline figures by name; those without data are left out."""
        figures: dict[str, float] = {"images": self.images, "objects": self.objects}
        for prefix, result in (("", self.boxes), ("mask_", self.masks)):
            if result is not None:
                figures.update({f"{prefix}{key}": result.figures[name] for name, key in FIGURES.items()})
        figures.update(voc_ap=self.voc_ap, voc_ap_07=self.voc_ap_07)
        return {key: value for key, value in figures.items() if not math.isnan(value)}

    def headline(self) -> str:
        """The most important figures of `summary`, for one line of a log."""
        figures = self.summary()
        return "  ".join(f"{label} {figures[key]:.4f}" for label, key in HEADLINE if key in figures)

    def table(self) -> str:
        """The figures as text: of all, then of each class that has objects."""
        lines = [f"{self.images} images, {len(self.skipped)} skipped, {self.objects} objects", ""]
        for title, result in (("boxes", self.boxes), ("masks", self.masks)):
            if result is not None:
                figures = "  ".join(f"{name} {_text(value)}" for name, value in result.figures.items())
                lines.append(f"COCO, {title}:  {figures}")
        lines += [f"VOC:  AP {_text(self.voc_ap)}  AP of 2007 {_text(self.voc_ap_07)}", ""]
        columns = [("objects", "objects"), ("AP", "ap"), ("mask AP", "mask_ap")]
        columns += [("VOC AP", "voc_ap"), ("VOC 2007", "voc_ap_07")]
        if self.boxes is None:
            columns = [column for column in columns if column[1] != "ap"]
        if self.masks is None:
            columns = [column for column in columns if column[1] != "mask_ap"]
        rows = [("", *(title for title, _ in columns))]
        for one in self.classes:
            if one.objects:
                rows.append((one.name, *(_text(getattr(one, key)) for _, key in columns)))
        return "\n".join([*lines, *aligned(rows)]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for `json.dump`; undefined figures are None."""
        return {
            "images": self.images,
            "objects": self.objects,
            "skipped": dict(self.skipped),
            "score": _number(self.score),
            "metric": self.metric,
            "coco": {
                name: {key: _number(value) for key, value in result.figures.items()}
                for name, result in (("boxes", self.boxes), ("masks", self.masks))
                if result is not None
            },
            "voc": {"ap": _number(self.voc_ap), "ap_07": _number(self.voc_ap_07)},
            "classes": {
                one.name: {
                    "objects": one.objects,
                    **{key: _number(getattr(one, key)) for key in ("ap", "mask_ap", "voc_ap", "voc_ap_07")},
                }
                for one in self.classes
            },
        }


@dataclass(frozen=True)
class ImageTruthAndFound:
    """An image's objects and detections; boxes in pixels of the original image, whose width is x2 - x1."""

    name: str
    truth: Objects
    difficult: np.ndarray  # bool [G]: neither a hit nor a miss counts for VOC
    found: Found


class DetectionEvaluator:
    """Collects images, then measures.

    Args:
        classes: names by number, from 1 on.
        metric: COCO or VOC.
        masks: also compare masks.
    """

    def __init__(self, classes: tuple[str, ...], *, metric: str = COCO, masks: bool = False) -> None:
        self._classes, self._metric, self._masks = classes, metric, masks
        self._images: list[ImageTruthAndFound] = []
        self._skipped: dict[str, str] = {}

    def add_image(self, image: ImageTruthAndFound) -> None:
        """Adds an image, whose name is not yet there."""
        self._images.append(image)

    def skip(self, name: str, reason: str) -> None:
        """Notes an image that cannot be evaluated."""
        self._skipped[name] = reason

    def results(self, *, coco: bool = True) -> DetectionResults:
        """All figures; COCO's, which need pycocotools, only with `coco`.

        Raises:
            UserError: pycocotools is needed and not installed.
        """
        truth, found = [image.truth for image in self._images], [image.found for image in self._images]
        some = any(len(objects.classes) for objects in truth)
        boxes = coco_ap(truth, found) if coco and some else None
        masks = coco_ap(truth, found, masks=True) if coco and some and self._masks else None
        classes = tuple(self._class(number, boxes, masks) for number in range(1, len(self._classes) + 1))
        if coco and not some:
            boxes = CocoResult({name: math.nan for name in FIGURES}, {})
        return DetectionResults(
            *(self._metric, len(self._images), classes, boxes, masks, self._skipped), tuple(self._images)
        )

    def _class(self, number: int, boxes: CocoResult | None, masks: CocoResult | None) -> ClassFigures:
        truth, rows, count = {}, [], 0
        for image in self._images:
            own = np.asarray(image.truth.classes) == number
            if own.any():
                truth[image.name] = ImageTruth(kit_boxes(image.truth.boxes[own]), image.difficult[own])
                count += int((~image.difficult[own]).sum())
            chosen = np.asarray(image.found.classes) == number
            rows.append((image.name, image.found.scores[chosen], image.found.boxes[chosen]))
        detections = Detections(
            [name for name, scores, _ in rows for _ in scores],
            np.concatenate([scores for _, scores, _ in rows]) if rows else np.zeros(0),
            kit_boxes(np.concatenate([boxes for *_, boxes in rows])) if rows else np.zeros((0, 4)),
        )
        voc = evaluate_class(truth, detections) if count else None
        return ClassFigures(
            *(self._classes[number - 1], count, _of_class(boxes, number), _of_class(masks, number)),
            voc_ap=voc.ap if voc else math.nan,
            voc_ap_07=voc.ap_07 if voc else math.nan,
        )


def _of_class(result: CocoResult | None, number: int) -> float:
    return math.nan if result is None else result.by_class.get(number, math.nan)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _text(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return "-" if math.isnan(value) else f"{value:.3f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
