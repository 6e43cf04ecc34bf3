"""The losses of a step of the graph stage (eq. 11), on a detector that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import PREDCLS, SGDET
from dsg.models.detector.batch_losses import training_proposals
from dsg.models.detector.heads import MASK_SIZE
from dsg.models.detector.losses import decay_loss
from dsg.models.detector.mask_targets import mask_targets
from dsg.models.detector.outputs import Regions
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.detector import nodes_of_images
from dsg.models.grounding.inputs import (
    Images,
    annotated,
    detector_masks,
    images_of,
    known_of,
    masks_of,
    node_options,
    predicted,
    regions_of,
)
from dsg.models.grounding.losses import mask_refinement_loss, object_loss, related_loss, relation_loss
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import Known
from dsg.models.grounding.pairs import SampledPairs, batch_pairs, image_rng, sampled_pairs
from dsg.models.grounding.refine import mask_logits, of_labels
from dsg.pipeline.graph_batch import GRAPHS, MASKS
from dsg.pipeline.pair_sampling import sample_proposals


class Nodes(NamedTuple):
    """Boxes to learn from."""

    boxes: BoxList
    known: Known
    labels: tf.Tensor  # int32 [N]: the true ones
    places: tf.Tensor | None  # int32 [N, 2]: image and row of the annotated box; None where detected


def graph_losses(model: GroundingModel, batch: Mapping[str, Any], config: Config) -> dict[str, tf.Tensor]:
    """Unweighted terms by the names of LOSS.*, and `total`, their weighted sum: float32 scalars.

    Args:
        model: with the graph stage.
        batch: of training examples: `dsg.pipeline.graph_batch.GraphBatch`.
        config: the whole configuration.
    """
    pixels = tf.cast(batch["image"], config.train.precision)
    first = model.detector(pixels, batch["image_size"], training_proposals(config))
    if config.grounding.refine:
        losses = relation_losses(model, images_of(first, batch, GRAPHS), config)
        losses["refined"] = refinement_loss(model, images_of(first, batch, MASKS), config)
    else:
        losses = relation_losses(model, Images(first, batch), config)
    total = tf.add_n([getattr(config.loss, name) * value for name, value in losses.items()])
    if config.loss.regularization:
        decay = decay_loss(model, config.train.weight_decay, config.mobilenet.weight_decay)
        losses["regularization"] = decay
        total += config.loss.regularization * decay
    return {**losses, "total": total}


def relation_losses(model: GroundingModel, images: Images, config: Config) -> dict[str, tf.Tensor]:
    """The terms of the graphs' images: `relation`, `object` unless labels are given, and `related` with
    VCTree.
    """
    setting = config.grounding.setting
    if setting == SGDET:
        nodes = detected_nodes(model, images, config)
        sizes = model.graph.sizes
        background, predicates = sizes.context.labels - 1, sizes.predicates - 1
        pairs = sampled_pairs(
            *(nodes.boxes, nodes.labels, images.batch, config), predicates=predicates, background=background
        )
    else:
        nodes = annotated_nodes(model, images, config)
        pairs = batch_pairs(images.batch, nodes.places)
    logits = masks_of(model, images, nodes.boxes, config, nodes.places)
    maps = model.maps(images.first)
    got = model.graph(maps, nodes.boxes, nodes.known, logits, pairs.pairs, training=True)
    losses = stage_losses(got, nodes, pairs, with_objects=setting != PREDCLS)
    return {name: images.present * value for name, value in losses.items()}


def stage_losses(got: Any, nodes: Nodes, pairs: SampledPairs, *, with_objects: bool) -> dict[str, tf.Tensor]:
    """The terms from what the stage says (`Grounded`)."""
    losses = {"relation": relation_loss(got.predicate_logits, pairs.predicates)}
    if with_objects:
        losses["object"] = object_loss(got.context.object_logits, nodes.labels)
    if got.context.pair_logits is not None:
        count = tf.shape(nodes.boxes.image_size)[0]
        losses["related"] = related_loss(got.context.pair_logits, pairs.related, nodes.boxes.image, count)
    return losses


def annotated_nodes(model: GroundingModel, images: Images, config: Config, *, masks: bool = False) -> Nodes:
    """The annotated boxes (PredCls, SGCls); `masks`: of images of the masks' data set."""
    first, setting = images.first, config.grounding.setting
    boxes, labels, places = annotated(images.batch, first.image_size)
    scores = None
    if setting != PREDCLS:
        # As released, the frozen detector drops out where it does so in its own training.
        scores = model.detector.scores(first, regions_of(boxes), masks=masks, training=True)
    return Nodes(boxes, known_of(labels, scores, setting), labels, places)


