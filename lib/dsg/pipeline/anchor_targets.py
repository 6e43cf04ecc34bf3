"""What the region proposal network should say about each anchor (the classic anchor_target_layer).

Image size and ground truth decide it alone, so the input pipeline computes it, off the training step, in
NumPy with the compiled overlaps. Of the anchors inside the image, those that overlap a ground-truth box much
are foreground, those that overlap all of them little are background, and a random choice of both,
`batch_size` in all, is trained on. Symbols: H, W feature map, A anchors a cell, G ground-truth boxes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.overlaps import overlaps
from dsg.boxes.transform_np import BoxCoderNp

FOREGROUND, BACKGROUND, IGNORED = 1, 0, -1


class AnchorTargets(NamedTuple):
    """Targets of the anchors of one image."""

    labels: np.ndarray
    """int8 [H, W, A]: 1 foreground, 0 background, -1 not trained on."""
    deltas: np.ndarray
    """float32 [H, W, A, 4]: from each anchor inside the image to the box it overlaps most; 0 elsewhere."""
    inside: np.ndarray
    """float32 [H, W, A]: 1 for foreground, else 0; the box loss multiplies the difference of deltas by it."""
    outside: np.ndarray
    """float32 [H, W, A]: weight of each anchor's term in the box loss; they sum to 1."""


def anchor_targets(
    anchors: np.ndarray,
    gt_boxes: np.ndarray,
    image_size: tuple[float, float],
    grid_hw: tuple[int, int],
    *,
    batch_size: int = 256,
    fg_fraction: float = 0.5,
    positive_overlap: float = 0.8,
    negative_overlap: float = 0.3,
    clobber_positives: bool = False,
    positive_weight: float = -1.0,
    allowed_border: float = 0,
    match_untouched: bool = True,
    exact: bool = False,
    rng: Any,
) -> AnchorTargets:
    """Labels, regression targets and loss weights of the anchors of one image.

    A grid larger than the image (as in a padded batch) changes nothing for the anchors of the image: the
    others lie outside it.

    Args:
        anchors: float32 [H * W * A, 4], rows ordered (y, x, anchor), +1 widths.
        gt_boxes: float32 [G, 4], pixels of the network's input, no padding; G may be 0.
        image_size: (height, width) in pixels.
        grid_hw: (H, W).
        batch_size: anchors trained on.
        fg_fraction: largest share of foreground among them.
        positive_overlap: IoU from which an anchor is foreground, beside the best anchors of each box.
        negative_overlap: IoU below which an anchor is background.
        clobber_positives: the best anchors of a box are background all the same where their overlap is that
            low.
        positive_weight: the foreground's share of the box loss; negative: every anchor weighs alike.
        allowed_border: pixels by which an anchor may leave the image.
        match_untouched: as in the release, a box that no anchor inside the image touches has all of those
            anchors for its best, overlap 0; False gives it none.
        exact: ground-truth boxes end at x2, where the overlaps of the release have them end a pixel later.
        rng: has `choice(indices, size=, replace=)`. A `np.random.RandomState`, or `np.random` itself after
            `np.random.seed`, repeats the release's draws: surplus foreground first, then surplus background.

    Returns:
        AnchorTargets.
    """
    inside = _inside(anchors, image_size, allowed_border)
    last_pixels = np.asarray(gt_boxes, np.float32) - np.array([0, 0, exact, exact], np.float32)
    # [inside, G]; the release's precision decides ties
    overlap = overlaps(anchors[inside], last_pixels, np.float64)
    labels = _label(overlap, positive_overlap, negative_overlap, clobber_positives, match_untouched)
    _subsample(labels, batch_size, fg_fraction, rng)

    deltas = np.zeros((len(labels), 4), np.float32)
    if overlap.size:
        best = np.asarray(gt_boxes, np.float32)[overlap.argmax(axis=1)]
        deltas = BoxCoderNp().encode(anchors[inside], best)
    foreground = (labels == FOREGROUND).astype(np.float32)
    weights = _loss_weights(labels, positive_weight)

    def on_grid(values: np.ndarray, fill: int = 0) -> np.ndarray:
        """Values of the anchors inside the image, spread over all anchors."""
        every = np.full((len(anchors), *values.shape[1:]), fill, values.dtype)
        every[inside] = values
        return every.reshape(*grid_hw, len(anchors) // max(1, grid_hw[0] * grid_hw[1]), *values.shape[1:])

    return AnchorTargets(on_grid(labels, IGNORED), on_grid(deltas), on_grid(foreground), on_grid(weights))


def _inside(anchors: np.ndarray, image_size: tuple[float, float], border: float) -> np.ndarray:
    """Indices of the anchors that leave the image by no more than `border`."""
    height, width = (float(side) for side in image_size)
    low = (anchors[:, 0] >= -border) & (anchors[:, 1] >= -border)
    high = (anchors[:, 2] < width + border) & (anchors[:, 3] < height + border)
    return np.flatnonzero(low & high)


def _label(
    overlap: np.ndarray, positive: float, negative: float, clobber_positives: bool, match_untouched: bool
) -> np.ndarray:
    """int8 labels from overlaps [anchors, G]; later rules win."""
    if not overlap.size:  # no box: all is background; no anchor: nothing is
        return np.full(len(overlap), BACKGROUND, np.int8)
    best_of_anchor = overlap.max(axis=1)
    best_of_box = overlap.max(axis=0)
    is_best = overlap == best_of_box
    if not match_untouched:
        is_best &= best_of_box > 0
    labels = np.full(len(overlap), IGNORED, np.int8)
    background = best_of_anchor < negative
    labels[background] = BACKGROUND
    labels[is_best.any(axis=1) | (best_of_anchor >= positive)] = FOREGROUND
    if clobber_positives:
        labels[background] = BACKGROUND
    return labels


def _subsample(labels: np.ndarray, batch_size: int, fg_fraction: float, rng: Any) -> None:
    """Ignore what there is too much of, in place; order and form of the two draws are the release's."""
    _limit(labels, FOREGROUND, int(fg_fraction * batch_size), rng)
    _limit(labels, BACKGROUND, batch_size - int(np.sum(labels == FOREGROUND)), rng)


def _limit(labels: np.ndarray, label: int, limit: int, rng: Any) -> None:
    indices = np.flatnonzero(labels == label)
    if len(indices) > limit:
        labels[rng.choice(indices, size=len(indices) - limit, replace=False)] = IGNORED


def _loss_weights(labels: np.ndarray, positive_weight: float) -> np.ndarray:
    """float32 weights in the box loss."""
    foreground, background = labels == FOREGROUND, labels == BACKGROUND
    weights = np.zeros(len(labels), np.float32)
    if positive_weight < 0:
        weights[foreground | background] = 1.0 / max(1, int(np.sum(labels >= 0)))
    else:
        weights[foreground] = positive_weight / max(1, int(foreground.sum()))
        weights[background] = (1.0 - positive_weight) / max(1, int(background.sum()))
    return weights
