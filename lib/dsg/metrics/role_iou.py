"""Subject and object IoU of the answers to one image's queries: the release's evaluation (`iou_test` there).

A query's answer is two sets of boxes. From class probabilities they are chosen by `answer_boxes`; a system
that reasons with symbols hands in its own. Each set becomes the union of its boxes' maps and is compared with
that of the ground truth.
Shapes: Q queries, N predicted boxes, G ground-truth boxes, classes 0 background, 1 subject, 2 object, 3
    other.
"""

from __future__ import annotations

import numpy as np

from dsg.metrics.raster import MAP_SIZE, boxes_to_mask, mask_iou, union_masks

SUBJECT, OBJECT = 1, 2
ARGMAX_POLICIES = ("always", "if_empty")


def answer_boxes(
    probabilities: np.ndarray,
    role: int,
    *,
    argmax_policy: str = "always",
    predicted: np.ndarray | None = None,
) -> np.ndarray:
    """The boxes that answer each query in one role.

    Args:
        probabilities: [Q, N, 4] class probabilities.
        role: 1 for the subject, 2 for the object.
        argmax_policy: the box of largest probability belongs to the answer 'always' (the release) or only
            'if_empty': where no box is classified as the role (the paper). The first wins among equals.
        predicted: [Q, N] classes; default the argmax of the probabilities.

    Returns:
        [Q, N] bool.

    Raises:
        ValueError: on an unknown policy.
    """
    if argmax_policy not in ARGMAX_POLICIES:
        raise ValueError(f"argmax_policy must be one of {ARGMAX_POLICIES}, not {argmax_policy!r}")
    if predicted is None:
        predicted = probabilities.argmax(axis=2)
    chosen = predicted == role
    if chosen.shape[1] == 0:
        return chosen
    needs_best = np.arange(len(chosen)) if argmax_policy == "always" else np.flatnonzero(~chosen.any(axis=1))
    best = probabilities[:, :, role].argmax(axis=1)
    chosen[needs_best, best[needs_best]] = True
    return chosen


def selection_iou(
    selected: np.ndarray,
    boxes_norm: np.ndarray,
    gt_selected: np.ndarray,
    gt_boxes_norm: np.ndarray,
    *,
    raster: str = "dsg",
    size: int | tuple[int, int] = MAP_SIZE,
) -> np.ndarray:
    """IoU of the maps of two sets of boxes per query.

    Args:
        selected: [Q, N] bool, predicted boxes in the answer.
        boxes_norm: [N, 4] predicted boxes divided by (width, height), float64 for exact golden results.
        gt_selected: [Q, G] bool.
        gt_boxes_norm: [G, 4], normalised in the same way.
        raster: 'dsg' or 'rr'.
        size: cells per side, or rows and columns.

    Returns:
        [Q] float64; 0 where both maps are empty.
    """
    predicted = union_masks(selected, boxes_to_mask(boxes_norm, size, raster))
    truth = union_masks(gt_selected, boxes_to_mask(gt_boxes_norm, size, raster))
    return mask_iou(predicted, truth)


def role_iou(
    probabilities: np.ndarray,
    boxes_norm: np.ndarray,
    gt_boxes_norm: np.ndarray,
    gt_roles: np.ndarray,
    *,
    predicted: np.ndarray | None = None,
    argmax_policy: str = "always",
    raster: str = "dsg",
    size: int | tuple[int, int] = MAP_SIZE,
) -> tuple[np.ndarray, np.ndarray]:
    """Subject and object IoU of every query of one image.

    Args:
        probabilities: [Q, N, 4] class probabilities.
        boxes_norm: [N, 4] refined boxes, clipped and divided by (width, height), float64.
        gt_boxes_norm: [G, 4], divided alike.
        gt_roles: [Q, G] one role per box (1 subject, 2 object, the rest neither), or a pair of [Q, G] bool,
            subject and object, where a box may have both roles (`role_conflict='both'`).
        predicted, argmax_policy: see `answer_boxes`.
        raster, size: see `dsg.metrics.raster`.

    Returns:
        Two arrays [Q] float64: subject IoU, object IoU.
    """
    masks = gt_roles if isinstance(gt_roles, tuple) else (gt_roles == SUBJECT, gt_roles == OBJECT)
    subject, object_ = (
        selection_iou(
            answer_boxes(probabilities, role, argmax_policy=argmax_policy, predicted=predicted),
            boxes_norm,
            truth,
            gt_boxes_norm,
            raster=raster,
            size=size,
        )
        for role, truth in zip((SUBJECT, OBJECT), masks)
    )
    return subject, object_
