"""Unit cases of the box operations, targets, crops and losses; each group of keys has its own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.anchors import anchor_grid, base_anchors
from dsg.boxes.anchors_tf import anchor_grid_tf
from dsg.boxes.nms import nms
from dsg.boxes.overlaps import overlaps
from dsg.boxes.transform import BoxCoder, union_boxes
from dsg.boxes.transform_np import BoxCoderNp
from dsg.config import Config, load_config
from dsg.errors import UserError
from dsg.models.dsg.losses import smooth_l1
from dsg.nets.roi import crop, normalise
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.proposal_layers import check_anchor_target, check_proposal_layer, check_proposal_target
from dsg.parity.runs.reading import CLOSE, HUGE, STRIDE, TINY, cases, image_size, matching, rois_of, sides


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
    for case in cases(golden, "anchors"):
        scales, ratios = (
            golden.array(f"{case}/{key}", None, low=TINY, high=HUGE).tolist() for key in ("scales", "ratios")
        )
        checks.compare(f"{case}/base", base_anchors(scales, ratios, STRIDE), CLOSE)
        for key in [key[:-3] for key in golden if key.startswith(f"{case}/grid") and key.endswith("_hw")]:
            height, width = sides(golden, f"{key}_hw")
            checks.compare(
                f"{key}_np", anchor_grid(height, width, STRIDE, scales, ratios, truncate=False), CLOSE
            )
            checks.compare(f"{key}_tf", anchor_grid_tf(height, width, STRIDE, scales, ratios), CLOSE)


def _codecs(checks: Checks, golden: Golden, config: Config) -> None:
    """Encoding, decoding, clipping, and the boxes around pairs."""
    coder, twin = BoxCoder(), BoxCoderNp()
    checks.given("bbox_transform/(ex|gt)", "bbox_transform_inv/(boxes|deltas)", "clip_boxes/(in|im_info)")
    if "bbox_transform/out" in golden:
        boxes = golden.floats("bbox_transform/ex", None, 4, empty=True)
        targets = golden.floats("bbox_transform/gt", len(boxes), 4, empty=True)
        checks.compare("bbox_transform/out", coder.encode(boxes, targets), CLOSE)
    if "bbox_transform_inv/boxes" in golden:
        boxes = golden.floats("bbox_transform_inv/boxes", None, 4, empty=True)
        deltas = golden.floats("bbox_transform_inv/deltas", len(boxes), 4, empty=True)
        checks.compare("bbox_transform_inv/out_tf", coder.decode(boxes, deltas), CLOSE)
        checks.compare("bbox_transform_inv/out_np", twin.decode(boxes, deltas), CLOSE)
        nothing = np.zeros((0, 4), np.float32)
        checks.compare("bbox_transform_inv/empty", coder.decode(nothing, nothing), CLOSE)
    if "clip_boxes/in" in golden:
        boxes = golden.floats("clip_boxes/in", None, 4, empty=True)
        size = image_size(golden, "clip_boxes/im_info")
        checks.compare("clip_boxes/out_tf", coder.clip(boxes, size), CLOSE)
        checks.compare("clip_boxes/out_np", twin.clip(boxes, size), CLOSE)
    if "union_box/out_x1y1x2y2" in golden:
        checks.compare("union_box/out_x1y1x2y2", union_boxes(rois_of(golden, "crop/rois")), CLOSE)


def _overlaps(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given("bbox_overlaps/(boxes|query)")
    boxes, query = (golden.array(f"bbox_overlaps/{key}", None, 4, empty=True) for key in ("boxes", "query"))
    checks.compare("bbox_overlaps/out", overlaps(boxes, query, np.float64), CLOSE)


def _suppression(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(r"cpu_nms/\d+/(dets|thresh|order|has_ties)", "nms_plus_one/dets")
    for case in cases(golden, "cpu_nms"):
        dets, threshold = golden.floats(f"{case}/dets", None, 5), golden.number(f"{case}/thresh", 0, 1)
        order = None
        if f"{case}/order" in golden:
            order = golden.array(f"{case}/order", len(dets), low=0, high=len(dets) - 1, whole=True)
            order = order.astype(np.int64)
        checks.compare(f"{case}/keep", nms(dets, threshold, order=order), EXACT)
        twin = case.replace("cpu", "tf")
        if f"{case}/has_ties" in golden and golden.number(f"{case}/has_ties"):
            checks.skip(f"{twin}/.*", "scores are tied, and which box of equals wins is not portable")
            continue
        for key, most in matching(golden, rf"{twin}/keep_max(\d{{1,6}})"):
            checks.compare(key, _tf_nms(dets, threshold, int(most)), EXACT)
    for key, kind, limit in matching(golden, r"nms_plus_one/(cpu|tf)_keep_([01](?:\.\d+)?)"):
        dets, threshold = golden.floats("nms_plus_one/dets", None, 5), min(float(limit), 1.0)
        found = nms(dets, threshold) if kind == "cpu" else _tf_nms(dets, threshold, len(dets))
        checks.compare(key, found, EXACT)


def _tf_nms(dets: np.ndarray, threshold: float, most: int) -> Any:
    return tf.image.non_max_suppression(dets[:, [1, 0, 3, 2]], dets[:, 4], most, threshold)


# A GPU rounds once where a processor multiplies and adds: places in the map may be a unit in the last place
# apart, 2e-6 cells where it has 17, and two cells' values twice the largest.
CROPS_ON_GPU = Tolerance("relative", 4e-6)


def _crop(checks: Checks, golden: Golden, config: Config) -> None:
    tolerance = CROPS_ON_GPU if tf.config.list_logical_devices("GPU") else CLOSE
    checks.given("crop/(feature_map|rois)")
    features, rois = golden.floats("crop/feature_map", 1, None, None, None), rois_of(golden, "crop/rois")
    size = tf.constant([[features.shape[1] * STRIDE, features.shape[2] * STRIDE]], tf.float32)
    pairs = union_boxes(rois[None])
    checks.compare("crop/norm_boxes", normalise(tf.constant(rois[None]), size, STRIDE)[0], CLOSE)
    checks.compare("crop/union_boxes_norm", tf.reshape(normalise(pairs, size, STRIDE), [-1, 4]), CLOSE)
    for max_pool in (False, True):
        for key, boxes in (("crops", rois), ("pair_crops", tf.reshape(pairs, [-1, 4]))):
            name = f"crop/max_pool_{int(max_pool)}/{key}"
            if name in golden:
                cells = golden.array(name, *[None] * 4, finite=False).shape[1]
                image = tf.zeros([boxes.shape[0]], tf.int32)
                found = crop(features, boxes, image, cells, image_size=size, stride=STRIDE, max_pool=max_pool)
                checks.compare(name, found, tolerance)


def _smooth_l1(checks: Checks, golden: Golden, config: Config) -> None:
    checks.given(r"smooth_l1/\d+/(pred|target|inside|outside|sigma|dim)")
    for case in cases(golden, "smooth_l1"):
        shape = golden[f"{case}/pred"].shape
        given, target, inside, outside = (
            golden.floats(f"{case}/{key}", *shape) for key in ("pred", "target", "inside", "outside")
        )
        sigma = golden.number(f"{case}/sigma", TINY, HUGE)
        any_rank = golden[f"{case}/dim"].shape
        axes = golden.array(f"{case}/dim", *any_rank, low=-len(shape), high=len(shape) - 1, whole=True)
        prediction = tf.constant(given)
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            each = outside * smooth_l1(inside * (prediction - target), sigma)
            loss = tf.reduce_mean(tf.reduce_sum(each, axes.reshape(-1).astype(int).tolist()))
        checks.compare(f"{case}/loss", loss, CLOSE)
        checks.compare(f"{case}/dloss_dpred", tape.gradient(loss, prediction), CLOSE)


def _rpn_softmax(checks: Checks, golden: Golden, config: Config) -> None:
    """Channel a is paired with channel A + a, as `RegionProposalNetwork` reshapes its logits."""
    checks.given("rpn_softmax/score")
    checks.skip(
        "rpn_softmax/reshaped",
        "the release's detour to the pairing of channels, which the library does not take",
    )
    score = golden.floats("rpn_softmax/score", *[None] * 4)
    batch, height, width, channels = score.shape
    if channels % 2:
        raise UserError(f"{golden.path}: rpn_softmax/score has {channels} channels, expected an even number")
    pairs = tf.reshape(score, [batch, height, width, 2, channels // 2])
    checks.compare("rpn_softmax/prob", tf.reshape(tf.nn.softmax(pairs, axis=3), score.shape), CLOSE)


Check = Callable[[Checks, Golden, Config], None]
# First parts of keys, and the function that checks them.
GROUPS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("anchors",), _anchors),
    (("bbox_transform", "bbox_transform_inv", "clip_boxes", "union_box"), _codecs),
    (("bbox_overlaps",), _overlaps),
    (("cpu_nms", "tf_nms", "nms_plus_one"), _suppression),
    (("anchor_target",), check_anchor_target),
    (("proposal_layer",), check_proposal_layer),
    (("proposal_target",), check_proposal_target),
    (("crop",), _crop),
    (("smooth_l1",), _smooth_l1),
    (("rpn_softmax",), _rpn_softmax),
)
