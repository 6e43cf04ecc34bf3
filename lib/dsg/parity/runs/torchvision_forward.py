"""torchvision's detectors in evaluation: pictures through every stage to boxes and masks.

What stands behind the proposals is run from the stored ones, so that a shift of a thousandth of a pixel in a
box does not show in its crop, and once more from our own, end to end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.conventions import TORCHVISION, decode_classes
from dsg.boxes.paste import expand, paste_masks
from dsg.checkpoints.torchvision import match_weights, torchvision_name
from dsg.models.detector.build import pyramid_detector
from dsg.models.detector.heads import MASK_POOLED, ConvolvedHead
from dsg.models.detector.model import Detector, ProposalSettings
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions, packed
from dsg.models.detector.predictions import class_masks, detections
from dsg.nets.backbones.fpn import Pyramid
from dsg.nets.backbones.resnet_body import CHANNELS, GROUPS, ResnetBody, grouped_convolve
from dsg.nets.initial import unfilled
from dsg.nets.layers import Block, Weighted, convolve
from dsg.nets.outputs import Proposals
from dsg.nets.pyramid_roi import box_levels, pyramid_scales
from dsg.nets.pyramid_rpn import candidates
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.recipes import torch_value
from dsg.pipeline.detector_images import image_batch, scale_boxes

CLASSES = 91
LEVELS = ("p2", "p3", "p4", "p5", "pool")
BODY = "backbone.body."
# of the reference data's README
BATCH, MAPS, PYRAMID, BOXES = (Tolerance("relative", limit) for limit in (1e-6, 3e-5, 6e-5, 6e-5))
FED, PASTED = Tolerance("relative", 1e-4), Tolerance("relative", 1e-5)
OWN_BOXES, OWN_SCORES, OWN_MASKS = (Tolerance("relative", limit) for limit in (1e-4, 5e-4, 2e-3))
RESNEXT, FACTORY = Tolerance("relative", 1e-4), Tolerance("relative", 5e-5)


class TorchChecks(Checks):
    """`Checks` of arrays whose channels come second."""

    def _statistic(self, key: str, name: str, full: np.ndarray, tolerance: Tolerance) -> None:
        super()._statistic(key, name, np.moveaxis(full, 1, -1) if name == "channel_mean" else full, tolerance)


def channels_first(x: Any) -> np.ndarray:
    """[B, H, W, C] -> [B, C, H, W]."""
    return np.moveaxis(np.asarray(x), -1, 1)


def recipe_weights(model: Weighted, seed: int, body: str = BODY) -> None:
    """Fills a model with the recipe's state dict, by the road that a published file takes.

    Raises:
        ValueError: a variable of the model has no name in torchvision.
    """
    variables = model.named_variables()
    state = {}
    for name, variable in variables.items():
        theirs = torchvision_name(name, body)
        if theirs is None:
            raise ValueError(f"{name} has no name in torchvision")
        axes = (3, 2, 0, 1) if len(variable.shape) == 4 else tuple(range(len(variable.shape)))[::-1]
        shape = [variable.shape[axis] for axis in axes]
        state[theirs] = torch_value(theirs, shape, seed)
    values, _ = match_weights(state, {name: v.shape for name, v in variables.items()}, "recipe")
    for name, value in values.items():
        variables[name].assign(value)


def run(golden: Golden) -> Checks:
    """A file of `fasterrcnn_resnet50_fpn`, its second generation, or `maskrcnn_resnet50_fpn`."""
    checks = TorchChecks(golden)
    checks.given("input/.*", "factory/bn_eps")
    with unfilled():
        model = pyramid_detector(
            *("res50", CLASSES),
            masks=any(key.startswith("mask/") for key in golden),
            second_generation="box/conv1.shape" in golden,
            epsilon=float(golden["input/bn_eps"]),
            masked=False,
        )
    recipe_weights(model, int(golden["input/recipe_seed"]))
    images = [
        golden[f"input/{number}/image_rgb_u8"].astype(np.float32) / np.float32(255)
        for number in range(len(golden["input/original_sizes"]))
    ]
    batch = image_batch(images, int(golden["input/min_size"]), int(golden["input/max_size"]))
    checks.compare("image_sizes", batch.sizes, EXACT)
    checks.compare("batch", channels_first(batch.images), BATCH)
    settings = ProposalSettings(
        pre_nms=int(golden["input/rpn_pre_nms_top_n"]),
        post_nms=int(golden["input/rpn_post_nms_top_n"]),
        iou=float(golden["input/rpn_nms_thresh"]),
    )
    sizes = tf.constant(batch.sizes, tf.float32)
    first = _first_stage(checks, model, tf.constant(batch.images), sizes, settings)
    for number in range(len(images)):
        _proposals(checks, first, number, settings.pre_nms)
    stored = stored_proposals(golden, len(images))
    fed = first._replace(proposals=stored)
    outputs = model.classify(fed, packed(stored))
    _second_stage(checks, model, fed, outputs)
    _detections(checks, fed, outputs, images, "")
    own = model.classify(first, packed(first.proposals))
    _detections(checks, first, own, images, "end to end: ")
    if model.mask_head is not None:
        _masks(checks, model, first, images[0])
    if "factory/bn_eps" in golden:
        _factory(checks, tf.constant(batch.images), sizes, settings, images)
    return checks.finish()


def _factory(
    checks: Checks,
    images: tf.Tensor,
    sizes: tf.Tensor,
    settings: ProposalSettings,
    pictures: list[np.ndarray],
) -> None:
    """What torchvision builds where it loads nothing: the same with another epsilon, end to end."""
    golden = checks.golden
    with unfilled():
        model = pyramid_detector("res50", CLASSES, epsilon=float(golden["factory/bn_eps"]), masked=False)
    recipe_weights(model, int(golden["input/recipe_seed"]))
    for number, level in enumerate(model.first_stage.trunk(images), 2):
        checks.compare(f"factory/c{number}", channels_first(level), FACTORY)
    first = model(images, sizes, settings)
    for name, level in zip(LEVELS, first.maps):
        checks.compare(f"factory/{name}", channels_first(level), FACTORY)
    outputs = model.classify(first, packed(first.proposals))
    found = detections(first, outputs, **_thresholds(golden))
    for number, picture in enumerate(pictures):
        kept = first.proposals.valid[number].numpy()
        checks.compare(f"factory/rpn/{number}/kept", first.proposals.indices[number].numpy()[kept], EXACT)
        valid = found.valid[number].numpy()
        boxes = scale_boxes(
            found.boxes[number].numpy()[valid], first.image_size[number].numpy(), picture.shape[:2]
        )
        for name, value, tolerance in (
            (f"det/{number}/row", found.proposals[number].numpy()[valid], EXACT),
            (f"det/{number}/labels", found.classes[number].numpy()[valid], EXACT),
            (f"det/{number}/scores", found.scores[number].numpy()[valid], OWN_SCORES),
            (f"final/{number}/boxes", boxes, OWN_SCORES),
        ):
            # the last ones, too close to call there, are not stored
            checks.compare(f"factory/{name}", value[: len(golden[f"factory/{name}"])], tolerance)


def _thresholds(golden: Golden) -> dict[str, Any]:
    return {
        "threshold": float(golden["input/box_score_thresh"]),
        "iou": float(golden["input/box_nms_thresh"]),
        "limit": int(golden["input/box_detections_per_img"]),
    }


def _first_stage(
    checks: Checks, model: Detector, images: tf.Tensor, sizes: tf.Tensor, settings: ProposalSettings
) -> FirstStage:
    stage = model.first_stage
    checks.compare("stem", channels_first(stage.trunk.stem(images)), MAPS)
    for number, level in enumerate(stage.trunk(images), 2):
        checks.compare(f"c{number}", channels_first(level), MAPS)
    first = model(images, sizes, settings)
    for name, level, logits, deltas in zip(
        LEVELS, first.maps, first.rpn.level_logits, first.rpn.level_deltas
    ):
        checks.compare(name, channels_first(level), PYRAMID)
        checks.compare(f"rpn/logits/{name}", channels_first(logits), PYRAMID)
        checks.compare(f"rpn/deltas/{name}", channels_first(deltas), PYRAMID)
    counts = [int(np.prod(logits.shape[1:])) for logits in first.rpn.level_logits]
    checks.compare("anchors_per_level", np.array(counts), EXACT)
    checks.compare("anchors", first.rpn.anchors, EXACT)
    checks.compare("rpn/objectness", first.rpn.logits, PYRAMID)
    checks.compare("rpn/decoded", first.rpn.boxes, BOXES)
    return first


def _proposals(checks: Checks, first: FirstStage, number: int, pre_nms: int) -> None:
    key = f"rpn/{number}"
    found = candidates(first.rpn, number, first.image_size[number], pre_nms)
    checks.compare(f"{key}/candidates", np.sort(found.rows), EXACT)
    checks.compare(f"{key}/too_small", np.sort(found.rows.numpy()[~found.large.numpy()]), EXACT)
    valid = first.proposals.valid[number].numpy()
    for name, values, tolerance in (
        ("kept", first.proposals.indices, EXACT),
        ("proposals", first.proposals.boxes, BOXES),
        ("scores", first.proposals.scores, BOXES),
    ):
        checks.compare(f"{key}/{name}", values[number].numpy()[valid], tolerance)


def stored_proposals(golden: Golden, images: int) -> Proposals:
    boxes = [golden[f"rpn/{number}/proposals"] for number in range(images)]
    most = max(map(len, boxes))
    padded = np.stack([np.pad(rows, ((0, most - len(rows)), (0, 0))) for rows in boxes])
    valid = tf.sequence_mask([len(rows) for rows in boxes], most)
    return Proposals(tf.constant(padded), tf.cast(valid, tf.float32), valid, tf.zeros(valid.shape, tf.int32))


def _second_stage(checks: Checks, model: Detector, first: FirstStage, outputs: RegionOutputs) -> None:
    regions = packed(first.proposals)
    scales = pyramid_scales(
        [level.shape[1] for level in first.maps[:4]], tf.reduce_max(first.image_size[:, 0])
    )
    checks.compare("box/scales", np.stack(scales), EXACT)
    checks.compare("box/level", box_levels(regions.boxes, scales), EXACT)
    checks.compare("box/roi_pool", channels_first(outputs.crops), FED)
    head = model.box_head
    if isinstance(head, ConvolvedHead):
        for number, level in enumerate(head.maps(outputs.crops), 1):
            checks.compare(f"box/conv{number}", channels_first(level), FED)
    else:
        checks.compare("box/fc6", head.first(outputs.crops), FED)
    checks.compare("box/fc7", outputs.features, FED)
    checks.compare("box/class_logits", outputs.class_logits, FED)
    checks.compare("box/box_regression", outputs.box_deltas, FED)
    checks.compare("box/scores", tf.nn.softmax(outputs.class_logits), FED)
    checks.compare("box/decoded", decode_classes(TORCHVISION, regions.boxes, outputs.box_deltas), FED)


def _detections(
    checks: Checks, first: FirstStage, outputs: RegionOutputs, images: list[np.ndarray], prefix: str
) -> None:
    golden = checks.golden
    settings = _thresholds(golden)
    threshold = settings["threshold"]
    found = detections(first, outputs, **settings)
    settings["limit"] = outputs.class_logits.shape[0] * CLASSES
    every = detections(first, outputs, **settings)
    scores = tf.nn.softmax(outputs.class_logits).numpy()
    image = packed(first.proposals).image.numpy()
    for number, picture in enumerate(images):
        valid = found.valid[number].numpy()
        boxes = found.boxes[number].numpy()[valid]
        counts = [
            int((scores[image == number][:, 1:] > threshold).sum()),
            int(every.valid[number].numpy().sum()),
            int(valid.sum()),
        ]
        sizes = first.image_size[number].numpy(), picture.shape[:2]
        for name, value, tolerance in (
            (f"det/{number}/counts", np.array(counts), EXACT),
            (f"det/{number}/row", found.proposals[number].numpy()[valid], EXACT),
            (f"det/{number}/labels", found.classes[number].numpy()[valid], EXACT),
            (f"det/{number}/boxes", boxes, OWN_BOXES if prefix else FED),
            (f"det/{number}/scores", found.scores[number].numpy()[valid], OWN_SCORES if prefix else FED),
            (f"final/{number}/boxes", scale_boxes(boxes, *sizes), OWN_BOXES if prefix else FED),
        ):
            if prefix:
                checks.compare_value(prefix + name, value, golden[name], tolerance)
            else:
                checks.compare(name, value, tolerance)


def _masks(checks: Checks, model: Detector, first: FirstStage, picture: np.ndarray) -> None:
    """Of the only picture, from the stored detections on."""
    golden = checks.golden
    regions = Regions(tf.constant(golden["det/0/boxes"]), tf.zeros([len(golden["det/0/boxes"])], tf.int32))
    scales = pyramid_scales([level.shape[1] for level in first.maps[:4]], first.image_size[0, 0])
    checks.compare("mask/level", box_levels(regions.boxes, scales), EXACT)
    crops = model.first_stage.crops(first, regions, MASK_POOLED)
    checks.compare("mask/roi_pool", channels_first(crops), FED)
    head = model.mask_head
    maps = head.maps(crops)
    for number, level in enumerate(maps, 1):
        checks.compare(f"mask/head{number}", channels_first(level), FED)
    doubled = head.up(maps[-1])
    checks.compare("mask/conv5", channels_first(doubled), FED)
    logits = head.masks(doubled)
    checks.compare("mask/logits", channels_first(logits), FED)
    masks = class_masks(logits, tf.constant(golden["det/0/labels"].astype(np.int32))).numpy()
    checks.compare("mask/prob", masks[:, None], FED)
    boxes = golden["final/0/boxes"]
    pasted = paste_masks(golden["mask/prob"][:, 0], boxes, *picture.shape[:2])
    index = golden["final/0/masks.index"]
    checks.given(r"final/0/masks\.(index|near_half)")
    checks.compare("final/0/masks", pasted[index][:, None], PASTED)
    checks.compare("final/0/masks.sum", pasted.sum((1, 2)), Tolerance("relative", 1e-4))
    expanded = expand(boxes, masks.shape[-1])
    margin = np.abs(expanded - np.round(expanded)).min(1)
    checks.compare("final/0/paste_margin", margin, Tolerance("absolute", 1e-3))
    differing = np.abs((pasted > 0.5).sum((1, 2)) - golden["final/0/masks.count"])
    near = golden["final/0/masks.near_half"]
    checks.given(r"final/0/masks\.count")
    checks.compare_value(
        "final/0/masks.count beyond near_half", np.maximum(differing - near, 0), 0 * near, EXACT
    )


class _Backbone(Block):
    """A body and its pyramid."""

    def __init__(self, body: str, epsilon: float) -> None:
        super().__init__()
        self.trunk = ResnetBody(body, epsilon=epsilon)
        self.pyramid = Pyramid(CHANNELS)


def run_resnext(golden: Golden) -> Checks:
    """The body with grouped convolutions and its pyramid."""
    checks = TorchChecks(golden)
    checks.given("input/.*")
    model = _Backbone("x101_32x8d", float(golden["input/bn_eps"]))
    recipe_weights(model, int(golden["input/recipe_seed"]), "body.")
    picture = golden["input/image_rgb_u8"].astype(np.float32) / np.float32(255)
    images = tf.constant(image_batch([picture], min(picture.shape[:2]), max(picture.shape[:2])).images)
    unit = model.trunk.block1[0]
    stem = model.trunk.stem(images)
    # the first and the grouped one are stored before their normalisation, the one between as the next sees it
    checks.compare("conv1", channels_first(convolve(images, model.trunk.conv1.kernel, 2)), RESNEXT)
    inner = unit.conv1(stem)
    checks.compare("layer1.0/conv1", channels_first(inner), RESNEXT)
    grouped = grouped_convolve(inner, tf.convert_to_tensor(unit.conv2.kernel), 1, GROUPS["x101_32x8d"])
    checks.compare("layer1.0/conv2", channels_first(grouped), RESNEXT)
    body = model.trunk(images)
    for number, level in enumerate(body, 2):
        checks.compare(f"c{number}", channels_first(level), RESNEXT)
    for name, level in zip(LEVELS, model.pyramid(body)):
        checks.compare(name, channels_first(level), RESNEXT)
    return checks.finish()
