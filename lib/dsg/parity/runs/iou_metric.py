"""Cases of the mask IoU metric: boxes, classes and probabilities of a query in, two IoUs out."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsg.metrics.raster import MAP_SIZE
from dsg.metrics.role_iou import role_iou
from dsg.parity.checks import Checks, Tolerance
from dsg.parity.golden import Golden

IOU = Tolerance("absolute", 1e-12)


def run(golden: Golden, *_: Any) -> Checks:
    """All cases in the file."""
    checks = Checks(golden)
    checks.given(r"\d+/(pred_.*|gt_.*|im_info|kind)", "kind|mask_hw|n_cases")
    size = int(golden["mask_hw"][0]) if "mask_hw" in golden else MAP_SIZE
    found = []
    for case in sorted({key.split("/")[0] for key in golden if key.endswith("/pred_boxes_norm")}):
        subject, object_ = role_iou(
            golden.array(f"{case}/pred_prob", None, 4)[None],
            golden.array(f"{case}/pred_boxes_norm", None, 4),
            golden.array(f"{case}/gt_boxes_norm", None, 4),
            golden.array(f"{case}/gt_labels", None)[None],
            predicted=golden.array(f"{case}/pred_class", None)[None],
            size=size,
        )
        checks.compare(f"{case}/sub_iou", subject[0], IOU)
        checks.compare(f"{case}/obj_iou", object_[0], IOU)
        found.append((subject[0], object_[0]))
    for column, key in enumerate(("sub_iou", "obj_iou")):
        checks.compare(key, np.array(found)[:, column], IOU)
    return checks.finish()
