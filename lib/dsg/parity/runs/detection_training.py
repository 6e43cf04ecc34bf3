"""tf-faster-rcnn's detector in training: draws, targets, losses, gradients and a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.conventions import STDS
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.engine.optimizers import double_bias
from dsg.models.detector.build import single_map_detector
from dsg.models.detector.losses import (
    class_loss,
    decay_loss,
    mean_box_loss,
    softmax_objectness_loss,
    weighted_anchor_box_loss,
)
from dsg.models.detector.model import ProposalSettings
from dsg.models.detector.outputs import FirstStage, Regions
from dsg.models.detector.sampling import SampledRegions, sample_regions
from dsg.nets.initial import unfilled
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.detection_forward import LIMITS, PIXEL_MEANS, recipe_weights
from dsg.pipeline.anchor_targets import AnchorTargets, anchor_targets
from dsg.pipeline.images import to_blob

NET = "res50"
TARGETS, LOSS = Tolerance("relative", 5e-5), Tolerance("relative", 5e-5)
# first pattern that is in a name -> limits of the gradient, of the RPN's alone, and of the value after a step
GRADIENTS = (
    ("block4/unit_1", 1e-2, 1e-2, 1e-5),
    ("block4", 2e-3, 2e-3, 1e-5),
    ("block", 1.5e-1, 3e-2, 2e-4),
    ("rpn_conv", 2e-3, 1e-4, 1e-5),
    ("", 2e-3, 2e-3, 1e-5),
)


def run(golden: Golden) -> Checks:
    """The training file of res50."""
    head, scored, own = (Tolerance("relative", LIMITS[NET][place]) for place in (1, 2, 4))
    checks = Checks(golden)
    checks.given("input/.*", "shape/.*", "index/.*", "regularized", "all_trainable", "grad_l2_names")
    checks.skip(r"blob\.crc32.*", "holds for the OpenCV that made it only")
    image = golden["input/image_bgr_u8"]
    blob, scale = to_blob(image, int(golden["input/target_size"]), int(golden["input/max_size"]), PIXEL_MEANS)
    checks.compare("blob", blob[None], Tolerance("absolute", 1e-4))
    with unfilled():
        model = single_map_detector(NET, golden["cls_score"].shape[1])
    recipe_weights(model, NET)
    variables = model.named_variables()
    names = {detector_name(name, NET) or "": name for name in variables}
    for key in [key for key in golden if key.startswith("before/")]:
        value = np.asarray(variables[names[key[len("before/") :]]])
        checks.compare(key, _stored(golden, key[len("before/") :], value), Tolerance("relative", 1e-6))
    size = np.array([blob.shape[:2]], np.float32)
    settings = ProposalSettings(
        0, int(golden["input/rpn_post_nms_top_n"]), float(golden["input/rpn_nms_thresh"])
    )
    rng = np.random.RandomState(int(golden["input/np_random_seed"]))
    with tf.GradientTape(persistent=True) as tape:
        first = model(tf.constant(blob[None]), tf.constant(size), settings)
        anchors = _anchors(golden, first, blob, rng)
        sampled = _regions(golden, first, rng)
        regions = Regions(tf.constant(sampled.boxes), tf.zeros([len(sampled.boxes)], tf.int32))
        outputs = model.classify(first, regions, training=True)
        labels = tf.constant(sampled.labels)
        rpn = {
            "rpn_cross_entropy": softmax_objectness_loss(first.rpn.logits, anchors.labels[None]),
            "rpn_loss_box": weighted_anchor_box_loss(
                first.rpn.deltas,
                *(values[None] for values in (anchors.deltas, anchors.inside, anchors.outside)),
            ),
        }
        losses = {
            **rpn,
            "cross_entropy": class_loss(outputs.class_logits, labels),
            "loss_box": mean_box_loss(outputs.box_deltas, tf.constant(sampled.deltas), labels),
            "regularization_sum": decay_loss(model, float(golden["input/weight_decay"])),
        }
        total = tf.add_n(list(losses.values()))
        rpn_total = tf.add_n(list(rpn.values()))
    _first_stage(checks, first, head, scored)
    _targets(checks, anchors, sampled)
    checks.compare("fc7", outputs.features, own)
    checks.compare("cls_score", outputs.class_logits, own)
    checks.compare("cls_prob", tf.nn.softmax(outputs.class_logits), own)
    checks.compare("bbox_pred", outputs.box_deltas, own)
    for name, value in {**losses, "total_loss": total}.items():
        checks.compare(f"loss/{name}", value, LOSS)
    trained = model.trainable_names()
    wanted = {str(name) for name in golden["all_trainable"]}
    unlike = wanted ^ {str(detector_name(name, NET)) for name in trained}
    checks.compare_value("all_trainable", np.array(len(unlike)), np.array(0), EXACT)
    sources = [variables[name] for name in trained]
    gradients = {n: _dense(g) for n, g in zip(trained, tape.gradient(total, sources))}
    norms = [
        np.linalg.norm(gradients[names[str(name)]].astype(np.float64)) for name in golden["grad_l2_names"]
    ]
    checks.compare("grad_l2", np.array(norms), Tolerance("relative", 2e-2))
    rpn_gradients = {
        n: _dense(g) for n, g in zip(trained, tape.gradient(rpn_total, sources)) if g is not None
    }
    _gradients(checks, golden, names, gradients, rpn_gradients)
    _step(checks, golden, variables, names, gradients)
    return checks.finish()


def _dense(gradient: Any) -> np.ndarray:
    return tf.convert_to_tensor(gradient).numpy()


def _stored(golden: Golden, name: str, value: np.ndarray) -> np.ndarray:
    return value.reshape(-1)[golden[f"index/{name}"]] if f"index/{name}" in golden else value


def _anchors(golden: Golden, first: FirstStage, blob: np.ndarray, rng: Any) -> AnchorTargets:
    _, height, width, _ = first.rpn.hidden.shape
    return anchor_targets(
        first.rpn.anchors.numpy(),
        golden["input/gt_boxes"][:, :4],
        (blob.shape[0], blob.shape[1]),
        (height, width),
        batch_size=int(golden["input/rpn_batchsize"]),
        fg_fraction=float(golden["input/rpn_fg_fraction"]),
        positive_overlap=float(golden["input/rpn_positive_overlap"]),
        negative_overlap=float(golden["input/rpn_negative_overlap"]),
        rng=rng,
    )


def _regions(golden: Golden, first: FirstStage, rng: Any) -> SampledRegions:
    truth = golden["input/gt_boxes"]
    return sample_regions(
        *(first.proposals.boxes[0].numpy(), truth[:, :4], truth[:, 4].astype(np.int64)),
        count=int(golden["input/batch_size"]),
        fg_fraction=float(golden["input/fg_fraction"]),
        fg_threshold=float(golden["input/fg_thresh"]),
        bg_thresholds=(float(golden["input/bg_thresh_lo"]), float(golden["input/bg_thresh_hi"])),
        rng=rng,
    )


def _first_stage(checks: Checks, first: FirstStage, head: Tolerance, scored: Tolerance) -> None:
    rpn = first.rpn
    checks.compare("head", first.maps[0], head)
    logits = np.moveaxis(rpn.logits.numpy(), -1, -2)
    checks.compare("rpn_cls_score", logits.reshape(*logits.shape[:3], -1), scored)
    checks.compare("rpn_bbox_pred", np.reshape(rpn.deltas, [*rpn.deltas.shape[:3], -1]), scored)
    checks.compare("anchors", rpn.anchors, EXACT)
    checks.compare("proposals", rpn.boxes[0], scored)
    checks.compare("proposal_scores", rpn.scores[0], scored)
    checks.compare("nms_indices", first.proposals.indices[0], EXACT)
    checks.compare("rois", np.pad(first.proposals.boxes[0].numpy(), ((0, 0), (1, 0))), scored)


def _targets(checks: Checks, anchors: AnchorTargets, sampled: SampledRegions) -> None:
    height, width, count = anchors.labels.shape
    labels = anchors.labels.transpose(2, 0, 1).reshape(1, 1, count * height, width)
    checks.compare("anchor_target/rpn_labels", labels, EXACT)
    for key, values, tolerance in (
        ("targets", anchors.deltas, TARGETS),
        ("inside_weights", np.repeat(anchors.inside[..., None], 4, -1), EXACT),
        ("outside_weights", np.repeat(anchors.outside[..., None], 4, -1), EXACT),
    ):
        checks.compare(f"anchor_target/rpn_bbox_{key}", values.reshape(1, height, width, -1), tolerance)
    checks.compare("max_overlaps", sampled.overlaps, TARGETS)
    checks.compare("proposal_target/keep_inds", sampled.rows, EXACT)
    checks.compare("proposal_target/rois", np.pad(sampled.boxes, ((0, 0), (1, 0))), TARGETS)
    checks.compare("proposal_target/labels", sampled.labels[:, None], EXACT)
    # there at the four places of the class
    classes = checks.golden["proposal_target/bbox_targets"].shape[1] // 4
    place = (np.arange(classes) == sampled.labels[:, None]) & (sampled.labels[:, None] > 0)
    targets = place[..., None] * sampled.deltas[:, None]
    checks.compare(
        "proposal_target/bbox_targets", targets.reshape(len(place), -1).astype(np.float32), TARGETS
    )
    weights = np.repeat(place, len(STDS), 1).astype(np.float32)
    for side in ("inside", "outside"):
        checks.compare(f"proposal_target/bbox_{side}_weights", weights, EXACT)


def _limits(name: str) -> tuple[float, float, float]:
    return next(limits for part, *limits in GRADIENTS if part in name)  # type: ignore[return-value]


def _gradients(
    checks: Checks,
    golden: Golden,
    names: Mapping[str, str],
    gradients: Mapping[str, np.ndarray],
    rpn_gradients: Mapping[str, np.ndarray],
) -> None:
    for kind, values, place in (("grad", gradients, 0), ("rpn_grad", rpn_gradients, 1)):
        for key in [key for key in golden if key.startswith(f"{kind}/")]:
            theirs = key[len(kind) + 1 :]
            value, limit = values[names[theirs]], _limits(theirs)[place]
            checks.compare(
                key, _stored(golden, theirs, value), Tolerance("l2", limit), f"{kind}: {limit:.0e}"
            )
            norm = np.linalg.norm(value.astype(np.float64))
            norms = Tolerance("relative", 2e-2 if kind == "grad" else 2e-3)
            checks.compare(f"{kind}_norm/{theirs}", norm, norms, f"{kind}_norm")


def _step(
    checks: Checks,
    golden: Golden,
    variables: Mapping[str, Any],
    names: Mapping[str, str],
    gradients: Mapping[str, np.ndarray],
) -> None:
    """Momentum from zero; DOUBLE_BIAS doubles the gradients of biases."""
    rate = np.float32(golden["input/learning_rate"])
    doubled = double_bias({name: tf.constant(value) for name, value in gradients.items()})
    for kind, own in (("after", gradients), ("after_double_bias", doubled)):
        for key in [key for key in golden if key.startswith(f"{kind}/")]:
            theirs = key[len(kind) + 1 :]
            name = names[theirs]
            before = np.asarray(variables[name])
            change = -rate * np.asarray(own[name]) if name in own else np.zeros_like(before)
            limit = _limits(theirs)[2] if name in gradients else 0.0
            checks.compare(key, _stored(golden, theirs, before + change), Tolerance("relative", limit), kind)
            if kind == "after":
                norm = np.linalg.norm(change.astype(np.float64))
                tolerance = Tolerance("relative", 2e-2, absolute=1e-12)
                checks.compare(f"delta_norm/{theirs}", norm, tolerance, "delta_norm")
