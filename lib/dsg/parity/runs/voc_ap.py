"""PASCAL VOC's precision, recall and average precision; what goes in stands in a JSON file beside."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from dsg.errors import UserError
from dsg.metrics.voc_ap import (
    RECALLS_07,
    Detections,
    ImageTruth,
    average_precision,
    average_precision_07,
    evaluate_class,
)
from dsg.parity.checks import Checks, Tolerance
from dsg.parity.golden import Golden

EXACT = Tolerance("absolute", 1e-12)


def run(golden: Golden) -> Checks:
    """Every class of every run, and the areas alone.

    Raises:
        UserError: the inputs are not beside the file.
    """
    path = golden.path.with_name("voc_eval_input.json")
    try:
        inputs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error}); it belongs beside {golden.path.name}") from error
    checks = Checks(golden)
    checks.compare("thresholds_07", RECALLS_07, EXACT)
    for key in [key for key in golden if key.startswith("voc_ap/") and key.endswith("/rec")]:
        case = key[: -len("/rec")]
        recall, precision = golden[key], golden[f"{case}/prec"]
        checks.given(key, f"{case}/prec")
        checks.compare(f"{case}/ap", np.array(average_precision(recall, precision)), EXACT)
        checks.compare(f"{case}/ap_07", np.array(average_precision_07(recall, precision)), EXACT)
    for name, settings in inputs["runs"].items():
        for class_name, rows in inputs["detections"].items():
            result = evaluate_class(
                _truth(inputs["annotations"], class_name),
                Detections(
                    [row[0] for row in rows],
                    np.array([row[1] for row in rows]),
                    np.array([row[2:] for row in rows]),
                ),
                threshold=settings["ovthresh"],
                use_difficult=settings["use_diff"],
            )
            for key, value in zip(("rec", "prec", "ap", "ap_07"), result):
                _compare(checks, f"{name}/{class_name}/{key}", np.asarray(value))
    return checks.finish()


def _truth(annotations: dict[str, Any], name: str) -> dict[str, ImageTruth]:
    truth = {}
    for image, things in annotations.items():
        own = [thing for thing in things if thing["name"] == name]
        boxes = np.array([thing["bbox"] for thing in own], np.float64).reshape(-1, 4)
        truth[image] = ImageTruth(boxes, np.array([thing["difficult"] for thing in own], bool))
    return truth


def _compare(checks: Checks, key: str, value: np.ndarray) -> None:
    """NaN is right where NaN is stored."""
    reference = checks.golden[key]
    both = np.isnan(value) & np.isnan(reference) if value.shape == reference.shape else np.zeros(())
    checks.compare(key, np.where(both, 0.0, value), EXACT, reference=np.where(both, 0.0, reference))
