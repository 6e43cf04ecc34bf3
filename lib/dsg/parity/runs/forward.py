"""Forward files: a photo and its queries through the whole network, every stage, losses and evaluation."""

from __future__ import annotations

import re
from pathlib import Path

from dsg.models.dsg.losses import training_losses
from dsg.parity.checks import EXACT, INPUT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.models import RecipeModels
from dsg.parity.runs.case import INPUTS, read_case
from dsg.parity.runs.stages import stages

PIXELS = 1e-3
# The first pattern that matches a key gives its tolerance (the table of the reference data's README).
TOLERANCES: tuple[tuple[str, Tolerance], ...] = (
    (r"nms_.*|cls_pred_.*", EXACT),
    (r"blob|input/im_info", Tolerance("absolute", 1e-4)),
    (r"input/(gt_boxes|im_scale)|anchors", Tolerance("relative", 1e-6)),
    (r"base|block1|block2|head|rpn", Tolerance("relative", 2e-5)),
    (r"proposals|rois|proposal_target/rois|eval/pred_boxes", Tolerance("relative", 2e-5, absolute=PIXELS)),
    (r"rpn_.*|proposal_scores|roi_scores|fc7_pred_bbox|pw_fc7\.coords", Tolerance("relative", 2e-5)),
    (r"(gt_)?(pair_)?(pool5|block4)", Tolerance("relative", 5e-5)),
    (r"gpi_.*_weights", Tolerance("relative", 1e-4)),
    (r"anchor_target/rpn_bbox_targets", Tolerance("relative", 1e-6)),
    (r"proposal_target/bbox_targets", Tolerance("relative", 2e-5)),
    (r"(anchor|proposal)_target/.*", EXACT),
    (r"loss/.*", Tolerance("relative", 2e-5)),
    (r"eval/.*_iou", Tolerance("absolute", 1e-12)),
    (r"eval/.*", Tolerance("relative", 2e-5)),
    (r"(gt_)?(pw_)?fc7|gpi_.*|node_features|(gt_)?(ent|rel)_score", Tolerance("relative", 3e-5)),
    (r"cls_.*|pred_bbox_.*", Tolerance("relative", 3e-5)),
)


def run(golden: Golden, models: RecipeModels, settings: Path | None = None) -> Checks:
    """Every stage of the case against the file."""
    case = read_case(golden, settings)
    if all(INPUT.match(key) for key in golden):  # nothing to run the network for
        checks = Checks(golden)
        checks.given(".*")
        return checks
    model = models.load(case.config, case.num_entities, case.num_predicates)
    batch = case.batch
    outputs = model(batch, training=True)
    losses = training_losses(model, outputs, batch, case.config)
    checks = Checks(golden)
    checks.given(*INPUTS)
    for name, value in stages(case, outputs, losses, model.answer(outputs)):
        checks.compare(name, value, tolerance(name))
    reason = "holds for OpenCV 4.1.2 only, later versions differ in the last bit"
    checks.skip(r"blob\.crc32_float32_bytes", reason)
    return checks.finish()


def tolerance(key: str) -> Tolerance:
    """How far off the stage `key` may be."""
    return next(allowed for pattern, allowed in TOLERANCES if re.fullmatch(pattern, key))
