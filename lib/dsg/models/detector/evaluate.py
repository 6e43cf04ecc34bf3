"""From a detector and a split to its average precision: every image once, with others looking on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsg.boxes.paste import placed_masks
from dsg.config import Config
from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.segmentations import decode, encode, run_lengths
from dsg.errors import UserError
from dsg.metrics.coco_ap import Found, Objects
from dsg.metrics.detection_results import COCO, DetectionEvaluator, DetectionResults, ImageTruthAndFound
from dsg.metrics.voc_ap import Detections, results_file, write_results
from dsg.models.detector.predictions import Detected, DetectorPredictor
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.instance_batches import evaluation_batches
from dsg.pipeline.instance_examples import has_mask
from dsg.runtime.cocotools import cocotools
from dsg.runtime.progress import Progress


@dataclass(frozen=True, eq=False)
class Examined:
    """An image of a split with what the detector found, in pixels of the original image."""

    index: int  # position in the split
    record: Instances
    detected: Detected


Observer = Callable[[Examined], None]


def evaluate(
    dataset: InstanceDataset,
    config: Config,
    predict: DetectorPredictor,
    *,
    label: str = "test",
    observe: Observer = lambda image: None,
    check: Callable[[], None] = lambda: None,
) -> DetectionResults:
    """Average precision on a split, every image counted once; unreadable images are named in `skipped`.

    Args:
        dataset: a loaded split of instances.
        config: TEST.*, DATA.WORKERS, DETECTOR.METRIC and DETECTOR.MASKS.
        predict: of the detector.
        label: the start of each line of progress.
        observe: is shown each image.
        check: called after each image; may raise to stop.

    Raises:
        UserError: DETECTOR.METRIC coco without pycocotools; the detector has diverged.
    """
    options = config.detector
    coco = measures_coco(options.metric)
    masks = options.masks and coco
    evaluator = DetectionEvaluator(dataset.vocabulary.objects, metric=options.metric, masks=masks)
    bad, count = BadRecords(), 0
    with Progress(label, len(dataset)) as progress:
        for batch in iterate(evaluation_batches(dataset, config, bad=bad), bad):
            for index, detected in zip(np.asarray(batch["index"]).tolist(), predict(batch)):
                image = Examined(index, dataset.records[index], detected)
                evaluator.add_image(compared(image, masks))
                observe(image)
                count += len(detected.scores)
                progress.advance(text=f"{count} detections")
                check()
    for name, reason in bad.reasons.items():
        evaluator.skip(name, reason)
    return evaluator.results(coco=coco)


def measures_coco(metric: str) -> bool:
    """Whether COCO's figures can be measured.

    Raises:
        UserError: they are the metric, and cannot.
    """
    try:
        cocotools("cocoeval")
    except UserError as error:
        if metric == COCO:
            raise UserError(f"{error}; or set DETECTOR.METRIC voc and DETECTOR.MASKS False") from None
        return False
    return True


def compared(image: Examined, masks: bool) -> ImageTruthAndFound:
    """An image as the metrics take it.

    Raises:
        UserError: detections are not finite.
    """
    record, detected = image.record, image.detected
    if not np.isfinite(detected.boxes).all() or not np.isfinite(detected.scores).all():
        raise UserError(
            f"{record.name}: detections are not finite: the model has diverged; use an earlier snapshot"
        )
    truth = true_masks(record) if masks else None
    runs = mask_runs(detected, record.height, record.width) if masks else None
    areas = cocotools("mask").area(truth) if truth else None
    # A difficult object of VOC counts as little as a region of many, and so does one that lacks its mask.
    hard = record.crowd | record.difficult
    ignored = hard | ~has_mask(record) if masks else hard
    objects = Objects(record.boxes, record.classes, ignored, areas, truth)
    return ImageTruthAndFound(
        str(image.index),
        objects,
        hard,
        Found(detected.boxes, detected.classes, detected.scores, runs),
    )


def true_masks(record: Instances) -> Sequence[Mapping[str, Any]]:
    """The masks of an image's objects as run lengths; the box of an object without one."""
    size, masks = (record.height, record.width), []
    for row, (x1, y1, x2, y2) in enumerate(record.boxes.tolist()):
        known = record.segmentations[row] if record.segmentations else None
        own = [[x1, y1, x2, y1, x2, y2, x1, y2]] if known is None else known
        runs = run_lengths(own, *size, record.name)
        if record.flipped and known is not None:
            runs = encode(decode(runs, *size, record.name)[:, ::-1])
        masks.append(runs)
    return masks


def mask_runs(detected: Detected, height: int, width: int) -> list[Mapping[str, Any]]:
    """The masks of detections as run lengths; one after another, for together they could fill the memory."""
    if detected.masks is None:
        raise ValueError("these detections have no masks")
    placed = placed_masks(detected.masks, detected.boxes, height, width)
    return [encode(mask.pixels(height, width)) for mask in placed]


def write_voc_files(results: DetectionResults, dataset: InstanceDataset, folder: Path) -> None:
    """What VOC's development kit and tf-faster-rcnn's evaluation read: `comp4_det_test_<class>.txt` for each
    class, a line for each detection.

    Raises:
        UserError: a file cannot be written.
    """
    split = {"validation": "val"}.get(dataset.split, dataset.split)
    for number, label in enumerate(dataset.vocabulary.objects, 1):
        names, scores, boxes = [], [np.zeros(0)], [np.zeros((0, 4))]
        for image in results.compared:
            own = np.asarray(image.found.classes) == number
            names += [dataset.records[int(image.name)].name] * int(own.sum())
            scores.append(image.found.scores[own])
            boxes.append(image.found.boxes[own] - np.array([0, 0, 1, 1]))  # ends with its last pixel
        found = Detections(names, np.concatenate(scores), np.concatenate(boxes))
        write_results(folder / results_file(split, label.replace("/", "_")), found)
