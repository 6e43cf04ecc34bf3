"""Every term of the objective as a function of tensors, and their weighted sum.

Names are the same here, in `LOSS.*`, in the log and in TensorBoard. Each term is computed for every image on
its own and averaged over the batch, so that a batch of several images means what several steps of one would.
Symbols as in `dsg.pipeline.batch`; paddings weigh nothing.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.boxes.transform import BoxCoder
from dsg.config import Config
from dsg.models.detector.losses import softmax_objectness_loss
from dsg.models.dsg.outputs import HeadOutputs, Outputs
from dsg.models.dsg.pyramid_losses import pyramid_rpn_losses
from dsg.models.dsg.targets import ProposalTargets, proposal_targets
from dsg.nets.pyramid_rpn import PyramidRpnOutputs
from dsg.pipeline.batch import Batch
from dsg.runtime import addons

RPN_SIGMA = 3.0
BOX_SIGMA = 1.0


def training_losses(model: Any, outputs: Outputs, batch: Batch, config: Config) -> dict[str, tf.Tensor]:
    """All terms that `config.loss` gives a weight, unweighted float32 scalars, and `total`, their weighted
    sum.

    Args:
        model: the `DSG` whose kernels are regularised.
        outputs: its outputs for `batch`, called with training=True.
        batch: with ground truth.
        config: weights in `loss`, thresholds in `train`.
    """
    weights, train, heads = config.loss, config.train, outputs.heads
    proposals = outputs.detection.proposals
    targets = targets_of(outputs, batch, config)
    terms = _rpn_losses(outputs.detection.rpn, batch, config)
    if weights.box:
        deltas = heads.first_stage_box_deltas if config.box_source == "feature" else heads.box_deltas
        if config.loss.box_kind == "giou":
            coder = BoxCoder(exact=config.exact_boxes, stds=train.bbox_normalize_stds)
            boxes, truth = (coder.decode(proposals.boxes, each) for each in (deltas, targets.box_deltas))
            terms["box"] = giou_box_loss(boxes, truth, targets.box_weight, proposals.valid)
        else:
            terms["box"] = box_loss(deltas, targets.box_deltas, targets.box_weight, proposals.valid)
    role_weights = targets.role_weights if config.rr.loss == "released" else targets.role_mask
    role = {
        "targets": targets,
        "weights": role_weights,
        "queries": batch["query_valid"],
        "kind": config.rr.loss,
    }
    if weights.rr:
        terms["rr"] = role_loss(heads.role_logits, **role)
    if weights.rr_baseline:
        terms["rr_baseline"] = 0.5 * role_loss(heads.first_stage_role_logits, **role)
    terms.update(_label_losses(heads, targets, batch, config))
    total = tf.add_n([getattr(weights, name) * value for name, value in terms.items()])
    if weights.regularization:
        terms["regularization"] = regularization(model, train.weight_decay)
        total += weights.regularization * terms["regularization"]
    return {**terms, "total": total}


def _rpn_losses(rpn: Any, batch: Batch, config: Config) -> dict[str, tf.Tensor]:
    """Of a frozen pyramid none: matching its many anchors would only cost time."""
    asked = [name for name in ("rpn_class", "rpn_box") if getattr(config.loss, name)]
    if isinstance(rpn, PyramidRpnOutputs):
        if not asked or config.train.freeze_detector:
            return {}
        both = pyramid_rpn_losses(rpn, batch, config)
        return {name: both[name] for name in asked}
    labels, terms = batch["rpn_labels"], {}
    if "rpn_class" in asked:
        terms["rpn_class"] = softmax_objectness_loss(rpn.logits, labels)
    if "rpn_box" in asked:
        terms["rpn_box"] = rpn_box_loss(rpn.deltas, batch["rpn_deltas"], labels, batch["rpn_weights"])
    return terms


def targets_of(outputs: Outputs, batch: Batch, config: Config) -> ProposalTargets:
    """What `outputs` should have said about its proposals, with the thresholds of `config.train`."""
    train = config.train
    return proposal_targets(
        outputs.detection.proposals.boxes,
        outputs.detection.proposals.valid,
        batch["gt_boxes"],
        batch["gt_valid"],
        batch["gt_roles"],
        batch["query_valid"],
        batch["gt_entities"],
        batch["gt_predicates"],
        fg_threshold=train.fg_thresh,
        bg_threshold=train.bg_thresh,
        normalize_stds=train.bbox_normalize_stds,
        assign=train.assign,
    )


def rpn_box_loss(deltas: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Smooth L1 (sigma 3) of positive anchors' deltas [B, h, w, A, 4], weighted by `weights` [B, h, w, A] and
    summed.
    """
    loss = smooth_l1((deltas - targets) * _is(labels, 1)[..., None], RPN_SIGMA)
    return tf.reduce_mean(tf.reduce_sum(loss * weights[..., None], [1, 2, 3, 4]))


