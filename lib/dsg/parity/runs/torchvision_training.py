"""torchvision's detectors in training: samples, targets, losses, gradients and a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.matching import iou
from dsg.checkpoints.torchvision import POOLED, torchvision_name
from dsg.models.detector.build import pyramid_detector
from dsg.models.detector.heads import MASK_POOLED
from dsg.models.detector.model import Detector, ProposalSettings
from dsg.models.detector.outputs import FirstStage
from dsg.models.detector.targets import SamplingSettings, Truth, match_regions
from dsg.models.detector.training import Training, first_stage_losses, pyramid_losses
from dsg.nets.initial import unfilled
from dsg.nets.pyramid_roi import box_levels, pyramid_scales
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.recipes import permutation
from dsg.parity.runs.torchvision_forward import (
    BATCH,
    BODY,
    BOXES,
    CLASSES,
    FED,
    LEVELS,
    PYRAMID,
    TorchChecks,
    channels_first,
    recipe_weights,
)
from dsg.pipeline.detector_images import image_batch, resize_masks, scale_boxes

LOSS = Tolerance("relative", 1e-5)
UNIT = Tolerance("relative", 1e-5)
TARGETS = Tolerance("relative", 1e-4)
LOSS_NAMES = {
    "objectness": "loss_objectness",
    "anchor_box": "loss_rpn_box_reg",
    "classifier": "loss_classifier",
    "box": "loss_box_reg",
    "mask": "loss_mask",
}
# layers whose gradients are sharp
OUTPUTS = ("rpn.head", "cls_score", "box_predictor.bbox_pred", "mask_fcn_logits")


def run(golden: Golden) -> Checks:
    """A file of `fasterrcnn_resnet50_fpn` or `maskrcnn_resnet50_fpn` in training."""
    checks = TorchChecks(golden)
    checks.given("input/.*", "shape/.*", "index/.*")
    checks.skip("factory/.*", "normalisation with statistics of the batch, which the library does not have")
    masks = "mask/targets" in golden
    with unfilled():
        model = pyramid_detector(
            "res50", CLASSES, masks=masks, epsilon=float(golden["input/bn_eps"]), masked=False
        )
    recipe_weights(model, int(golden["input/recipe_seed"]))
    variables = model.named_variables()
    names = {torchvision_name(name, BODY) or "": name for name in variables}
    _compare_values(checks, "before", variables, names, {})
    images, sizes, truth = _inputs(checks, golden, masks)
    settings = ProposalSettings(
        pre_nms=int(golden["input/rpn_pre_nms_top_n_train"]),
        post_nms=int(golden["input/rpn_post_nms_top_n_train"]),
        iou=float(golden["input/rpn_nms_thresh"]),
    )
    with tf.GradientTape(persistent=True) as tape:
        first = model(images, sizes, settings)
        training = pyramid_losses(model, first, truth, _sampling(golden), _order)
        total = tf.add_n(list(training.losses.values()))
        rpn_total = tf.add_n(list(first_stage_losses(first, training.anchors).values()))
    _forward(checks, model, first, training, truth)
    for ours, theirs in LOSS_NAMES.items():
        if ours in training.losses:
            checks.compare(f"loss/{theirs}", training.losses[ours], LOSS)
    checks.compare("loss/total", total, LOSS)
    trained = model.trainable_names()
    theirs_of = {name: theirs for theirs, name in names.items()}
    wanted = [str(name) for name in golden["trainable"]]
    checks.given("trainable")
    missing = set(wanted) ^ {theirs_of[name] for name in trained}
    checks.compare_value("trainable", np.array(len(missing)), np.array(0), EXACT)
    gradients = dict(zip(trained, tape.gradient(total, [variables[name] for name in trained])))
    rpn_gradients = dict(zip(trained, tape.gradient(rpn_total, [variables[name] for name in trained])))
    # nothing is cropped from a level of which no region was sampled
    gradients, rpn_gradients = (
        {
            name: np.zeros(variables[name].shape, np.float32) if g is None else _dense(g)
            for name, g in all_of.items()
        }
        for all_of in (gradients, rpn_gradients)
    )
    norms = np.array([np.linalg.norm(gradients[names[name]].astype(np.float64)) for name in wanted])
    checks.compare("grad_l2", norms, Tolerance("relative", 3e-3))
    _compare_gradients(checks, "grad", gradients, names)
    _compare_gradients(checks, "rpn_grad", rpn_gradients, names)
    _step(checks, golden, model, names, gradients)
    return checks.finish()


def _dense(gradient: Any) -> np.ndarray:
    return tf.convert_to_tensor(gradient).numpy()


def _order(count: tf.Tensor) -> tf.Tensor:
    return tf.constant(permutation(int(count)).astype(np.int32))


def _sampling(golden: Golden) -> SamplingSettings:
    return SamplingSettings(
        anchor_high=float(golden["input/rpn_fg_iou_thresh"]),
        anchor_low=float(golden["input/rpn_bg_iou_thresh"]),
        anchors=int(golden["input/rpn_batch_size_per_image"]),
        positive_anchors=float(golden["input/rpn_positive_fraction"]),
        region_threshold=float(golden["input/box_fg_iou_thresh"]),
        regions=int(golden["input/box_batch_size_per_image"]),
        positive_regions=float(golden["input/box_positive_fraction"]),
    )


def _inputs(checks: Checks, golden: Golden, masks: bool) -> tuple[tf.Tensor, tf.Tensor, list[Truth]]:
    pictures = [golden[f"input/{n}/image_rgb_u8"] for n in range(2)]
    images = [picture.astype(np.float32) / np.float32(255) for picture in pictures]
    batch = image_batch(images, int(golden["input/min_size"]), int(golden["input/max_size"]))
    checks.compare("image_sizes", batch.sizes, EXACT)
    checks.compare("batch", channels_first(batch.images), BATCH)
    truth = []
    for number, picture in enumerate(pictures):
        size = batch.sizes[number]
        boxes = scale_boxes(golden[f"input/{number}/boxes"], picture.shape[:2], size)
        checks.compare(f"target/{number}/boxes", boxes, UNIT)
        own = resize_masks(golden[f"input/{number}/masks"], *size) if masks else None
        if own is not None:
            checks.compare(f"target/{number}/masks", own, EXACT)
            own = tf.constant(own)
        classes = golden[f"input/{number}/labels"].astype(np.int32)
        truth.append(Truth(tf.constant(boxes), tf.constant(classes), own))
    return tf.constant(batch.images), tf.constant(batch.sizes, tf.float32), truth


def _forward(
    checks: Checks, model: Detector, first: FirstStage, training: Training, truth: list[Truth]
) -> None:
    golden = checks.golden
    for name, level in zip(LEVELS, first.maps):
        checks.compare(name, channels_first(level), PYRAMID)
    counts = [int(np.prod(logits.shape[1:])) for logits in first.rpn.level_logits]
    checks.compare("anchors_per_level", np.array(counts), EXACT)
    checks.compare("rpn/objectness", first.rpn.logits, PYRAMID)
    for number, (objects, anchors, regions) in enumerate(zip(truth, training.anchors, training.regions)):
        sample = anchors.sample
        rows = tf.concat(sample, 0)
        best_anchors = tf.reduce_max(iou(objects.boxes, first.rpn.anchors), 1)
        checks.compare(f"rpn/{number}/best_iou_per_gt", best_anchors, UNIT)
        checks.compare(f"rpn/{number}/anchor_labels", anchors.labels, EXACT)
        checks.compare(f"rpn/{number}/anchor_matches", _unlifted(anchors.matches, golden, number), EXACT)
        checks.compare(f"rpn/{number}/sampled_pos", sample.positive, EXACT)
        checks.compare(f"rpn/{number}/sampled_neg", sample.negative, EXACT)
        checks.compare(f"rpn/{number}/targets_pos", anchors.deltas, TARGETS)
        checks.compare(
            f"rpn/{number}/deltas_pos", tf.gather(first.rpn.deltas[number], sample.positive), PYRAMID
        )
        checks.compare(f"rpn/{number}/objectness_sampled", tf.gather(first.rpn.logits[number], rows), PYRAMID)
        valid = first.proposals.valid[number].numpy()
        proposals = first.proposals.boxes[number].numpy()[valid]
        checks.compare(f"rpn/{number}/kept", first.proposals.indices[number].numpy()[valid], EXACT)
        checks.compare(f"rpn/{number}/proposals", proposals, BOXES)
        _, classes, matches, best = match_regions(tf.constant(proposals), objects, 0.5)
        checks.compare(f"roi/{number}/candidate_labels", classes, EXACT)
        checks.compare(f"roi/{number}/candidate_matches", matches, EXACT)
        checks.compare(f"roi/{number}/candidate_best_iou", best, Tolerance("relative", 1e-4))
        for key, value, tolerance in (
            ("sampled", regions.rows, EXACT),
            ("proposals", regions.boxes, BOXES),
            ("labels", regions.labels, EXACT),
            ("matches", regions.matches, EXACT),
            ("targets", regions.deltas, Tolerance("relative", 1e-3)),
        ):
            checks.compare(f"roi/{number}/{key}", value, tolerance)
    _second_stage(checks, model, first, training)


def _unlifted(matches: tf.Tensor, golden: Golden, number: int) -> np.ndarray:
    return matches.numpy().astype(golden[f"rpn/{number}/anchor_matches"].dtype)


def _second_stage(checks: Checks, model: Detector, first: FirstStage, training: Training) -> None:
    own = Tolerance("relative", 1e-3)
    scales = pyramid_scales([m.shape[1] for m in first.maps[:4]], tf.reduce_max(first.image_size[:, 0]))
    boxes = tf.concat([sample.boxes for sample in training.regions], 0)
    checks.compare("box/level", box_levels(boxes, scales), EXACT)
    checks.compare("box/roi_pool", channels_first(training.outputs.crops), own)
    checks.compare("box/fc7", training.outputs.features, own)
    checks.compare("box/class_logits", training.outputs.class_logits, own)
    checks.compare("box/box_regression", training.outputs.box_deltas, own)
    if training.masks is None:
        return
    masks = training.masks
    checks.compare("mask/proposals", masks.regions.boxes, FED)
    checks.compare("mask/proposals_per_image", np.bincount(masks.regions.image), EXACT)
    checks.compare("mask/labels", masks.labels, EXACT)
    checks.compare("mask/targets", masks.targets, own)
    crops = model.first_stage.crops(first, masks.regions, MASK_POOLED)
    checks.compare("mask/roi_pool", channels_first(crops), own)
    checks.compare("mask/logits", channels_first(masks.logits), Tolerance("relative", 2e-3))


def their_layout(name: str, value: np.ndarray) -> np.ndarray:
    """A value of our variable `name` in torch's layout: `checkpoints.torchvision.our_layout`, turned back."""
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if value.ndim != 2:
        return value
    if name.startswith("box_head/fc6"):
        cells = value.reshape(POOLED, POOLED, -1, value.shape[1])
        return cells.transpose(3, 2, 0, 1).reshape(value.shape[1], -1)
    return value.T


