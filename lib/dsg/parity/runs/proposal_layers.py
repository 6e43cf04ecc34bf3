"""Unit cases of the three layers around proposals: anchor targets, proposals, proposal targets. Cases may
bear any name; the file's keys say which there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.anchors import anchor_grid
from dsg.boxes.anchors_tf import anchor_grid_tf
from dsg.boxes.transform import BoxCoder
from dsg.config import Config
from dsg.datasets.records import OTHER
from dsg.errors import UserError
from dsg.models.dsg.targets import proposal_targets
from dsg.nets.outputs import RpnOutputs
from dsg.nets.rpn import propose
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import MAX_SEED, Golden
from dsg.parity.runs.reading import CLOSE, HUGE, STRIDE, image_size, matching, rois_of, sides
from dsg.parity.runs.suppression import kept_by_nms, passing
from dsg.pipeline.anchor_targets import anchor_targets

# the release's option -> our argument
ANCHOR_OPTIONS = {
    "RPN_BATCHSIZE": "batch_size",
    "RPN_FG_FRACTION": "fg_fraction",
    "RPN_POSITIVE_OVERLAP": "positive_overlap",
    "RPN_NEGATIVE_OVERLAP": "negative_overlap",
    "RPN_CLOBBER_POSITIVES": "clobber_positives",
    "RPN_POSITIVE_WEIGHT": "positive_weight",
}
# the release's option -> our argument, and its highest value
PROPOSAL_OPTIONS: dict[str, tuple[str, int]] = {
    "RPN_NMS_THRESH": ("iou", 1),
    "RPN_POST_NMS_TOP_N": ("post_nms", 1_000_000),
    "RPN_PRE_NMS_TOP_N": ("pre_nms", 1_000_000),
}


def check_anchor_target(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("anchor_target/(hw|im_info)", "anchor_target/[^/]+/(gt_boxes|seed|overrides)")
    rows, columns = sides(golden, "anchor_target/hw")
    height, width = (float(side) for side in image_size(golden, "anchor_target/im_info"))
    anchors = anchor_grid(rows, columns, STRIDE, config.anchor_scales, config.anchor_ratios)
    for case in [
        key[: -len("/gt_boxes")]
        for key in golden
        if key.startswith("anchor_target/") and key.endswith("/gt_boxes")
    ]:
        found = anchor_targets(
            anchors,
            golden.array(f"{case}/gt_boxes", None, 4),
            (height, width),
            (rows, columns),
            rng=np.random.RandomState(golden.integer(f"{case}/seed", 0, MAX_SEED)),
            **_anchor_options(golden, f"{case}/overrides"),
        )
        checks.compare(f"{case}/labels", found.labels.transpose(2, 0, 1).reshape(1, 1, -1, columns), EXACT)
        checks.compare(f"{case}/bbox_targets", found.deltas.reshape(1, rows, columns, -1), CLOSE)
        checks.compare(f"{case}/inside", np.repeat(found.inside, 4, -1)[None], EXACT)
        checks.compare(f"{case}/outside", np.repeat(found.outside, 4, -1)[None], EXACT)


def _anchor_options(golden: Golden, key: str) -> dict[str, Any]:
    """The release's options under `key`, as our arguments; none if there is no such key."""
    given = golden.mapping(key) if key in golden else {}
    for name, value in given.items():
        if name not in ANCHOR_OPTIONS:
            raise UserError(f"{golden.path}: {key} names {name}, which is not an anchor option")
        if not isinstance(value, (int, float)):
            raise UserError(f"{golden.path}: {key} gives {name} the value {value!r}, expected a number")
    return {ANCHOR_OPTIONS[name]: value for name, value in given.items()}


def check_proposal_layer(checks: Checks, golden: Golden, config: Config) -> None:
    """Each case is named by its keys; it follows the options of its name, or those of TRAIN."""
    checks.given(
        "proposal_layer/(cfg|cls_prob|bbox_pred|im_info|test_mode_note)",
        "proposal_layer/[^/]+/score_factor",
    )
    cases = [case for _, case in matching(golden, r"proposal_layer/([^/]+)/(?:tf|py)_\w+")]
    for case in sorted(set(cases)):
        key = f"proposal_layer/{case}"
        given = golden.number(f"{key}/score_factor", 0, HUGE) if f"{key}/score_factor" in golden else 1.0
        rpn = rpn_outputs(golden, config, given)
        for path in ("tf", "py"):
            options = {**_proposal_options(golden, case), "in_graph": path == "tf"}
            found = propose(rpn, min_score=config.train.rpn_nms_min_score, **options)
            checks.compare(f"{key}/{path}_rois", tf.pad(found.boxes[0], [[0, 0], [1, 0]]), CLOSE)
            checks.compare(f"{key}/{path}_scores", found.scores[0][:, None], CLOSE)
            checks.compare(f"{key}/{path}_indices", passing(found, kept_by_nms(rpn, **options)), EXACT)


