"""The losses of a batch on one map, as tf-faster-rcnn has them, and of masks."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.boxes.transform_np import BoxCoderNp
from dsg.config import Config
from dsg.models.detector.conventions import region_coder
from dsg.models.detector.heads import MASK_SIZE
from dsg.models.detector.losses import (
    class_loss,
    mask_loss,
    mean_box_loss,
    softmax_objectness_loss,
    weighted_anchor_box_loss,
)
from dsg.models.detector.mask_targets import mask_targets
from dsg.models.detector.model import Detector
from dsg.models.detector.outputs import FirstStage, Regions
from dsg.models.detector.sampling import sample_regions

if TYPE_CHECKING:
    from dsg.pipeline.instance_batch import InstanceBatch


class BatchSample(NamedTuple):
    """The regions of a batch that the second stage is trained on, image after image."""

    boxes: tf.Tensor  # float32 [S, 4]
    image: tf.Tensor  # int32 [S]
    labels: tf.Tensor  # int32 [S]: 0 background
    deltas: tf.Tensor  # float32 [S, 4]
    matches: tf.Tensor  # int32 [S]: the row of the image's `gt_boxes`; 0 for background


def single_map_losses(
    model: Detector, first: FirstStage, batch: InstanceBatch, config: Config
) -> dict[str, tf.Tensor]:
    """Unweighted terms by the names of LOSS.*: float32 scalars, means over the images of the batch.

    Args:
        model: a detector of one map.
        first: its first stage for the batch.
        batch: with ground truth and `rpn_*`.
        config: TRAIN.*, DETECTOR.ADD_GT and RNG_SEED.
    """
    labels = batch["rpn_labels"]
    inside = tf.cast(tf.equal(labels, 1), tf.float32)
    losses = {
        "rpn_class": softmax_objectness_loss(first.rpn.logits, labels),
        "rpn_box": weighted_anchor_box_loss(
            first.rpn.deltas, batch["rpn_deltas"], inside, batch["rpn_weights"]
        ),
    }
    sample = sample_batch(first, batch, config)
    outputs = model.classify(first, Regions(sample.boxes, sample.image), training=True)
    # every image has as many regions, so the mean over all is the mean over images
    losses["region_class"] = class_loss(outputs.class_logits, sample.labels)
    losses["box"] = mean_box_loss(outputs.box_deltas, sample.deltas, sample.labels)
    if model.mask_head is not None:
        losses["mask"] = _mask_loss(model, first, sample, batch["gt_masks"])
    return losses


def sample_batch(first: FirstStage, batch: InstanceBatch, config: Config) -> BatchSample:
    """TRAIN.BATCH_SIZE regions of each image, by `dsg.models.detector.sampling.sample_regions`.

    The draws follow from RNG_SEED, the image and its proposals alone.
    """
    types = (tf.float32, tf.int32, tf.int32, tf.float32, tf.int32)

    def sample(*arrays: np.ndarray) -> list[np.ndarray]:
        images = [_sample_image(*rows, config=config) for rows in zip(*arrays)]
        columns = [np.concatenate(column) for column in zip(*images)]
        numbers = np.repeat(np.arange(len(images), dtype=np.int32), config.train.batch_size)
        return [columns[0], numbers, *columns[1:]]

    proposals = first.proposals
    inputs = [
        *(proposals.boxes, proposals.valid, batch["gt_boxes"], batch["gt_classes"], batch["gt_valid"]),
        batch["index"],
    ]
    shapes = ([None, 4], [None], [None], [None, 4], [None])
    values = tf.numpy_function(sample, [tf.stop_gradient(value) for value in inputs], types)
    return BatchSample(*(tf.ensure_shape(value, shape) for value, shape in zip(values, shapes)))


def _sample_image(
    boxes: np.ndarray,
    valid: np.ndarray,
    gt_boxes: np.ndarray,
    gt_classes: np.ndarray,
    gt_valid: np.ndarray,
    index: np.ndarray,
    *,
    config: Config,
) -> tuple[np.ndarray, ...]:
    """Boxes, labels, deltas and matches of an image's regions."""
    train, objects = config.train, np.flatnonzero(gt_valid)
    pool = [boxes[valid]] + [gt_boxes[objects]] * config.detector.add_gt
    sampled = sample_regions(
        *(np.concatenate(pool), gt_boxes[objects], gt_classes[objects]),
        count=train.batch_size,
        fg_fraction=train.fg_fraction,
        fg_threshold=train.fg_thresh,
        bg_thresholds=(train.bg_thresh_lo, train.bg_thresh),
        coder=region_coder(config, BoxCoderNp),
        rng=np.random.default_rng((config.rng_seed, int(index), zlib.crc32(boxes[valid].tobytes()))),
    )
    matches = objects[sampled.matches] if len(objects) else sampled.matches
    return sampled.boxes, sampled.labels, sampled.deltas, matches.astype(np.int32)


def _mask_loss(model: Detector, first: FirstStage, sample: BatchSample, gt_masks: tf.Tensor) -> tf.Tensor:
    """`mask_loss` of the objects among the regions; `gt_masks` is uint8 [B, G, H, W]."""
    rows = tf.where(sample.labels > 0)[:, 0]
    boxes, image, labels, matches = (
        tf.gather(values, rows) for values in (sample.boxes, sample.image, sample.labels, sample.matches)
    )
    shape = tf.shape(gt_masks)
    masks = tf.reshape(gt_masks, tf.concat([[shape[0] * shape[1]], shape[2:]], 0))
    targets = mask_targets(masks, boxes, image * shape[1] + matches, MASK_SIZE)
    logits = model.mask_logits(first, Regions(boxes, image))
    return mask_loss(logits, tf.stop_gradient(targets), labels)