def box_loss(deltas: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Smooth L1 (sigma 1) of deltas [B, N, 4] where `weights` [B, N] is 1: summed over coordinates, mean over
    all proposals.
    """
    loss = tf.reduce_sum(smooth_l1((deltas - targets) * weights[..., None], BOX_SIGMA), -1) * weights
    return tf.reduce_mean(
        tf.reduce_sum(loss, -1) / tf.maximum(tf.reduce_sum(tf.cast(valid, tf.float32), -1), 1.0)
    )


def giou_box_loss(boxes: tf.Tensor, truth: tf.Tensor, weights: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """1 - generalised IoU of boxes [B, N, 4] where `weights` [B, N] is 1: mean over all proposals, as
    `box_loss`.
    """
    matched = weights[..., None] > 0
    loss = addons.giou_loss(tf.where(matched, boxes, truth), truth) * weights
    return tf.reduce_mean(
        tf.reduce_sum(loss, -1) / tf.maximum(tf.reduce_sum(tf.cast(valid, tf.float32), -1), 1.0)
    )


def role_loss(
    logits: tf.Tensor, *, targets: ProposalTargets, weights: tf.Tensor, queries: tf.Tensor, kind: str
) -> tf.Tensor:
    """Cross-entropy of roles [B, Q, N, 4].

    `released`: with the balanced weights, over an image's queries and boxes: Q * sum(w CE) / (1 + sum w).
    `sum`: the paper's plain sum.
    """
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(targets.roles, logits)
    loss = tf.reduce_sum(entropy * weights, [1, 2])
    if kind == "released":
        count = tf.reduce_sum(tf.cast(queries, tf.float32), -1)
        loss *= count / (1.0 + tf.reduce_sum(weights, [1, 2]))
    return tf.reduce_mean(loss)


def label_loss(logits: tf.Tensor, labels: tf.Tensor, chosen: tf.Tensor, reduction: str) -> tf.Tensor:
    """Cross-entropy of [B, ..., K] against labels [B, ...] where `chosen` and the label is not -1; summed or
    averaged an image.
    """
    weights = tf.cast(chosen & (labels >= 0), tf.float32)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    axes = list(range(1, labels.shape.rank))
    loss = tf.reduce_sum(entropy * weights, axes)
    if reduction == "mean":
        loss /= tf.maximum(tf.reduce_sum(weights, axes), 1.0)
    return tf.reduce_mean(loss)


def regularization(model: Any, weight_decay: float) -> tf.Tensor:
    """`weight_decay` times half the squared norm of every regularised kernel."""
    variables = model.named_variables()
    return weight_decay * tf.add_n([tf.nn.l2_loss(variables[name]) for name in model.regularised_names()])


def smooth_l1(difference: tf.Tensor, sigma: float) -> tf.Tensor:
    """0.5 (sigma d)^2 where |d| < 1 / sigma^2, else |d| - 0.5 / sigma^2, element by element."""
    size, edge = tf.abs(difference), 1.0 / sigma**2
    return tf.where(size < edge, 0.5 * tf.square(sigma * difference), size - 0.5 * edge)


def _label_losses(
    heads: HeadOutputs, targets: ProposalTargets, batch: Batch, config: Config
) -> dict[str, tf.Tensor]:
    weights, reduction = config.loss, config.loss.labels
    terms: dict[str, tf.Tensor] = {}
    labels: Any = heads.labels
    gt_labels: Any = heads.gt_labels
    matched = targets.match_kind == 1
    if weights.entity:
        terms["entity"] = label_loss(labels.entities, targets.entities, matched, reduction)
    if weights.predicate:
        both = matched[:, :, None] & matched[:, None, :]
        terms["predicate"] = label_loss(labels.predicates, targets.predicates, both, reduction)
    valid = batch["gt_valid"]
    if weights.gt_entity:
        terms["gt_entity"] = label_loss(gt_labels.entities, batch["gt_entities"], valid, reduction)
    if weights.gt_predicate:
        both = valid[:, :, None] & valid[:, None, :]
        terms["gt_predicate"] = label_loss(gt_labels.predicates, batch["gt_predicates"], both, reduction)
    return terms


def _is(labels: tf.Tensor, value: int) -> tf.Tensor:
    return tf.cast(tf.equal(tf.cast(labels, tf.int32), value), tf.float32)
