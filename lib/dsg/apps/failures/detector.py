"""Looking for the failures of a detector on a split."""

from __future__ import annotations

import dataclasses
import heapq
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.apps.failures.objects import MISSED, ImageOutcome, image_outcome
from dsg.apps.failures.objects_report import NamedFailure, ObjectReport, WorstImage
from dsg.config import Config
from dsg.datasets import Dataset
from dsg.datasets.detection import InstanceDataset
from dsg.metrics.detection_results import VOC
from dsg.models.detector.evaluate import Examined, evaluate
from dsg.models.detector.pictures import SHOWN_SCORE, read_pixels, truth_beside
from dsg.models.detector.predictions import DetectorPredictor
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")
WORST = 20  # images that are drawn


class Failed(NamedTuple):
    """An image and what went wrong in it."""

    image: Examined
    outcome: ImageOutcome


def find_object_failures(
    model: Any,
    config: Config,
    data: Dataset,
    *,
    about: str,
    score: float = SHOWN_SCORE,
    on: float = 0.5,
    worst: int = WORST,
) -> tuple[ObjectReport, list[Failed]]:
    """Every failure of a detector on a split, and the `worst` images, with the most failures, those first.

    Args:
        model: a `Detector`, which from here on only answers.
        config: TEST.*, DATA.WORKERS.
        data: the split, of instances.
        about: names the snapshot and split.
        score: detections below do not count.
        on: IoU from which a detection is on an object.
        worst: images that are kept, to be drawn.
    """
    classes = data.vocabulary.objects
    found: list[NamedFailure] = []
    kept: list[tuple[int, int, Failed]] = []  # a heap, the image with the fewest failures first
    totals = np.zeros(2, np.int64)  # right detections, objects

    def observe(image: Examined) -> None:
        outcome = image_outcome(image.record, image.detected, score=score, on=on)
        totals[:] += outcome.right, outcome.objects
        found.extend(in_words(Failed(image, outcome), classes))
        if outcome.failures:
            heapq.heappush(kept, (len(outcome.failures), -image.index, Failed(image, outcome)))
            if len(kept) > worst:
                heapq.heappop(kept)

    assert isinstance(data, InstanceDataset)
    model.fold()
    options = dataclasses.replace(config.detector, metric=VOC, masks=False)  # kinds go by boxes alone
    boxes_only = dataclasses.replace(config, detector=options)
    predict = DetectorPredictor(model, config)
    results = evaluate(data, boxes_only, predict, label="failures", observe=observe)
    report = ObjectReport(
        *(about, score, on, results.images, int(totals[1]), int(totals[0])),
        results.headline(),
        tuple(found),
        results.skipped,
    )
    return report, [failed for *_, failed in sorted(kept, reverse=True)]


def in_words(failed: Failed, classes: Sequence[str]) -> list[NamedFailure]:
    """The failures of an image with the names of classes."""
    record, detected = failed.image.record, failed.image.detected
    named = []
    for one in failed.outcome.failures:
        row = one.detection
        box = record.boxes[one.object] if row is None else detected.boxes[row]
        named.append(
            NamedFailure(
                record.name,
                one.kind,
                "" if row is None else classes[detected.classes[row] - 1],
                "" if one.object is None else classes[record.classes[one.object] - 1],
                None if row is None else round(float(detected.scores[row]), 4),
                round(one.iou, 4),
                tuple(round(float(side), 1) for side in box),
            )
        )
    return named


def failure_picture(failed: Failed, classes: Sequence[str], score: float) -> np.ndarray:
    """Detections at the left, those that are wrong with their failure, objects at the right: uint8 [H, W, 3]
    RGB.
    """
    record, detected = failed.image.record, failed.image.detected
    names = [classes[number - 1] for number in detected.classes]
    true_names = [classes[number - 1] for number in record.classes]
    for one in failed.outcome.failures:
        if one.detection is not None:
            names[one.detection] += f" [{one.kind}]"
        elif one.object is not None:
            true_names[one.object] += f" [{MISSED}]"
    return truth_beside(read_pixels(record), failed.image, names, true_names, score)


def write_object_report(
    report: ObjectReport, worst: Sequence[Failed], classes: Sequence[str], folder: Path
) -> None:
    """`failures.json`, `failures.md`, `failures.html`, and a picture of each of the `worst` images, in
    `folder`, which exists.
    """
    names, images = PlainNames(), []
    for earlier in (folder / "pictures").glob("*_failures.png"):
        earlier.unlink(missing_ok=True)
    for failed in worst:
        record = failed.image.record
        path = folder / "pictures" / f"{names.of(record.name, record.flipped)}_failures.png"
        save_png(failure_picture(failed, classes, report.score), path)
        images.append(WorstImage(record.name, path, tuple(in_words(failed, classes))))
    text = report.to_markdown()
    write_text(folder / "failures.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_text(folder / "failures.md", text)
    write_text(folder / "failures.html", report.to_html(images))
    LOG.info("%s\ntable, all failures, and the worst images: %s/failures.md, .json, .html", text, folder)
