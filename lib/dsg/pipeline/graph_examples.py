"""One example of a grounded scene graph, step by step, as `instance_examples`; the keys are those of
`dsg.pipeline.graph_batch`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from dsg.config import Config
from dsg.config.grounding import DETECTOR_STAGE, SGDET
from dsg.datasets.formats.instances import Instances, mirrored_instances
from dsg.datasets.formats.segmentations import Segmentation, decode
from dsg.datasets.formats.vg150 import GraphImage, draw_relations
from dsg.datasets.mirror import mirrored_graph
from dsg.pipeline.examples import Arrays, load_image, rpn_targets
from dsg.pipeline.graph_batch import GRAPHS, MASKS
from dsg.pipeline.images import mirror
from dsg.pipeline.instance_examples import (
    detector_input,
    is_pyramid,
    load_instance_example,
    preprocess_instances,
)
from dsg.pipeline.pair_sampling import PairSettings, sample_annotated_pairs

MASK_CELLS, SAMPLES = 28, 4  # a side of a mask; of a cell
SMALLEST_SIDE = 1.0  # pixel of the original image: boxes that images cut to less are brought back to it


def graph_arrays(
    record: GraphImage,
    index: int,
    config: Config,
    rng: np.random.Generator | None = None,
    *,
    predicates: int = 0,
    swap: np.ndarray | None = None,
    masks: Sequence[Segmentation] | None = None,
) -> Arrays:
    """The network's input of an image of the graphs' data set, and what is known or learned of it.

    Args:
        record: of the image.
        index: its position in its data set.
        config: TRAIN.*, GROUNDING.* and the anchors' options.
        rng: makes the random choices of training, in this order: mirror image, scale, anchors, predicates,
            pairs. None: there are none, and objects are all that is told.
        predicates: of the vocabulary.
        swap: what the predicates become in a mirror image.
        masks: the true masks of its boxes, where they take the place of the detector's.

    Raises:
        UserError: the image cannot be read, or is not of the size that the annotations state.
    """
    image = load_image(record.path, (record.width, record.height))
    target, max_size = config.test.scales[0], config.test.max_size
    if rng is not None:
        if config.train.use_flipped and rng.random() < 0.5:
            image, record = mirror(image), mirrored_graph(record, swap)
        target, max_size = int(rng.choice(config.train.scales)), config.train.max_size
    arrays = detector_input(image, target, max_size, config.pixel_means, record.name, index)
    arrays.update(
        domain=np.array(GRAPHS, np.int32),
        gt_boxes=inner_boxes(record) * arrays["scale"],
        gt_classes=record.labels.astype(np.int32),
        gt_valid=np.ones(len(record.boxes), bool),
    )
    if masks is not None:
        arrays["true_masks"] = masks_in_boxes(record, masks)
    if rng is None:
        return arrays
    if config.grounding.stage == DETECTOR_STAGE:
        arrays["gt_masks"] = _no_masks(arrays)
        if not is_pyramid(config):
            found = rpn_targets(arrays["gt_boxes"], arrays["image"].shape[:2], config, rng)
            arrays.update(
                rpn_labels=found.labels.astype(np.int32), rpn_deltas=found.deltas, rpn_weights=found.outside
            )
        return arrays
    relations = draw_relations(record.relations, rng)
    return {**arrays, "gt_masks": _no_masks(arrays), **_related(record, relations, config, rng, predicates)}


def mask_arrays(
    record: Instances, index: int, config: Config, rng: np.random.Generator | None = None
) -> Arrays:
    """The same of an image of the masks' data set; with what a graph learns from, of which it has nothing.

    Args:
        record: of the image.
        index: its position behind the images of graphs.
        config: as of `graph_arrays`.
        rng: makes the random choices of training: mirror image, scale, anchors. None: there are none, and
            masks are not told.

    Raises:
        UserError: as of `graph_arrays`.
    """
    learned = rng is not None
    if rng is not None and config.train.use_flipped and rng.random() < 0.5:
        record = mirrored_instances(record)
    example = load_instance_example(record, index)
    arrays = preprocess_instances(example, with_masks(config, learned), rng, targets=True)
    none = np.zeros((0, 0), np.float32)
    return {
        **arrays,
        "domain": np.array(MASKS, np.int32),
        "gt_classes": arrays["gt_classes"].astype(np.int32) - 1,
        **_pair_arrays(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), none),
    }


def with_masks(config: Config, masks: bool = True) -> Config:
    """The configuration for a plain detector with masks, or without: DETECTOR.MASKS, which means nothing
    here, says so there.
    """
    return dataclasses.replace(config, detector=dataclasses.replace(config.detector, masks=masks))


def pair_settings(config: Config, predicates: int) -> PairSettings:
    """How many pairs are drawn, of a vocabulary with so many predicates."""
    options = config.grounding
    return PairSettings(
        predicates,
        pairs=options.pairs,
        related_share=options.related_share,
        released=options.sgdet_sampler == "released",
    )


def inner_boxes(record: GraphImage) -> np.ndarray:
    """The boxes of an image, cut to it: float32 [G, 4] in its pixels. Where less than a pixel is left, the
    box is the nearest pixel: the graph keeps all its objects.
    """
    size = np.array([record.width, record.height], np.float64)
    low = np.clip(record.boxes[:, :2], 0.0, np.maximum(size - SMALLEST_SIDE, 0.0))
    high = np.clip(record.boxes[:, 2:], np.minimum(low + SMALLEST_SIDE, size), size)
    return np.concatenate([low, high], 1).astype(np.float32)


def masks_in_boxes(record: GraphImage, masks: Sequence[Segmentation]) -> np.ndarray:
    """The share of each cell of each box that its mask covers: float32 [G, 28, 28].

    Args:
        record: of the image, or of its mirror image.
        masks: of its boxes, in the image as it is stored.
    """
    size, shares = (record.height, record.width), np.zeros((len(masks), MASK_CELLS, MASK_CELLS), np.float32)
    inside = (np.arange(MASK_CELLS * SAMPLES) + 0.5) / (MASK_CELLS * SAMPLES)
    for number, (box, mask) in enumerate(zip(inner_boxes(record), masks)):
        pixels = decode(mask, *size, record.name)
        pixels = pixels[:, ::-1] if record.flipped else pixels
        columns, rows = (
            np.minimum((box[axis] + inside * (box[axis + 2] - box[axis])).astype(np.int64), last - 1)
            for axis, last in ((0, record.width), (1, record.height))
        )
        samples = pixels[np.ix_(rows, columns)].reshape(MASK_CELLS, SAMPLES, MASK_CELLS, SAMPLES)
        shares[number] = samples.mean((1, 3))
    return shares


def _no_masks(arrays: Arrays) -> np.ndarray:
    """uint8 [0, H, W]: padded to zeros where an image with masks is in the batch."""
    return np.zeros((0, *arrays["image"].shape[:2]), np.uint8)


def _related(
    record: GraphImage, relations: np.ndarray, config: Config, rng: np.random.Generator, predicates: int
) -> Arrays:
    if config.grounding.setting == SGDET:  # pairs of what is detected, which only the model knows
        return _pair_arrays(relations)
    sample = sample_annotated_pairs(len(record.boxes), relations, pair_settings(config, predicates), rng)
    triples = np.concatenate([sample.pairs, sample.predicates[:, None]], 1)
    return _pair_arrays(relations, triples, sample.related)


def _pair_arrays(
    relations: np.ndarray, triples: np.ndarray | None = None, related: np.ndarray | None = None
) -> Arrays:
    arrays: Arrays = {
        "relations": relations.astype(np.int32),
        "relation_valid": np.ones(len(relations), bool),
    }
    if triples is not None and related is not None:
        arrays.update(
            pairs=triples[:, :2].astype(np.int32),
            pair_predicates=triples[:, 2].astype(np.int32),
            pair_valid=np.ones(len(triples), bool),
            related=related.astype(np.float32),
        )
    return arrays