def detected_nodes(model: GroundingModel, images: Images, config: Config) -> Nodes:
    """What the detector finds among a sample of its proposals (SGDet)."""
    first = images.first
    sample = sampled_regions(images, config, background=model.graph.sizes.context.labels - 1)
    scores = model.detector.scores(first, sample.regions, training=True)
    scores = type(scores)(*(tf.stop_gradient(value) for value in scores))
    found = nodes_of_images(sample.regions, scores, first.image_size, **node_options(config))
    known = Known(found.labels, tf.gather(scores.probabilities, found.rows), found.class_boxes)
    return Nodes(found.boxes, known, tf.gather(sample.labels, found.rows), None)


class SampledRegions(NamedTuple):
    """A sample of the proposals of all images."""

    regions: Regions  # S of them
    labels: tf.Tensor  # int32 [S]; the background last
    matches: tf.Tensor  # int32 [S]: row of the annotated box in the batch; 0 for the background


def sampled_regions(images: Images, config: Config, background: int) -> SampledRegions:
    """TRAIN.BATCH_SIZE proposals of each image at most, the annotated boxes among them, see
    `sampling.sample_proposals`. The draws follow from RNG_SEED, the image and its proposals alone.
    """
    train = config.train

    def sample(*arrays: np.ndarray) -> list[np.ndarray]:
        parts = []
        for number, (boxes, valid, true_boxes, true_labels, true_valid, index) in enumerate(zip(*arrays)):
            true_boxes = true_boxes[true_valid]  # which are the first rows
            drawn = sample_proposals(
                *(np.concatenate([boxes[valid], true_boxes]), true_boxes, true_labels[true_valid]),
                count=train.batch_size,
                share=train.fg_fraction,
                threshold=train.fg_thresh,
                background=background,
                rng=image_rng(config, index, boxes[valid]),
            )
            parts.append((*drawn, np.full(len(drawn.labels), number, np.int32)))
        empty = [np.zeros((0, 4), np.float32), *[np.zeros(0, np.int32)] * 3]
        return [np.concatenate([one, *column]) for one, column in zip(empty, zip(*parts))] if parts else empty

    proposals = images.first.proposals
    keys = ("gt_boxes", "gt_classes", "gt_valid", "index")
    inputs = [proposals.boxes, proposals.valid, *(images.batch[key] for key in keys)]
    types, shapes = (tf.float32, *[tf.int32] * 3), ([None, 4], *[[None]] * 3)
    inputs = [tf.stop_gradient(value) for value in inputs]
    values = tf.numpy_function(sample, inputs, types, stateful=False)
    boxes, labels, matches, image = (tf.ensure_shape(v, shape) for v, shape in zip(values, shapes))
    return SampledRegions(Regions(boxes, image), labels, matches)


def refinement_loss(model: GroundingModel, images: Images, config: Config) -> tf.Tensor:
    """`refined`, of images with masks: how refined masks of annotated boxes, or in SGDet of proposals that
    are objects, differ from the true ones.
    """
    first, batch = images.first, images.batch
    if config.grounding.setting == SGDET:
        boxes, known, labels, rows = _object_proposals(model, images, config)
    else:
        boxes, known, labels, places = annotated_nodes(model, images, config, masks=True)
        assert places is not None
        rows = places[:, 1]
    shown = tf.sigmoid(detector_masks(model, first, boxes))
    residual = model.graph.refined(model.maps(first), boxes, known, shown, training=True)
    size = tf.shape(batch["gt_masks"])
    masks = tf.reshape(batch["gt_masks"], tf.concat([[size[0] * size[1]], size[2:]], 0))
    targets = mask_targets(masks, boxes.boxes, boxes.image * size[1] + rows, MASK_SIZE)
    refined = of_labels(mask_logits(shown) + residual, labels)
    return images.present * mask_refinement_loss(refined, tf.stop_gradient(targets))


def _object_proposals(
    model: GroundingModel, images: Images, config: Config
) -> tuple[BoxList, Known, tf.Tensor, tf.Tensor]:
    """Sampled proposals that are objects of the masks' data set, and rows of their annotated boxes."""
    background = model.graph.sizes.context.mask_labels - 1
    sample = sampled_regions(images, config, background)
    own = tf.where(sample.labels < background)[:, 0]
    boxes, image, labels, rows = (
        tf.gather(values, own) for values in (*sample.regions, sample.labels, sample.matches)
    )
    listed = BoxList(boxes, image, images.first.image_size)
    scores = model.detector.scores(images.first, regions_of(listed), masks=True, training=True)
    return listed, predicted(scores), labels, rows