def _stored(golden: Golden, theirs: str, value: np.ndarray) -> np.ndarray:
    """The entries of a tensor that the file stores."""
    flat = value.reshape(-1)
    return flat[golden[f"index/{theirs}"]] if f"index/{theirs}" in golden else flat


def _compare_values(
    checks: Checks,
    kind: str,
    variables: Mapping[str, Any],
    names: Mapping[str, str],
    limits: Mapping[str, float],
) -> None:
    for key in [key for key in checks.golden if key.startswith(f"{kind}/")]:
        theirs = key[len(kind) + 1 :]
        value = their_layout(names[theirs], np.asarray(variables[names[theirs]]))
        checks.compare(
            key, _stored(checks.golden, theirs, value), Tolerance("relative", limits.get(theirs, 1e-6))
        )


def _limit(theirs: str, rpn_only: bool) -> float:
    if rpn_only:
        return 3e-2 if "layer2" in theirs or "layer3" in theirs or "layer4.0" in theirs else 1e-3
    if any(part in theirs for part in OUTPUTS):
        return 1e-3
    return 3e-2 if "body" in theirs and "layer4.2.conv3" not in theirs else 1e-2


def _compare_gradients(
    checks: Checks, kind: str, gradients: Mapping[str, np.ndarray], names: Mapping[str, str]
) -> None:
    for key in [key for key in checks.golden if key.startswith(f"{kind}/")]:
        theirs = key[len(kind) + 1 :]
        gradient = their_layout(names[theirs], gradients[names[theirs]])
        stored = _stored(checks.golden, theirs, gradient)
        limit = _limit(theirs, kind == "rpn_grad")
        group = f"{kind}: {limit:.0e}"
        checks.compare(key, stored, Tolerance("l2", limit), group)
        norm = np.linalg.norm(gradient.astype(np.float64))
        checks.compare(f"{kind}_norm/{theirs}", norm, Tolerance("relative", 3e-3), f"{kind}_norm")


