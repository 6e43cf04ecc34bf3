"""What the heads should say about each proposal: its role per query, its labels, its box correction.

The classic proposal_target_layer, batched and inside the training graph. Every proposal takes the
ground-truth box it overlaps most (IoU with +1 widths); how much decides whether it is a match, background, or
in between and ignored. Nothing is sampled and no ground-truth box is added. The other half of the
supervision, that of the anchors, is `anchor_targets.py`, handed on here.

Symbols: B images, N proposals, G ground-truth boxes, Q queries; all padded, with masks. What an image gets
does not depend on the others or on the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.overlaps_tf import overlaps_tf
from dsg.boxes.transform import BoxCoder
from dsg.pipeline.anchor_targets import AnchorTargets, anchor_targets

__all__ = ["AnchorTargets", "ProposalTargets", "anchor_targets", "proposal_targets"]

BACKGROUND, SUBJECT, OBJECT = 0, 1, 2


class ProposalTargets(NamedTuple):
    """Targets of the proposals of a batch; padding weighs 0 everywhere."""

    roles: tf.Tensor
    """int32 [B, Q, N]: 0 background, 1 subject, 2 object, 3 other; 0 in padding, safe to look up."""
    role_mask: tf.Tensor
    """float32 [B, Q, N]: 1 where the role is trained on, 0 where ignored or padding."""
    role_weights: tf.Tensor
    """float32 [B, Q, N]: the release's labels_expand_mask, see `balanced_role_weights`."""
    match: tf.Tensor
    """int32 [B, N]: index of the ground-truth box of largest overlap, the first of equals; 0 without any."""
    match_kind: tf.Tensor
    """int32 [B, N]: 1 matched, -1 background, 0 ignored or padding (the release's labels_mask)."""
    entities: tf.Tensor
    """int32 [B, N]: entity label of the box in `match`, whatever the overlap; -1 where unlabelled or padding.

    Trained on where match_kind is 1.
    """
    predicates: tf.Tensor
    """int32 [B, N, N]: relation label from the first's to the second's box in `match`; -1 where none.

    Trained on where match_kind of both is 1.
    """
    box_deltas: tf.Tensor
    """float32 [B, N, 4]: deltas to the box in `match`, divided by `normalize_stds`; 0 in padding."""
    box_weight: tf.Tensor
    """float32 [B, N]: 1 where matched, else 0 (the release's inside weights, and its outside weights)."""


def proposal_targets(
    boxes: tf.Tensor,
    valid: tf.Tensor,
    gt_boxes: tf.Tensor,
    gt_valid: tf.Tensor,
    gt_roles: tf.Tensor,
    query_valid: tf.Tensor,
    gt_entities: tf.Tensor,
    gt_predicates: tf.Tensor,
    *,
    fg_threshold: float = 0.5,
    bg_threshold: float = 0.3,
    normalize_stds: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
    assign: str = "released",
) -> ProposalTargets:
    """Targets of every proposal; no gradient flows through them.

    Args:
        boxes: float32 [B, N, 4], pixels of the network's input, +1 widths.
        valid: bool [B, N], which of them are proposals.
        gt_boxes: float32 [B, G, 4], in the same units; G may be 0.
        gt_valid: bool [B, G].
        gt_roles: int32 [B, Q, G], role of each box in each query.
        query_valid: bool [B, Q].
        gt_entities: int32 [B, G], -1 where unlabelled.
        gt_predicates: int32 [B, G, G], row subject, column object, -1 if there is no relation.
        fg_threshold: IoU from which a proposal is matched.
        bg_threshold: IoU below which it is background; in between it is ignored.
        normalize_stds: divisors of the deltas [dx, dy, dw, dh].
        assign: "released", or "paper": a proposal whose box is subject or object of a query takes that role
            at any overlap above 0.

    Returns:
        ProposalTargets.

    Raises:
        ValueError: `assign` is something else.
    """
    if assign not in ("released", "paper"):
        raise ValueError(f"assign is 'released' or 'paper', not {assign!r}")
    boxes = tf.stop_gradient(tf.cast(boxes, tf.float32))
    valid, gt_valid, query_valid = (tf.cast(mask, tf.bool) for mask in (valid, gt_valid, query_valid))
    # One more column, never valid, keeps every look-up within range where an image, or the whole batch, has
    # no ground truth.
    gt_boxes = tf.pad(tf.cast(gt_boxes, tf.float32), [[0, 0], [0, 1], [0, 0]])
    gt_valid = tf.pad(gt_valid, [[0, 0], [0, 1]])
    gt_roles = tf.pad(gt_roles, [[0, 0], [0, 0], [0, 1]])
    gt_entities = tf.pad(gt_entities, [[0, 0], [0, 1]], constant_values=-1)
    gt_predicates = tf.pad(gt_predicates, [[0, 0], [0, 1], [0, 1]], constant_values=-1)

    match, overlap = _best_match(boxes, gt_boxes, gt_valid)
    kind = _match_kind(overlap, valid, fg_threshold, bg_threshold)
    has_match = valid & tf.reduce_any(gt_valid, axis=-1, keepdims=True)  # [B, N]

    roles, role_mask = _roles(match, kind, overlap, has_match, gt_roles, query_valid, assign)
    entities = tf.where(has_match, tf.gather(gt_entities, match, batch_dims=1), -1)
    of_subject = tf.gather(gt_predicates, match, batch_dims=1)  # [B, N, G]
    predicates = tf.gather(of_subject, match, axis=2, batch_dims=1)  # [B, N, N]
    both = has_match[:, :, None] & has_match[:, None, :]

    # Padding may hold anything; boxes of one pixel in its place keep the logarithms finite.
    coder = BoxCoder(stds=normalize_stds)
    encoded = coder.encode(
        tf.where(has_match[..., None], boxes, 0.0),
        tf.where(has_match[..., None], tf.gather(gt_boxes, match, batch_dims=1), 0.0),
    )
    return ProposalTargets(
        roles=roles,
        role_mask=tf.cast(role_mask, tf.float32),
        role_weights=balanced_role_weights(roles, role_mask),
        match=match,
        match_kind=kind,
        entities=entities,
        predicates=tf.where(both, predicates, -1),
        box_deltas=encoded,
        box_weight=tf.cast(kind == 1, tf.float32),
    )


