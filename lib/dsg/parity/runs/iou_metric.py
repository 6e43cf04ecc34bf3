"""Cases of the mask IoU metric: boxes, classes and probabilities of a query in, two IoUs out."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsg.datasets.records import OTHER
from dsg.metrics.raster import MAP_SIZE
from dsg.metrics.role_iou import role_iou
from dsg.parity.checks import Checks, Tolerance
from dsg.parity.golden import Golden

MOST_CELLS = 10_000  # a side of the maps
IOU = Tolerance("absolute", 1e-12)


def run(golden: Golden, *_: Any) -> Checks:
    """All cases in the file."""
    checks = Checks(golden)
    checks.given(r"\d+/(pred_.*|gt_.*|im_info|kind)", "kind|mask_hw|n_cases")
    size = (MAP_SIZE, MAP_SIZE)
    if "mask_hw" in golden:
        rows, columns = golden.array("mask_hw", 2, low=1, high=MOST_CELLS, whole=True)
        size = (int(rows), int(columns))
    found = []
    for case in sorted({key.split("/")[0] for key in golden if key.endswith("/pred_boxes_norm")}):
        boxes = golden.array(f"{case}/pred_boxes_norm", None, 4, empty=True)
        gt_boxes = golden.array(f"{case}/gt_boxes_norm", None, 4, empty=True)
        roles: dict[str, Any] = {"low": 0, "high": OTHER, "whole": True, "empty": True}
        subject, object_ = role_iou(
            golden.array(f"{case}/pred_prob", len(boxes), 4, empty=True)[None],
            boxes,
            gt_boxes,
            golden.array(f"{case}/gt_labels", len(gt_boxes), **roles)[None],
            predicted=golden.array(f"{case}/pred_class", len(boxes), **roles)[None],
            size=size,
        )
        checks.compare(f"{case}/sub_iou", subject[0], IOU)
        checks.compare(f"{case}/obj_iou", object_[0], IOU)
        found.append((subject[0], object_[0]))
    for column, key in enumerate(("sub_iou", "obj_iou")):
        checks.compare(key, np.array(found)[:, column], IOU)
    return checks.finish()
