"""What bfloat16 changes in answers: a trained model on generated scenes, once in each precision."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.network import Result
from benchmarks.settings import Settings
from dsg.apps.cost.subjects import shapes_dataset, sharing
from dsg.metrics.evaluation import Evaluator
from dsg.models.dsg.evaluate import examine, score
from dsg.models.dsg.predictions import Prediction
from dsg.models.dsg.trained import load_trained

SAME_BOX = 8.0  # pixels between coordinates, up to which two boxes are one


def precision(settings: Settings) -> Result:
    """Mean IoU in float32 and bfloat16, and how far the answers lie apart.

    Each float32 box is compared with the nearest bfloat16 one; of boxes and probabilities the largest
    difference of four counts.
    """
    trained = load_trained(settings.trained)
    with tempfile.TemporaryDirectory() as folder:
        dataset = shapes_dataset(Path(folder) / "shapes", settings.precision_images, settings.mini_size)
        found: dict[str, list[Prediction]] = {}
        iou = {}
        for kind in ("float32", "bfloat16"):
            test = dataclasses.replace(trained.config.test, precision=kind)
            config = dataclasses.replace(trained.config, test=test)
            images = list(examine(sharing(trained.model, config), dataset, config))
            found[kind] = [image.prediction for image in images]
            evaluator = Evaluator(dataset.vocabulary.predicates, dataset.vocabulary.objects)
            scores = [np.concatenate(score(evaluator, image)) for image in images]
            iou[kind] = float(np.mean(np.concatenate(scores)))
    coordinates, roles, missed = [], [], 0
    for exact, rough in zip(found["float32"], found["bfloat16"]):
        apart = np.abs(exact.boxes[:, None] - rough.boxes[None]).max(axis=-1)  # largest of four coordinates
        nearest, distance = apart.argmin(axis=1), apart.min(axis=1)
        same = distance < SAME_BOX
        missed += int((~same).sum())
        coordinates.append(distance[same])
        assert exact.probabilities is not None and rough.probabilities is not None  # roles of a classifier
        changed = np.abs(exact.probabilities - rough.probabilities[:, nearest])[:, same]
        roles.append(changed.max(axis=-1).ravel())
    pixels, changes = np.concatenate(coordinates), np.concatenate(roles)
    return {
        "cases": {},
        "checks": {
            "mean_iou_float32": iou["float32"],
            "mean_iou_bfloat16": iou["bfloat16"],
            "boxes_without_a_counterpart": missed / (missed + len(pixels)),
            "box_coordinates_median_pixels": float(np.median(pixels)),
            "box_coordinates_99th_percentile_pixels": float(np.percentile(pixels, 99)),
            "role_probabilities_median": float(np.median(changes)),
            "role_probabilities_99th_percentile": float(np.percentile(changes, 99)),
        },
    }