def _step(
    checks: Checks,
    golden: Golden,
    model: Detector,
    names: Mapping[str, str],
    gradients: Mapping[str, np.ndarray],
) -> None:
    """SGD with momentum from zero: weight decay is part of the gradient, of biases too."""
    rate, decay = float(golden["input/learning_rate"]), float(golden["input/weight_decay"])
    variables = model.named_variables()
    for key in [key for key in golden if key.startswith("after/")]:
        theirs = key[len("after/") :]
        name = names[theirs]
        before = np.asarray(variables[name])
        change = np.zeros_like(before)
        if name in gradients:
            change = -np.float32(rate) * (gradients[name] + np.float32(decay) * before)
        after = their_layout(name, before + change)
        checks.compare(
            key, _stored(golden, theirs, after), Tolerance("relative", _after_limit(theirs)), "after"
        )
        limit = 0.0 if name not in gradients else max(3e-3, _after_limit(theirs))
        norm = np.linalg.norm(change.astype(np.float64))
        checks.compare(
            f"delta_norm/{theirs}", norm, Tolerance("relative", limit, absolute=1e-12), "delta_norm"
        )


def _after_limit(theirs: str) -> float:
    sharp = ("rpn.head", "box_predictor", "fc7.weight", "mask_head", "mask_predictor")
    if any(part in theirs for part in sharp):
        return 1e-5
    near = ("fc6", "fc7", "fpn", "layer4.2.conv3", "layer3.5")
    return 2e-3 if any(part in theirs for part in near) else 3e-2
