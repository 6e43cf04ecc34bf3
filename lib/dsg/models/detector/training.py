"""The losses of a batch on a feature pyramid: both stages, and masks where the images have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.matching import Permutation, random_order
from dsg.models.detector.heads import MASK_SIZE
from dsg.models.detector.losses import (
    BETA,
    anchor_box_loss,
    box_loss,
    class_loss,
    mask_loss,
    objectness_loss,
)
from dsg.models.detector.mask_targets import mask_targets
from dsg.models.detector.model import Detector
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions
from dsg.models.detector.targets import (
    AnchorSample,
    RegionSample,
    SamplingSettings,
    Truth,
    sample_anchors,
    sample_regions,
)


class MaskTraining(NamedTuple):
    """The mask head's part."""

    regions: Regions  # those of objects
    labels: tf.Tensor  # int32 [P]
    targets: tf.Tensor  # float32 [P, 28, 28]
    logits: tf.Tensor  # [P, 28, 28, C]


class Training(NamedTuple):
    """What led to the losses, an entry an image in lists."""

    losses: dict[str, tf.Tensor]  # to be summed
    anchors: list[AnchorSample]
    regions: list[RegionSample]
    outputs: RegionOutputs  # of all sampled regions
    masks: MaskTraining | None


def pyramid_losses(
    model: Detector,
    first: FirstStage,
    truth: Sequence[Truth],
    settings: SamplingSettings,
    order: Permutation = random_order,
    orders: Sequence[Permutation] = (),
    beta: float = BETA,
) -> Training:
    """The losses of a batch.

    Args:
        model: a pyramid detector.
        first: its first stage for the batch.
        truth: of each image.
        settings: of the samples.
        order: of the draws, see `dsg.boxes.matching.draw`.
        orders: one for each image, instead.
        beta: of `smooth_l1`.
    """
    inside, orders = first.rpn.inside, orders or [order] * len(truth)
    anchors = [
        sample_anchors(
            *(first.rpn.anchors, image, settings, orders[number]),
            inside=None if inside is None else inside[number],
        )
        for number, image in enumerate(truth)
    ]
    losses = first_stage_losses(first, anchors, beta)
    regions = [
        sample_regions(
            tf.boolean_mask(first.proposals.boxes[number], first.proposals.valid[number]),
            *(image, settings, orders[number]),
        )
        for number, image in enumerate(truth)
    ]
    together = Regions(
        tf.concat([sample.boxes for sample in regions], 0),
        tf.concat([tf.fill(tf.shape(s.labels), number) for number, s in enumerate(regions)], 0),
    )
    outputs = model.classify(first, together, training=True)
    labels = tf.concat([sample.labels for sample in regions], 0)
    losses["classifier"] = class_loss(outputs.class_logits, labels)
    deltas = tf.concat([sample.deltas for sample in regions], 0)
    losses["box"] = box_loss(outputs.box_deltas, deltas, labels, beta)
    masks = None
    if model.mask_head is not None:
        masks = mask_training(model, first, truth, regions)
        losses["mask"] = mask_loss(masks.logits, masks.targets, masks.labels)
    return Training(losses, anchors, regions, outputs, masks)


def first_stage_losses(
    first: FirstStage, anchors: Sequence[AnchorSample], beta: float = BETA
) -> dict[str, tf.Tensor]:
    """Objectness and boxes of the sampled anchors of all images."""
    logits, labels, deltas, targets = [], [], [], []
    for number, image in enumerate(anchors):
        rows = tf.concat(image.sample, 0)
        logits.append(tf.gather(first.rpn.logits[number], rows))
        labels.append(tf.gather(image.labels, rows))
        deltas.append(tf.gather(first.rpn.deltas[number], image.sample.positive))
        targets.append(image.deltas)
    every = tf.concat(logits, 0)
    return {
        "objectness": objectness_loss(every, tf.concat(labels, 0)),
        "anchor_box": anchor_box_loss(tf.concat(deltas, 0), tf.concat(targets, 0), tf.size(every), beta),
    }


def mask_training(
    model: Detector, first: FirstStage, truth: Sequence[Truth], regions: Sequence[RegionSample]
) -> MaskTraining:
    """Masks of the sampled objects, and what they should be."""
    boxes, image, labels, targets = [], [], [], []
    for number, (objects, sample) in enumerate(zip(truth, regions)):
        rows = tf.where(sample.labels > 0)[:, 0]
        own, matched = tf.gather(sample.boxes, rows), tf.gather(sample.matches, rows)
        boxes.append(own)
        image.append(tf.fill(tf.shape(matched), number))
        labels.append(tf.gather(sample.labels, rows))
        targets.append(mask_targets(objects.masks, own, matched, MASK_SIZE))
    objects_of_all = Regions(tf.concat(boxes, 0), tf.concat(image, 0))
    logits = model.mask_logits(first, objects_of_all)
    return MaskTraining(objects_of_all, tf.concat(labels, 0), tf.concat(targets, 0), logits)
