"""All losses of a batch by the names of LOSS.*, for both kinds of detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.models.detector.conventions import region_coder
from dsg.models.detector.losses import BETA, decay_loss
from dsg.models.detector.model import Detector, ProposalSettings
from dsg.models.detector.outputs import FirstStage
from dsg.models.detector.seeds import SeededOrder
from dsg.models.detector.single_map_training import single_map_losses
from dsg.models.detector.targets import SamplingSettings, Truth
from dsg.models.detector.training import pyramid_losses
from dsg.nets.seeds import content_seed

if TYPE_CHECKING:
    from dsg.pipeline.instance_batch import InstanceBatch

PYRAMID_NAMES = {
    "objectness": "rpn_class",
    "anchor_box": "rpn_box",
    "classifier": "region_class",
    "box": "box",
    "mask": "mask",
}


def batch_losses(model: Detector, batch: InstanceBatch, config: Config) -> dict[str, tf.Tensor]:
    """Unweighted terms, and `total`, their weighted sum: float32 scalars.

    Args:
        model: of `config`.
        batch: of training examples.
        config: the whole configuration.
    """
    if config.backbone in PYRAMIDS:
        batch = filled(batch, config.train.ims_per_batch)
    images = tf.cast(batch["image"], config.train.precision)
    first = model(images, batch["image_size"], training_proposals(config))
    losses = unweighted_losses(model, first, batch, config, config.train.ims_per_batch)
    total = tf.add_n([getattr(config.loss, name) * value for name, value in losses.items()])
    if config.loss.regularization:
        decay = decay_loss(model, config.train.weight_decay, config.mobilenet.weight_decay)
        losses["regularization"] = decay
        total += config.loss.regularization * decay
    return {**losses, "total": total}


def unweighted_losses(
    model: Detector,
    first: FirstStage,
    batch: InstanceBatch,
    config: Config,
    images: int,
    beta: float = BETA,
) -> dict[str, tf.Tensor]:
    """Terms by the names of LOSS.*, after the first stage.

    Args:
        model: of `config`.
        first: its first stage for the batch.
        batch: of training examples.
        config: the whole configuration.
        images: of a pyramid's batch, see `filled`.
        beta: of a pyramid's `smooth_l1`.
    """
    if config.backbone in PYRAMIDS:
        return _pyramid_losses(model, first, batch, config, images, beta)
    return single_map_losses(model, first, batch, config)


def training_proposals(config: Config) -> ProposalSettings:
    """Which boxes the second stage learns from."""
    train = config.train
    return ProposalSettings(
        train.rpn_pre_nms_top_n, train.rpn_post_nms_top_n, train.rpn_nms_thresh, in_graph=config.use_e2e_tf
    )


def sampling_settings(config: Config) -> SamplingSettings:
    """Thresholds and numbers of a pyramid's samples."""
    train = config.train
    return SamplingSettings(
        anchor_high=train.rpn_positive_overlap,
        anchor_low=train.rpn_negative_overlap,
        anchors=train.rpn_batchsize,
        positive_anchors=train.rpn_fg_fraction,
        region_threshold=train.fg_thresh,
        regions=train.batch_size,
        positive_regions=train.fg_fraction,
        coder=region_coder(config),
    )


def filled(batch: InstanceBatch, size: int) -> InstanceBatch:
    """The batch with `size` images, a number that the graph knows: the last of an epoch may have fewer, and
    its last image then counts several times.
    """
    if batch["index"].shape[0] == size:
        return batch
    rows = tf.minimum(tf.range(size), tf.shape(batch["index"])[0] - 1)
    return {key: tf.gather(value, rows) for key, value in batch.items()}  # type: ignore[return-value]


def _pyramid_losses(
    model: Detector, first: FirstStage, batch: InstanceBatch, config: Config, images: int, beta: float
) -> dict[str, tf.Tensor]:
    truth, orders = [], []
    keys = ["gt_boxes", "gt_classes"] + ["gt_masks"] * config.detector.masks
    for number in range(images):
        valid = batch["gt_valid"][number]
        truth.append(Truth(*(tf.boolean_mask(batch[key][number], valid) for key in keys)))  # type: ignore[literal-required]
        seed = content_seed(first.rpn.logits[number], batch["index"][number] + config.rng_seed % 2**31)
        orders.append(SeededOrder(seed))
    settings = sampling_settings(config)
    losses = pyramid_losses(model, first, truth, settings, orders=orders, beta=beta).losses
    return {PYRAMID_NAMES[name]: value for name, value in losses.items()}
