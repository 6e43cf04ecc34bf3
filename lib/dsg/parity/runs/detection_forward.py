"""tf-faster-rcnn's detector, test mode: a photo through every stage to detections.

What stands behind the proposals is run from the stored ones, and once more from our own, end to end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dsg.boxes.conventions import STDS
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.models.detector.build import single_map_detector
from dsg.models.detector.heads import POOLED, ResnetTail
from dsg.models.detector.model import Detector, ProposalSettings
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions, packed
from dsg.models.detector.predictions import boxes_in_image, image_detections
from dsg.nets.backbones.mobilenet import MobileHead, MobileTrunk
from dsg.nets.backbones.vgg import VggHead, VggTrunk
from dsg.nets.initial import unfilled
from dsg.nets.layers import Weighted
from dsg.nets.roi import crop
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.recipes import slim_value
from dsg.pipeline.images import to_blob

PIXEL_MEANS = (102.9801, 115.9465, 122.7717)
# by net, as the reference data's README has them: maps up to the middle, head and RPN, scores and boxes,
# behind the stored regions, the same end to end, boxes end to end
LIMITS = {
    "res50": (1e-5, 3e-5, 5e-5, 5e-5, 5e-4, 1e-4),
    "vgg16": (1e-5, 5e-5, 1e-4, 1e-4, 5e-4, 1e-4),
    "mobile": (1e-5, 2e-4, 2e-4, 2e-4, 3e-3, 3e-4),
}


def recipe_weights(model: Weighted, net: str) -> None:
    """Fills a model with the recipe's values of tf-faster-rcnn's variables.

    Raises:
        ValueError: a variable of the model has no name there.
    """
    for name, variable in model.named_variables().items():
        theirs = detector_name(name, net)
        if theirs is None:
            raise ValueError(f"{name} has no name in tf-faster-rcnn")
        variable.assign(slim_value(theirs, variable.shape))


def run(golden: Golden) -> Checks:
    """A file of one net in test mode."""
    net = str(golden["input/net"])
    early, head, scored, fed, own, boxes = (Tolerance("relative", limit) for limit in LIMITS[net])
    checks = Checks(golden)
    checks.given("input/.*")
    checks.skip(r"blob\.crc32.*", "holds for the OpenCV that made it only")
    image = golden["input/image_bgr_u8"]
    blob, scale = to_blob(image, int(golden["input/target_size"]), int(golden["input/max_size"]), PIXEL_MEANS)
    info = np.array([*blob.shape[:2], scale], np.float32)
    checks.compare("input/im_info", info, Tolerance("relative", 1e-6))
    checks.compare("blob", blob[None], Tolerance("absolute", 1e-4))
    with unfilled():
        model = single_map_detector(net, int(golden["input/num_classes"]))
    recipe_weights(model, net)
    images, sizes = tf.constant(blob[None]), tf.constant(info[None, :2])
    _trunk(checks, model, images, early, head)
    settings = ProposalSettings(
        0, int(golden["input/rpn_post_nms_top_n"]), float(golden["input/rpn_nms_thresh"])
    )
    first = model(images, sizes, settings)
    _proposals(checks, first, head, scored)
    regions = Regions(tf.constant(golden["rois"][:, 1:]), tf.zeros([len(golden["rois"])], tf.int32))
    outputs = model.classify(first, regions)
    _second_stage(checks, model, first, regions, outputs, fed)
    _detections(checks, regions, outputs, info[2], image, "", fed, fed)
    ours = packed(first.proposals)
    _detections(checks, ours, model.classify(first, ours), info[2], image, "end to end: ", own, boxes)
    return checks.finish()


def _trunk(checks: Checks, model: Detector, images: tf.Tensor, early: Tolerance, head: Tolerance) -> None:
    trunk = model.first_stage.trunk
    named: list[tuple[str, Any]] = []
    if isinstance(trunk, VggTrunk):
        named = [(f"pool{number}", level) for number, level in enumerate(trunk.maps(images)[:4], 1)]
    elif isinstance(trunk, MobileTrunk):
        maps = trunk.maps(images)
        named = [("Conv2d_0", maps[0])]
        named += [(f"Conv2d_{number}_pointwise", level) for number, level in enumerate(maps[1:], 1)]
        named += [
            (f"Conv2d_{number}_depthwise", trunk.blocks[number - 1].after_depthwise(maps[number - 1]))
            for number in range(1, len(maps))
        ]
    else:
        maps = trunk(images)
        named = [("base", maps.base), ("block1", maps.block1), ("block2", maps.block2)]
    for name, level in named:
        checks.compare(name, level, head if name == "pool4" else early)


def _proposals(checks: Checks, first: FirstStage, head: Tolerance, scored: Tolerance) -> None:
    rpn = first.rpn
    checks.compare("head", first.maps[0], head)
    checks.compare("rpn", rpn.hidden, head)
    logits = rpn.logits.numpy()  # [1, h, w, A, 2], there all backgrounds and then all objects
    for name, values in (("score", logits), ("prob", tf.nn.softmax(logits).numpy())):
        flat = np.moveaxis(values, -1, -2).reshape(*values.shape[:3], -1)
        checks.compare(f"rpn_cls_{name}", flat, scored)
    checks.compare("rpn_bbox_pred", np.reshape(rpn.deltas, [*rpn.deltas.shape[:3], -1]), scored)
    checks.compare("anchors", rpn.anchors, EXACT)
    checks.compare("proposals", rpn.boxes[0], scored)
    checks.compare("proposal_scores", rpn.scores[0], scored)
    checks.compare("nms_indices", first.proposals.indices[0], EXACT)
    boxes = first.proposals.boxes[0].numpy()
    checks.compare("rois", np.pad(boxes, ((0, 0), (1, 0))), scored)


def _second_stage(
    checks: Checks,
    model: Detector,
    first: FirstStage,
    regions: Regions,
    outputs: RegionOutputs,
    fed: Tolerance,
) -> None:
    head, crops = model.box_head, outputs.crops
    if checks.has("crops"):
        twice = crop(
            *(first.maps[0], regions.boxes, regions.image, 2 * POOLED),
            image_size=first.image_size,
            stride=16,
        )
        checks.compare("crops", twice, fed)
    checks.compare("pool5", crops, fed)
    if isinstance(head, ResnetTail):
        checks.compare("block4", head.maps(crops), fed)
    elif isinstance(head, VggHead):
        checks.compare("fc6", head.layers_of(crops)[0], fed)
    elif isinstance(head, MobileHead):
        for number, level in enumerate(head.maps(crops), 12):
            checks.compare(f"Conv2d_{number}_pointwise", level, fed)
    checks.compare("fc7", outputs.features, fed)
    checks.compare("bbox_pred_raw", outputs.box_deltas, fed)
    checks.compare(
        "bbox_pred", outputs.box_deltas.numpy() * np.tile(STDS, outputs.box_deltas.shape[1] // 4), fed
    )
    for name, value in (
        ("cls_score", outputs.class_logits),
        ("cls_prob", tf.nn.softmax(outputs.class_logits)),
    ):
        checks.compare(name, value, fed)
    checks.compare("cls_pred", np.argmax(outputs.class_logits, 1), EXACT)


def _detections(
    checks: Checks,
    regions: Regions,
    outputs: RegionOutputs,
    scale: float,
    image: np.ndarray,
    prefix: str,
    scored: Tolerance,
    placed: Tolerance,
) -> None:
    golden = checks.golden
    height, width = image.shape[:2]
    boxes = boxes_in_image(regions.boxes.numpy(), outputs.box_deltas.numpy(), scale, height, width)
    scores = tf.nn.softmax(outputs.class_logits).numpy()
    settings = {"threshold": float(golden["input/score_thresh"]), "iou": float(golden["input/test_nms"])}
    every = image_detections(boxes, scores, limit=0, **settings)
    limit = int(golden["input/max_per_image"])
    found = image_detections(boxes, scores, limit=limit, **settings)
    counts = np.bincount(found.classes, minlength=scores.shape[1])
    named = (
        ("im_detect/scores", scores, scored),
        ("im_detect/boxes", boxes.reshape(len(boxes), -1), placed),
        ("nms/class_and_roi", np.stack([every.classes, every.proposals], 1), EXACT),
        ("nms/image_thresh", np.sort(every.scores)[-limit], scored),
        ("final/class_and_roi", np.stack([found.classes, found.proposals], 1), EXACT),
        ("final/dets", np.concatenate([found.boxes, found.scores[:, None]], 1), placed),
        ("final/count_per_class", counts, EXACT),
    )
    for name, value, tolerance in named:
        if prefix:
            checks.compare_value(prefix + name, value, golden[name], tolerance)
        else:
            checks.compare(name, value, tolerance)
