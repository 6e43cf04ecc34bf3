"""Unit cases of the box operations, targets, crops and losses; each group of keys has its own function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.anchor_targets import anchor_targets
from dsg.boxes.anchors import anchor_grid, base_anchors
from dsg.boxes.anchors_tf import anchor_grid_tf
from dsg.boxes.nms import nms
from dsg.boxes.overlaps import overlaps
from dsg.boxes.transform import clip, decode, encode, union_boxes
from dsg.boxes.transform_np import clip_np, decode_np
from dsg.config import Config, load_config
from dsg.errors import UserError
from dsg.losses import smooth_l1
from dsg.nets.outputs import RpnOutputs
from dsg.nets.regions import crop, normalise
from dsg.nets.rpn import propose
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.suppression import kept_by_nms, passing
from dsg.targets import proposal_targets

CLOSE = Tolerance("relative", 1e-6)
STRIDE = 16
# the release's option -> our argument
ANCHOR_OPTIONS = {
    "RPN_BATCHSIZE": "batch_size",
    "RPN_FG_FRACTION": "fg_fraction",
    "RPN_POSITIVE_OVERLAP": "positive_overlap",
    "RPN_NEGATIVE_OVERLAP": "negative_overlap",
    "RPN_CLOBBER_POSITIVES": "clobber_positives",
    "RPN_POSITIVE_WEIGHT": "positive_weight",
}


def run(golden: Golden, *_: Any) -> Checks:
    """All groups in the file."""
    checks, config = Checks(golden), load_config()
    present = {key.split("/")[0] for key in golden}
    for names, check in GROUPS:
        if present.intersection(names):
            check(checks, golden, config)
    return checks.finish()


def _anchors(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(r"anchors/\d+/(scales|ratios|grid\d+_hw)")
    for case in _cases(golden, "anchors"):
        scales, ratios = golden[f"{case}/scales"].tolist(), golden[f"{case}/ratios"].tolist()
        checks.compare(f"{case}/base", base_anchors(scales, ratios, STRIDE), CLOSE)
        for key in [key[:-3] for key in golden if key.startswith(f"{case}/grid") and key.endswith("_hw")]:
            height, width = (int(side) for side in golden[f"{key}_hw"])
            checks.compare(
                f"{key}_np", anchor_grid(height, width, STRIDE, scales, ratios, truncate=False), CLOSE
            )
            checks.compare(f"{key}_tf", anchor_grid_tf(height, width, STRIDE, scales, ratios), CLOSE)


def _codecs(checks: Checks, golden: Golden, config: Config) -> None:
    """Encoding, decoding, clipping, and the boxes around pairs."""
    checks.given("bbox_transform/(ex|gt)", "bbox_transform_inv/(boxes|deltas)", "clip_boxes/(in|im_info)")
    if "bbox_transform/out" in golden:
        checks.compare(
            "bbox_transform/out", encode(golden["bbox_transform/ex"], golden["bbox_transform/gt"]), CLOSE
        )
    if "bbox_transform_inv/boxes" in golden:
        boxes, deltas = golden["bbox_transform_inv/boxes"], golden["bbox_transform_inv/deltas"]
        checks.compare("bbox_transform_inv/out_tf", decode(boxes, deltas), CLOSE)
        checks.compare("bbox_transform_inv/out_np", decode_np(boxes, deltas), CLOSE)
        nothing = np.zeros((0, 4), np.float32)
        checks.compare("bbox_transform_inv/empty", decode(nothing, nothing), CLOSE)
    if "clip_boxes/in" in golden:
        boxes, size = golden["clip_boxes/in"], golden["clip_boxes/im_info"][:2]
        checks.compare("clip_boxes/out_tf", clip(boxes, size), CLOSE)
        checks.compare("clip_boxes/out_np", clip_np(boxes, size), CLOSE)
    if "union_box/out_x1y1x2y2" in golden:
        checks.compare("union_box/out_x1y1x2y2", union_boxes(golden["crop/rois"][:, 1:]), CLOSE)


def _overlaps(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("bbox_overlaps/(boxes|query)")
    found = overlaps(golden["bbox_overlaps/boxes"], golden["bbox_overlaps/query"], np.float64)
    checks.compare("bbox_overlaps/out", found, CLOSE)


def _suppression(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(r"cpu_nms/\d+/(dets|thresh|order|has_ties)", "nms_plus_one/dets")
    for case in _cases(golden, "cpu_nms"):
        dets, threshold = golden[f"{case}/dets"], golden.number(f"{case}/thresh")
        order = golden.get(f"{case}/order", None)
        checks.compare(f"{case}/keep", nms(dets, threshold, order=order), EXACT)
        twin = case.replace("cpu", "tf")
        if f"{case}/has_ties" in golden and golden[f"{case}/has_ties"]:
            checks.skip(f"{twin}/.*", "scores are tied, and which box of equals wins is not portable")
            continue
        for key in [key for key in golden if key.startswith(f"{twin}/keep_max")]:
            checks.compare(key, _tf_nms(dets, threshold, int(key.rsplit("max", 1)[1])), EXACT)
    for key in [key for key in golden if key.startswith("nms_plus_one/")]:
        kind, limit = key.split("/")[1].split("_")[0], key.rsplit("_", 1)[1]
        if kind in ("cpu", "tf"):
            dets = golden["nms_plus_one/dets"]
            found = nms(dets, float(limit)) if kind == "cpu" else _tf_nms(dets, float(limit), len(dets))
            checks.compare(key, found, EXACT)


def _tf_nms(dets: np.ndarray, threshold: float, most: int) -> Any:
    return tf.image.non_max_suppression(dets[:, [1, 0, 3, 2]], dets[:, 4], most, threshold)


def _anchor_target(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("anchor_target/(hw|im_info)", "anchor_target/[^/]+/(gt_boxes|seed|overrides)")
    rows, columns = (int(side) for side in golden["anchor_target/hw"])
    height, width = (float(side) for side in golden["anchor_target/im_info"][:2])
    anchors = anchor_grid(rows, columns, STRIDE, config.anchor_scales, config.anchor_ratios)
    for case in [
        key[: -len("/gt_boxes")]
        for key in golden
        if key.startswith("anchor_target/") and key.endswith("/gt_boxes")
    ]:
        given = json.loads(str(golden[f"{case}/overrides"])) if f"{case}/overrides" in golden else {}
        unknown = sorted(set(given) - set(ANCHOR_OPTIONS))
        if unknown:
            raise UserError(
                f"{golden.path}: {case}/overrides names {unknown[0]}, which no anchor option answers to"
            )
        found = anchor_targets(
            anchors,
            golden.array(f"{case}/gt_boxes", None, 4),
            (height, width),
            (rows, columns),
            rng=np.random.RandomState(int(golden.number(f"{case}/seed"))),
            **{ANCHOR_OPTIONS[key]: value for key, value in given.items()},
        )
        checks.compare(f"{case}/labels", found.labels.transpose(2, 0, 1).reshape(1, 1, -1, columns), EXACT)
        checks.compare(f"{case}/bbox_targets", found.deltas.reshape(1, rows, columns, -1), CLOSE)
        checks.compare(f"{case}/inside", np.repeat(found.inside, 4, -1)[None], EXACT)
        checks.compare(f"{case}/outside", np.repeat(found.outside, 4, -1)[None], EXACT)


def _proposal_layer(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(
        "proposal_layer/(cfg|cls_prob|bbox_pred|im_info|test_mode_note)", "proposal_layer/low/score_factor"
    )
    train = json.loads(str(golden["proposal_layer/cfg"]))["TRAIN"]
    for case, factor in (("TRAIN", 1.0), ("low", None)):
        key = f"proposal_layer/{case}"
        if not any(name.startswith(f"{key}/tf_") or name.startswith(f"{key}/py_") for name in golden):
            continue
        rpn = rpn_outputs(golden, config, golden.number(f"{key}/score_factor") if factor is None else factor)
        for path in ("tf", "py"):
            options = {
                "iou": train["RPN_NMS_THRESH"],
                "post_nms": train["RPN_POST_NMS_TOP_N"],
                "pre_nms": train["RPN_PRE_NMS_TOP_N"],
                "in_graph": path == "tf",
            }
            found = propose(rpn, min_score=config.train.rpn_nms_min_score, **options)
            checks.compare(f"{key}/{path}_rois", tf.pad(found.boxes[0], [[0, 0], [1, 0]]), CLOSE)
            checks.compare(f"{key}/{path}_scores", found.scores[0][:, None], CLOSE)
            checks.compare(f"{key}/{path}_indices", passing(found, kept_by_nms(rpn, **options)), EXACT)


def rpn_outputs(golden: Golden, config: Config, factor: float) -> RpnOutputs:
    """What the region proposal network would say, from the stored probabilities (objects' times `factor`) and
    deltas.
    """
    probabilities = golden["proposal_layer/cls_prob"]
    _, height, width, channels = probabilities.shape
    anchors = anchor_grid_tf(height, width, STRIDE, config.anchor_scales, config.anchor_ratios)
    deltas = golden["proposal_layer/bbox_pred"].reshape(1, -1, 4)
    boxes = clip(decode(anchors[None], deltas), golden["proposal_layer/im_info"][None, :2])
    scores = probabilities[..., channels // 2 :].reshape(1, -1) * np.float32(factor)
    return RpnOutputs(None, None, None, anchors, boxes, tf.constant(scores))


def _proposal_target(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("proposal_target/in/.*", "proposal_target/[^/]+/(rois|roi_scores)")
    base = "proposal_target/in"

    def labels(key: str) -> np.ndarray:
        rows = golden[f"{base}/{key}"]
        return np.where(rows.any(-1), rows.argmax(-1), -1).astype(np.int32)[None]

    gt_boxes, roles = golden[f"{base}/gt_boxes"], golden[f"{base}/gt_labels"][..., 0]
    for case in sorted(
        {"/".join(key.split("/")[:2]) for key in golden if key.startswith("proposal_target/use_gt_")}
    ):
        rois = golden.array(f"{case}/rois", None, 5)
        found = proposal_targets(
            tf.constant(rois[None, :, 1:]),
            tf.ones([1, len(rois)], tf.bool),
            tf.constant(gt_boxes[None]),
            tf.ones([1, len(gt_boxes)], tf.bool),
            tf.constant(roles[None].astype(np.int32)),
            tf.ones([1, len(roles)], tf.bool),
            tf.constant(labels("partial_entity_class")),
            tf.constant(labels("partial_relation_class")),
        )
        weights = tf.repeat(found.box_weight[0][:, None], 4, 1)
        entities = golden[f"{base}/partial_entity_class"].shape[-1]
        predicates = golden[f"{base}/partial_relation_class"].shape[-1]
        checks.compare(f"{case}/labels", found.roles[0][..., None], EXACT)
        checks.compare(f"{case}/labels_mask", found.match_kind[0], EXACT)
        checks.compare(f"{case}/labels_expand_mask", found.role_weights[0], EXACT)
        checks.compare(f"{case}/partial_entity_class", tf.one_hot(found.entities[0], entities), EXACT)
        checks.compare(f"{case}/partial_relation_class", tf.one_hot(found.predicates[0], predicates), EXACT)
        checks.compare(f"{case}/bbox_targets", found.box_deltas[0], Tolerance("relative", 2e-5))
        checks.compare(f"{case}/bbox_inside_weights", weights, EXACT)
        checks.compare(f"{case}/bbox_outside_weights", weights, EXACT)


def _crop(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("crop/(feature_map|rois)")
    features, rois = golden["crop/feature_map"], golden["crop/rois"]
    size = tf.constant([[features.shape[1] * STRIDE, features.shape[2] * STRIDE]], tf.float32)
    pairs = union_boxes(rois[None, :, 1:])
    checks.compare("crop/norm_boxes", normalise(tf.constant(rois[None, :, 1:]), size, STRIDE)[0], CLOSE)
    checks.compare("crop/union_boxes_norm", tf.reshape(normalise(pairs, size, STRIDE), [-1, 4]), CLOSE)
    for max_pool in (False, True):
        for key, boxes in (("crops", rois[:, 1:]), ("pair_crops", tf.reshape(pairs, [-1, 4]))):
            name = f"crop/max_pool_{int(max_pool)}/{key}"
            if name in golden:
                cells = golden[name].shape[1]
                image = tf.zeros([boxes.shape[0]], tf.int32)
                found = crop(features, boxes, image, cells, image_size=size, stride=STRIDE, max_pool=max_pool)
                checks.compare(name, found, CLOSE)


def _smooth_l1(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(r"smooth_l1/\d+/(pred|target|inside|outside|sigma|dim)")
    for case in _cases(golden, "smooth_l1"):
        inside, outside = golden[f"{case}/inside"], golden[f"{case}/outside"]
        prediction = tf.constant(golden[f"{case}/pred"])
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            each = outside * smooth_l1(
                inside * (prediction - golden[f"{case}/target"]), golden.number(f"{case}/sigma")
            )
            loss = tf.reduce_mean(tf.reduce_sum(each, golden[f"{case}/dim"].tolist()))
        checks.compare(f"{case}/loss", loss, CLOSE)
        checks.compare(f"{case}/dloss_dpred", tape.gradient(loss, prediction), CLOSE)


def _rpn_softmax(checks: Checks, golden: Golden, config: Config) -> None:
    """Channel a is paired with channel A + a, as `RegionProposalNetwork` reshapes its logits."""
    checks.given("rpn_softmax/score")
    checks.skip(
        "rpn_softmax/reshaped",
        "the release's detour to the pairing of channels, which the library does not take",
    )
    score = golden["rpn_softmax/score"]
    batch, height, width, channels = score.shape
    pairs = tf.reshape(score, [batch, height, width, 2, channels // 2])
    checks.compare("rpn_softmax/prob", tf.reshape(tf.nn.softmax(pairs, axis=3), score.shape), CLOSE)


def _cases(golden: Golden, group: str) -> list[str]:
    """`group/0`, `group/1` ..."""
    return sorted({"/".join(key.split("/")[:2]) for key in golden if key.startswith(f"{group}/")})


Check = Callable[[Checks, Golden, Config], None]
# First parts of keys, and the function that checks them.
GROUPS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("anchors",), _anchors),
    (("bbox_transform", "bbox_transform_inv", "clip_boxes", "union_box"), _codecs),
    (("bbox_overlaps",), _overlaps),
    (("cpu_nms", "tf_nms", "nms_plus_one"), _suppression),
    (("anchor_target",), _anchor_target),
    (("proposal_layer",), _proposal_layer),
    (("proposal_target",), _proposal_target),
    (("crop",), _crop),
    (("smooth_l1",), _smooth_l1),
    (("rpn_softmax",), _rpn_softmax),
)