def _proposal_options(golden: Golden, case: str) -> dict[str, Any]:
    """The limits of suppression in `proposal_layer/cfg`, as our arguments."""
    modes = golden.mapping("proposal_layer/cfg")
    mode = case if case in modes else "TRAIN"
    found = {}
    for name, (ours, highest) in PROPOSAL_OPTIONS.items():
        value = modes[mode].get(name) if isinstance(modes.get(mode), dict) else None
        if not isinstance(value, (int, float)) or not 0 <= value <= highest:
            raise UserError(
                f"{golden.path}: proposal_layer/cfg has for {mode}.{name} {value!r}, "
                f"expected a number from 0 to {highest}"
            )
        found[ours] = value
    return found


def rpn_outputs(golden: Golden, config: Config, factor: float) -> RpnOutputs:
    """What the region proposal network would say, from the stored probabilities (objects' times `factor`) and
    deltas.
    """
    channels = 2 * len(config.anchor_scales) * len(config.anchor_ratios)
    probabilities = golden.floats("proposal_layer/cls_prob", 1, None, None, channels)
    _, height, width, _ = probabilities.shape
    anchors = anchor_grid_tf(height, width, STRIDE, config.anchor_scales, config.anchor_ratios)
    deltas = golden.floats("proposal_layer/bbox_pred", 1, height, width, 2 * channels).reshape(1, -1, 4)
    coder = BoxCoder()
    boxes = coder.clip(
        coder.decode(anchors[None], deltas), image_size(golden, "proposal_layer/im_info")[None]
    )
    scores = probabilities[..., channels // 2 :].reshape(1, -1) * np.float32(factor)
    return RpnOutputs(None, None, None, anchors, boxes, tf.constant(scores))


def check_proposal_target(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("proposal_target/in/.*", "proposal_target/[^/]+/(rois|roi_scores)")
    base = "proposal_target/in"

    def labels(rows: np.ndarray) -> tf.Tensor:
        return tf.constant(np.where(rows.any(-1), rows.argmax(-1), -1).astype(np.int32)[None])

    gt_boxes = golden.floats(f"{base}/gt_boxes", None, 4)
    count = len(gt_boxes)
    roles = golden.array(f"{base}/gt_labels", None, count, 1, low=0, high=OTHER, whole=True)[..., 0]
    entity_rows = golden.array(f"{base}/partial_entity_class", count, None)
    predicate_rows = golden.array(f"{base}/partial_relation_class", count, count, None)
    entities, predicates = entity_rows.shape[-1], predicate_rows.shape[-1]
    names = {name for _, name in matching(golden, r"proposal_target/([^/]+)/\w+")} - {"in"}
    for case in (f"proposal_target/{name}" for name in sorted(names)):
        rois = rois_of(golden, f"{case}/rois")
        found = proposal_targets(
            tf.constant(rois[None]),
            tf.ones([1, len(rois)], tf.bool),
            tf.constant(gt_boxes[None]),
            tf.ones([1, len(gt_boxes)], tf.bool),
            tf.constant(roles[None].astype(np.int32)),
            tf.ones([1, len(roles)], tf.bool),
            labels(entity_rows),
            labels(predicate_rows),
        )
        weights = tf.repeat(found.box_weight[0][:, None], 4, 1)
        checks.compare(f"{case}/labels", found.roles[0][..., None], EXACT)
        checks.compare(f"{case}/labels_mask", found.match_kind[0], EXACT)
        checks.compare(f"{case}/labels_expand_mask", found.role_weights[0], EXACT)
        checks.compare(f"{case}/partial_entity_class", tf.one_hot(found.entities[0], entities), EXACT)
        checks.compare(f"{case}/partial_relation_class", tf.one_hot(found.predicates[0], predicates), EXACT)
        checks.compare(f"{case}/bbox_targets", found.box_deltas[0], Tolerance("relative", 2e-5))
        checks.compare(f"{case}/bbox_inside_weights", weights, EXACT)
        checks.compare(f"{case}/bbox_outside_weights", weights, EXACT)
