"""Refined masks, from the context on, at full size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.contexts import MOTIF, VCTREE, AnyContext
from dsg.models.grounding.losses import mask_refinement_loss
from dsg.models.grounding.motif import Known
from dsg.models.grounding.refine import MaskRefiner, mask_logits, of_labels
from dsg.nets.initial import unfilled
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.contexts import SIZES, box_list, recipe_context
from dsg.parity.runs.grounding.reading import each, each_boxes, mask_targets, numbers, starts_of
from dsg.parity.runs.grounding.weights import MASK_LAYERS, fill, moving_values, renamed, restore

CLOSE = Tolerance("relative", 2e-5)
LOSS = Tolerance("relative", 2e-5, absolute=1e-7)
CHANNELS, MASK_CATEGORIES = 256, 80
SG = "sg_sgcls"
CASES = ("m_sgcls_test", "m_predcls_test", "m_sgcls_train", "m_zero_test", "m_zero_train", "m_nan_train")


def compare(checks: Checks) -> None:
    """All of `refiner_motif.npz` or `refiner_vctree.npz`; they differ in that only the first has the case
    whose loss is not a number.
    """
    golden = checks.golden
    checks.given(".*/input/.*")
    context = recipe_context(MOTIF if "m_nan_train/loss_seg" in golden else VCTREE)
    before = moving_values(context)
    refiners = recipe_refiner(), recipe_refiner(trained=False)
    known = Known(_labels(golden, SG, "labels"), tf.constant(numbers(golden, f"{SG}/input/scores")))
    x = tf.constant(numbers(golden, f"{SG}/input/x"))
    z = context(box_list(golden, SG)[0], x, known).nodes
    checks.compare(f"{SG}/z_o", z, CLOSE)
    residual = refiners[0](z, tf.constant(numbers(golden, f"{SG}/input/roi")))
    checks.compare(f"{SG}/residual", residual, CLOSE)
    for case in CASES:
        if f"{case}/input/image_size_hw" in golden:
            _compare_case(checks, case, context, refiners)
            restore(context, before)


def recipe_refiner(trained: bool = True) -> MaskRefiner:
    """The refiner; its last layer as it begins if it is not `trained`."""
    with unfilled():
        refiner = MaskRefiner(SIZES.nodes + SIZES.hidden, CHANNELS, MASK_CATEGORIES)
    last = {name: value.numpy() for name, value in refiner.predictor.named_variables().items()}
    fill(refiner, renamed("refiner/", MASK_LAYERS))
    if not trained:
        restore(refiner.predictor, last)
    return refiner


def _labels(golden: Golden, case: str, kind: str) -> tf.Tensor:
    return tf.constant(np.concatenate(each(golden, f"{case}/input/{kind}")), tf.int32)


def _compare_case(
    checks: Checks, case: str, context: AnyContext, refiners: tuple[MaskRefiner, MaskRefiner]
) -> None:
    golden, training = checks.golden, case.endswith("train")
    masks = numbers(golden, f"{case}/input/masks_m")
    if f"{case}/input/masks_m_set_to_one" in golden:
        masks[tuple(golden[f"{case}/input/masks_m_set_to_one"])] = 1.0
    crops = tf.constant(numbers(golden, f"{case}/input/roi"))
    zero = case.startswith("m_zero")
    residual = _refine(checks, case, context, refiners[zero], crops)
    checks.compare(f"{case}/residual", residual, EXACT if zero else CLOSE)
    labels = _labels(golden, case, "true_labels" if training else "labels")
    if checks.has(f"{case}/pred_masks"):
        refined = tf.sigmoid(mask_logits(masks, released=True) + residual)
        checks.compare(f"{case}/pred_masks", of_labels(refined, labels)[..., None], CLOSE)
    boxes = each_boxes(golden, f"{case}/input/boxes")
    targets = mask_targets(golden, f"{case}/input/polygons", boxes)
    for number, start in enumerate(starts_of(boxes)[:-1]):
        own = targets[start : start + len(boxes[number])]
        checks.compare(f"{case}/targets/{number}", own, EXACT)
    if f"{case}/loss_seg" in golden:
        logits = of_labels(mask_logits(masks, released=True) + residual, labels)
        checks.compare(f"{case}/loss_seg", mask_refinement_loss(logits, targets), LOSS)


def _refine(
    checks: Checks, case: str, context: AnyContext, refiner: MaskRefiner, crops: tf.Tensor
) -> tf.Tensor:
    """The residual, and on the way what each layer makes."""
    golden, training = checks.golden, case.endswith("train")
    scores = None if "predcls" in case else tf.constant(numbers(golden, f"{case}/input/scores_m"))
    known = Known(_labels(golden, case, "labels"), scores)
    x = tf.constant(numbers(golden, f"{case}/input/x"))
    z = context.for_masks(box_list(golden, case)[0], x, known, training)
    checks.compare(f"{case}/z_o", z, CLOSE)
    checks.compare(f"{case}/context", refiner.context(z), CLOSE)
    repeated = tf.tile(refiner.context(z)[:, None, None], [1, *crops.shape[1:3], 1])
    maps = {"reduced": refiner.reduce(tf.concat([crops, repeated], -1))}
    for number, conv in enumerate(refiner.convs, 1):
        maps[f"mask_fcn{number}"] = conv(list(maps.values())[-1])
    maps["deconv"] = refiner.deconv(list(maps.values())[-1])
    for key, values in maps.items():
        checks.compare(f"{case}/{key}", values, CLOSE)
    return refiner(z, crops)
