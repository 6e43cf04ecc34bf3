"""What the region proposal network of a feature pyramid learns from: anchors matched in the graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.config import Config
from dsg.models.detector.losses import anchor_box_loss, objectness_loss
from dsg.models.detector.seeds import SeededOrder
from dsg.models.detector.targets import SamplingSettings, Truth, sample_anchors
from dsg.nets.pyramid_rpn import PyramidRpnOutputs
from dsg.nets.seeds import content_seed
from dsg.pipeline.batch import Batch


def pyramid_rpn_losses(rpn: PyramidRpnOutputs, batch: Batch, config: Config) -> dict[str, tf.Tensor]:
    """`rpn_class` and `rpn_box`, each computed for every image on its own and averaged over the batch.

    Which anchors are drawn follows from RNG_SEED, the image and what the network says of it.
    """
    train = config.train
    settings = SamplingSettings(
        anchor_high=train.rpn_positive_overlap,
        anchor_low=train.rpn_negative_overlap,
        anchors=train.rpn_batchsize,
        positive_anchors=train.rpn_fg_fraction,
    )

    def of_image(image: tuple[Any, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        index, logits, deltas, inside, gt_boxes, gt_valid = image
        boxes = tf.boolean_mask(gt_boxes, gt_valid)
        truth = Truth(_with_area(boxes), tf.ones(tf.shape(boxes)[:1], tf.int32))
        order = SeededOrder(content_seed(logits, index + config.rng_seed % 2**31))
        anchors = sample_anchors(rpn.anchors, truth, settings, order, inside)
        rows = tf.concat(anchors.sample, 0)
        box = anchor_box_loss(tf.gather(deltas, anchors.sample.positive), anchors.deltas, tf.size(rows))
        return objectness_loss(tf.gather(logits, rows), tf.gather(anchors.labels, rows)), box

    images = (batch["index"], rpn.logits, rpn.deltas, rpn.inside, batch["gt_boxes"], batch["gt_valid"])
    scalar = tf.TensorSpec([], tf.float32)
    objectness, box = tf.map_fn(of_image, images, fn_output_signature=(scalar, scalar))
    return {"rpn_class": tf.reduce_mean(objectness), "rpn_box": tf.reduce_mean(box)}


def _with_area(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes whose last pixel is their first, as the release writes a box of one pixel, a pixel wide."""
    return tf.concat([boxes[:, :2], tf.maximum(boxes[:, 2:], boxes[:, :2] + 1.0)], 1)
