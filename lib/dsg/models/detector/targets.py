"""What torchvision's detectors are trained on: of each image a sample of anchors and one of proposals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.conventions import TORCHVISION, TORCHVISION_RPN
from dsg.boxes.matching import BELOW, Permutation, Sample, draw, iou, match, random_order
from dsg.boxes.transform import BoxCoder


class Truth(NamedTuple):
    """The objects of an image, in pixels of the network's input."""

    boxes: tf.Tensor  # float32 [G, 4], each with an area
    classes: tf.Tensor  # int32 [G], from 1
    masks: tf.Tensor | None = None  # [G, H, W] of 0 and 1


class SamplingSettings(NamedTuple):
    """Thresholds and numbers; torchvision's defaults."""

    anchor_high: float = 0.7
    anchor_low: float = 0.3
    anchors: int = 256
    positive_anchors: float = 0.5  # share at most
    region_threshold: float = 0.5
    regions: int = 512
    positive_regions: float = 0.25
    coder: BoxCoder = TORCHVISION  # of the regions' deltas


class AnchorSample(NamedTuple):
    """Targets of an image's anchors."""

    labels: tf.Tensor  # int32 [A]: 1, 0, or -1 in between
    matches: tf.Tensor  # int32 [A], see `matching.match`
    sample: Sample
    deltas: tf.Tensor  # float32 [P, 4] of the sample's positives


class RegionSample(NamedTuple):
    """The proposals of an image, the ground truth among them, that the second stage sees, in their order."""

    rows: tf.Tensor  # int32 [S], of the proposals followed by the ground truth
    boxes: tf.Tensor  # float32 [S, 4]
    labels: tf.Tensor  # int32 [S]: class, 0 background
    matches: tf.Tensor  # int32 [S]: ground truth of each, 0 where background
    deltas: tf.Tensor  # float32 [S, 4], those of background mean nothing


def sample_anchors(
    anchors: tf.Tensor,
    truth: Truth,
    settings: SamplingSettings,
    order: Permutation = random_order,
    inside: tf.Tensor | None = None,
) -> AnchorSample:
    """Anchors that overlap an object much, or as much as any, against those that overlap none; of those that
    are `inside` the image, bool [A], if that is given.
    """

    def matched() -> tf.Tensor:
        overlaps = iou(truth.boxes, anchors)
        if inside is not None:
            overlaps = tf.where(inside, overlaps, -1.0)  # the best of an object is one inside
        return match(overlaps, settings.anchor_high, settings.anchor_low, keep_best=True)

    matches = _matched(truth, matched, anchors)
    labels = tf.where(matches >= 0, 1, tf.where(tf.equal(matches, -1), 0, -1))
    labels = labels if inside is None else tf.where(inside, labels, -1)
    sample = draw(labels, settings.anchors, settings.positive_anchors, order)
    boxes = tf.gather(truth.boxes, tf.gather(matches, sample.positive))
    deltas = TORCHVISION_RPN.encode(tf.gather(anchors, sample.positive), boxes)
    return AnchorSample(labels, matches, sample, deltas)


def match_regions(
    proposals: tf.Tensor, truth: Truth, threshold: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Proposals followed by the ground truth: boxes [K, 4], classes, matches (0 where background), best
    overlap [K].
    """
    boxes = tf.concat([proposals, truth.boxes], 0)
    overlaps = iou(truth.boxes, boxes)
    matches = _matched(truth, lambda: match(overlaps, threshold, threshold), boxes)
    classes = tf.gather(tf.concat([[0], truth.classes], 0), tf.maximum(matches, BELOW) + 1)
    return boxes, classes, tf.maximum(matches, 0), tf.maximum(tf.reduce_max(overlaps, 0), 0.0)


def _matched(truth: Truth, matches: Callable[[], tf.Tensor], boxes: tf.Tensor) -> tf.Tensor:
    """`matches` of the boxes [N, 4], or `BELOW` for all where an image has no objects."""
    nothing = tf.fill(tf.shape(boxes)[:1], BELOW)
    if truth.boxes.shape[0] is not None:
        return matches() if truth.boxes.shape[0] else nothing
    return tf.cond(tf.shape(truth.boxes)[0] > 0, matches, lambda: nothing)


def sample_regions(
    proposals: tf.Tensor, truth: Truth, settings: SamplingSettings, order: Permutation = random_order
) -> RegionSample:
    """Proposals [N, 4] of an image and its ground truth, some of which the second stage is trained on."""
    boxes, classes, matches, _ = match_regions(tf.stop_gradient(proposals), truth, settings.region_threshold)
    rows = draw(classes, settings.regions, settings.positive_regions, order).rows
    boxes, classes, matches = (tf.gather(values, rows) for values in (boxes, classes, matches))
    objects = tf.gather(tf.pad(truth.boxes, [[0, 1], [0, 0]]), matches)  # one more: there may be none
    objects = tf.where(tf.shape(truth.boxes)[0] > 0, objects, boxes)
    return RegionSample(rows, boxes, classes, matches, settings.coder.encode(boxes, objects))
