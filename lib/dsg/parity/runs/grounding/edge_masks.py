"""Masks of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dsg.models.grounding.edge_masks import EdgeMasks, blurred, gaussian_kernels
from dsg.models.grounding.features import unions
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import each, each_boxes, joined_pairs, numbers
from dsg.parity.runs.grounding.weights import fill, renamed

KERNELS, MASKS = Tolerance("relative", 2e-5), Tolerance("relative", 1e-5)
NEARLY_FLAT = Tolerance("relative", 5e-3)  # a correlation of 0.9999
CATEGORIES = 150
OPTIONS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "onehot": {},
    "scaled": {},
    "no_sigmoid": {"sigmoid": False},
    "ablation_avg_released": {"kind": "average"},
    "ablation_union_released": {"kind": "union_released"},
    "derived/union_max": {"kind": "union"},
}


def compare(checks: Checks) -> None:
    """All of `edge_masks.npz`."""
    golden = checks.golden
    checks.given(r"(masks|scores)\.recipe", r"(boxes|pairs)/\d+", "kernels.*/params", "onehot_labels")
    _compare_kernels(checks)
    boxes, own_pairs = each_boxes(golden, "boxes"), each(golden, "pairs")
    for number, (part, pairs) in enumerate(zip(boxes, own_pairs)):
        checks.compare(f"union_boxes/{number}", unions(part, pairs), EXACT)
    pairs = joined_pairs(own_pairs, boxes)
    masks, scores = numbers(golden, "masks"), numbers(golden, "scores")
    certain = np.eye(CATEGORIES + 1, dtype=np.float32)[golden["onehot_labels"]]
    for case, options in OPTIONS.items():
        layer = EdgeMasks(CATEGORIES + 1, **options)
        fill(layer, renamed("edge/", {"shapes/": ""}))
        shown = masks * scores[:, None, None, :CATEGORIES] if case == "scaled" else masks
        _compare_case(checks, case, layer, shown, certain if case == "onehot" else scores, pairs)
    layer = EdgeMasks(CATEGORIES + 1, net="per_object")
    fill(layer, renamed("edge/", {"shapes/": ""}))
    parameters = layer.shapes(scores[pairs[:, 0]], scores[pairs[:, 1]])
    checks.compare("derived/per_object/params", tf.reshape(parameters, [-1, 6]), MASKS)
    checks.compare("derived/per_object/kernels", gaussian_kernels(parameters), KERNELS)


def _compare_kernels(checks: Checks) -> None:
    golden = checks.golden
    kernels = gaussian_kernels(tf.reshape(golden.floats("kernels/params", None, 6), [-1, 2, 3])).numpy()
    checks.compare("kernels/kernels", kernels, KERNELS)
    checks.compare("kernels/sums", kernels.sum((2, 3)), KERNELS)
    key = "kernels_degenerate/kernels"
    checks.given(key)
    flat = tf.reshape(golden.floats("kernels_degenerate/params", 2, 6), [-1, 2, 3])
    kernels = gaussian_kernels(flat).numpy()
    # The release's first ones are not numbers.
    checks.compare_value(f"{key}: finite", np.isfinite(kernels).all(), True, EXACT)
    checks.compare_value(key, kernels[1], golden.array(key, *kernels.shape, finite=False)[1], NEARLY_FLAT)


def _compare_case(
    checks: Checks, case: str, layer: EdgeMasks, masks: np.ndarray, scores: np.ndarray, pairs: np.ndarray
) -> None:
    subject, object_ = pairs.T
    made = layer((masks[subject], masks[object_]), (scores[subject], scores[object_]))
    checks.compare(f"{case}/mask", made, MASKS)
    if not checks.has(f"{case}/params"):
        return
    parameters = layer.shapes(scores[subject], scores[object_])
    kernels = gaussian_kernels(parameters)
    head, tail = blurred(masks[subject], kernels[:, 0]), blurred(masks[object_], kernels[:, 1])
    checks.compare(f"{case}/params", tf.reshape(parameters, [-1, 6]), MASKS)
    checks.compare(f"{case}/kernels", kernels, KERNELS)
    for name, values in (("head_convolved", head), ("tail_convolved", tail), ("product", head * tail)):
        checks.compare(f"{case}/{name}", values, MASKS)