def balanced_role_weights(roles: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Weights that keep the many background boxes of a query from outvoting its few subjects and objects.

    Args:
        roles: int32 [B, Q, N].
        mask: bool [B, Q, N], which of them count.

    Returns:
        float32 [B, Q, N]: 0 outside the mask; 0.5 * positives / (1 + backgrounds) for background, positives
        being the subjects and objects of the query; 1 for all else. A factor for "other" is computed in the
        release but never applied.
    """
    background = mask & (roles == BACKGROUND)
    positive = mask & ((roles == SUBJECT) | (roles == OBJECT))
    positives, backgrounds = (
        tf.reduce_sum(tf.cast(which, tf.float32), axis=-1, keepdims=True) for which in (positive, background)
    )
    weight_of_background = 0.5 * positives / (1.0 + backgrounds)
    return tf.where(background, weight_of_background, tf.cast(mask, tf.float32))


def _best_match(boxes: tf.Tensor, gt_boxes: tf.Tensor, gt_valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Index int32 [B, N] and IoU [B, N] of the valid box of largest overlap; 0 and -1 if none is valid."""
    overlap = tf.where(gt_valid[:, None, :], overlaps_tf(boxes, gt_boxes), -1.0)  # [B, N, G]
    return tf.argmax(overlap, axis=-1, output_type=tf.int32), tf.reduce_max(overlap, axis=-1)


def _match_kind(overlap: tf.Tensor, valid: tf.Tensor, fg_threshold: float, bg_threshold: float) -> tf.Tensor:
    """int32 [B, N]: 1 matched, -1 background, 0 in between or padding."""
    matched, background = overlap >= fg_threshold, overlap < bg_threshold
    kind = tf.cast(matched, tf.int32) - tf.cast(background & ~matched, tf.int32)
    return tf.where(valid, kind, 0)


def _roles(
    match: tf.Tensor,
    kind: tf.Tensor,
    overlap: tf.Tensor,
    has_match: tf.Tensor,
    gt_roles: tf.Tensor,
    query_valid: tf.Tensor,
    assign: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Roles int32 [B, Q, N] and which of them count, bool [B, Q, N]."""
    of_match = tf.gather(gt_roles, match, axis=2, batch_dims=1)  # [B, Q, N]
    kind = kind[:, None, :]
    takes_role, counts = kind >= 0, kind != 0  # an ignored proposal keeps its box's role, and weighs nothing
    if assign == "paper":
        touches = (overlap > 0) & has_match  # which padding, too, may
        named = touches[:, None, :] & ((of_match == SUBJECT) | (of_match == OBJECT))
        takes_role, counts = takes_role | named, counts | named
    real = has_match[:, None, :] & query_valid[:, :, None]
    return tf.where(takes_role & real, of_match, BACKGROUND), counts & query_valid[:, :, None]
