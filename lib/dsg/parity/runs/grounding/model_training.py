"""A step of training of the second stage: losses and gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.features import Maps
from dsg.models.grounding.losses import mask_refinement_loss, object_loss, related_loss, relation_loss
from dsg.models.grounding.mask_transfer import transferred
from dsg.models.grounding.motif import Known
from dsg.models.grounding.refine import mask_logits, of_labels
from dsg.models.grounding.stage import GraphStage, Grounded
from dsg.models.grounding.vctree import Choose, VCTreeContext
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.features import pyramid
from dsg.parity.runs.grounding.model_parts import SIZES, Parts, recipe_name
from dsg.parity.runs.grounding.reading import (
    SPAN,
    each,
    each_boxes,
    images_of,
    joined_pairs,
    mask_targets,
    starts_of,
)
from dsg.parity.runs.grounding.vctree import drawn_before, walk
from dsg.parity.runs.grounding.weights import LSTM_BIAS, moving_values, restore

LOSS = Tolerance("relative", 5e-5, absolute=1e-6)
NORM = Tolerance("relative", 1e-3)
GRADIENT = Tolerance("l2", 5e-3)


class Batch(NamedTuple):
    """The images of one data set."""

    maps: Maps
    boxes: BoxList
    parts: list[np.ndarray]  # the boxes of each image
    labels: np.ndarray  # int32 [N]
    known: Known


def compare_step(checks: Checks, case: str, stage: GraphStage, parts: Parts) -> None:
    """Losses of a step, and the gradients of all that is trained."""
    golden, context = checks.golden, case.split("_")[0]
    before = moving_values(stage)
    graphs, masks = (_batch(golden, case, kind, parts) for kind in ("sg", "m"))
    drawn = _drawn(golden, case, stage, parts, graphs)
    restore(stage, before)
    weights = {name: weight.variable for name, weight in stage.named_weights().items() if weight.trained}
    pairs = joined_pairs(each(golden, f"{case}/sampled/pairs"), graphs.parts)
    with tf.GradientTape() as tape:
        got = stage(
            *(graphs.maps, graphs.boxes, graphs.known, parts.mask_logits(graphs.maps, graphs.boxes)),
            tf.constant(pairs),
            training=True,
            **drawn,
        )
        losses = _graph_losses(golden, case, got, graphs)
        shown = tf.sigmoid(parts.mask_logits(masks.maps, masks.boxes))
        residual = stage.refined(masks.maps, masks.boxes, masks.known, shown, training=True)
        refined = of_labels(mask_logits(shown) + residual, masks.labels)
        targets = mask_targets(golden, f"{case}/input/m/polygons", masks.parts)
        losses["loss_mask_segmentation"] = mask_refinement_loss(refined, targets)
        total = tf.add_n(list(losses.values()))
    restore(stage, before)
    for name, value in {**losses, "total": total}.items():
        checks.compare(f"{case}/loss/{name}", value, LOSS)
    gradients = dict(zip(weights, tape.gradient(total, list(weights.values()))))
    theirs = recipe_name(context)
    _compare_gradients(checks, case, {theirs(name): value for name, value in gradients.items()})


def _batch(golden: Golden, case: str, kind: str, parts: Parts) -> Batch:
    there = f"{case}/input/{kind}"
    own = each_boxes(golden, f"{there}/gt_boxes")
    size = golden.floats(f"{case}/input/image_size_hw", 2, low=1, high=SPAN)
    sizes = tf.constant(np.repeat(size[None], len(own), 0))
    boxes = BoxList(tf.constant(np.concatenate(own)), tf.constant(images_of(own)), sizes)
    maps, labels = pyramid(golden, there), np.concatenate(each(golden, f"{there}/gt_labels")).astype(np.int32)
    known = Known(tf.constant(labels), None)
    if "sgcls" in case:
        scores = parts.scores(maps, boxes.boxes, boxes.image, masks=kind == "m").probabilities
        # The decoder's teacher in training is the detector's best label.
        known = Known(tf.argmax(scores[:, :-1], -1, tf.int32), scores)
    return Batch(maps, boxes, own, labels, known)


def _drawn(golden: Golden, case: str, stage: GraphStage, parts: Parts, batch: Batch) -> dict[str, Any]:
    """What the context would draw: no dropout, and the reference's labels."""
    drawn: dict[str, Any] = {"dropout": tf.ones([len(batch.parts), SIZES.context.hidden])}
    key = f"{case}/sampled/decoder_labels"
    if isinstance(stage.context, VCTreeContext) and key in golden:
        masks, known = transferred(parts.mask_logits(batch.maps, batch.boxes), parts.transfer), batch.known
        nodes = stage.node(batch.maps.crop(batch.boxes.boxes, batch.boxes.image, SIZES.side), masks)
        pairs = stage.context.encode(batch.boxes, nodes, known, known.scores, training=True)[3]
        choose: Choose | None = drawn_before(golden, key, walk(pairs.scores.numpy(), batch.parts)[1])
        drawn["choose"] = choose
    return drawn


def _graph_losses(golden: Golden, case: str, got: Grounded, batch: Batch) -> dict[str, tf.Tensor]:
    predicates = np.concatenate(each(golden, f"{case}/sampled/labels"))
    losses = {
        "loss_rel": relation_loss(got.predicate_logits, predicates),
        "loss_refine_obj": object_loss(got.context.object_logits, batch.labels),
    }
    if got.context.pair_logits is not None:
        starts = starts_of(batch.parts)
        related = np.zeros((starts[-1], starts[-1]), np.float32)
        ends = joined_pairs([part[:, :2] for part in each(golden, f"{case}/input/sg/relations")], batch.parts)
        related[ends[:, 0], ends[:, 1]] = related[ends[:, 1], ends[:, 0]] = 1
        image = batch.boxes.image
        losses["binary_loss"] = related_loss(got.context.pair_logits, related, image, len(batch.parts))
    return losses


def _compare_gradients(checks: Checks, case: str, gradients: dict[str, Any]) -> None:
    """Gradients by the recipe's names; None where nothing depends on a variable."""
    golden = checks.golden
    values = {name: tf.convert_to_tensor(g).numpy() for name, g in gradients.items() if g is not None}
    for name in [name for name in values if LSTM_BIAS.search(name)]:
        # The release keeps two, which are added, and whose gradients are the same.
        values[f"{name}_ih"] = values[f"{name}_hh"] = values.pop(name)
    checks.given(f"{case}/grad_norm_names", f"{case}/no_gradient")
    trained = set(values) & set(golden.words(f"{case}/no_gradient").tolist())
    checks.compare_value(f"{case}/no_gradient: trained", len(trained), 0, EXACT)
    names = golden.words(f"{case}/grad_norm_names").tolist()
    checks.given(f"{case}/grad_norm")
    norms = golden.array(f"{case}/grad_norm", len(names))
    for name, norm in zip(names, norms):
        ours = np.linalg.norm(values[name].astype(np.float64)) if name in values else 0.0
        checks.compare_value(f"{case}/grad_norm/{name}", ours, norm, NORM, f"{case}/grad_norm")
    for key in [key for key in golden if key.startswith(f"{case}/grad/")]:
        checks.compare(key, values[key[len(f"{case}/grad/") :]], GRADIENT, f"{case}/grad")
