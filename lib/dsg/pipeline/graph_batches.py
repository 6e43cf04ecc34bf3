"""From annotated images to the batches of a grounded scene graph, in training and in tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import DETECTOR_STAGE, SGDET
from dsg.datasets.detection import instances_of
from dsg.datasets.formats.segmentations import Segmentation
from dsg.datasets.mirror import mirror_map
from dsg.datasets.scene_graphs import GraphDataset, graphs_of, true_masks
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.epochs import Examples, Spec, ordered_batches, workers
from dsg.pipeline.examples import Arrays
from dsg.pipeline.graph_examples import MASK_CELLS, graph_arrays, mask_arrays, with_masks
from dsg.pipeline.instance_batches import check_masks, instance_spec
from dsg.pipeline.joint_examples import JointExamples


def graph_training_examples(dataset: GraphDataset, config: Config) -> Examples:
    """What the epochs of a training are made of: every image of the graphs' data set once, and where masks
    are learned, GROUNDING.MASK_IMS_PER_BATCH of its auxiliary set beside TRAIN.IMS_PER_BATCH of them.

    Args:
        dataset: a loaded split.
        config: TRAIN.*, DATA.*, GROUNDING.*, RNG_SEED and the anchors' options.

    Raises:
        UserError: masks are to be learned, and there are none.
    """
    records, predicates = graphs_of(dataset), dataset.vocabulary.predicates
    swap = mirror_map(predicates) if config.train.flip_predicates else None
    spec, count, truth = graph_spec(config), len(records), known_masks(dataset, config)

    def graph(index: int, rng: np.random.Generator) -> Arrays:
        masks = truth.get(records[index].name)
        return graph_arrays(
            *(records[index], index, config, rng), predicates=len(predicates), swap=swap, masks=masks
        )

    names = [record.name for record in records]
    tall = np.array([record.width < record.height for record in records])
    groups = tall if config.train.aspect_grouping else None
    common: dict[str, Any] = {"groups": groups}
    rest = (spec, config.rng_seed, workers(config))
    if not learns_masks(config):

        def make(epoch: int, index: int) -> Arrays:
            return _chosen(graph(index, np.random.default_rng((config.rng_seed, epoch, index))), spec)

        return Examples(count, make, names.__getitem__, *rest, **common)
    if dataset.auxiliary is None:
        raise UserError(f"{dataset.folder}: {dataset.split} has no masks to learn from (GROUNDING.MASK_DATA)")
    masked = instances_of(dataset.auxiliary)
    check_masks(dataset.auxiliary.folder, masked)
    mask_names = [record.name for record in masked]

    def make_either(epoch: int, index: int) -> Arrays:
        rng = np.random.default_rng((config.rng_seed, epoch, index))
        if index < count:
            return _chosen(graph(index, rng), spec)
        record = masked[(index - count) % len(masked)]
        return _chosen(mask_arrays(record, index, config, rng), spec)

    def name(index: int) -> str:
        return names[index] if index < count else mask_names[(index - count) % len(masked)]

    return JointExamples(
        *(count, make_either, name, *rest),
        **common,
        second=len(masked),
        share=config.train.ims_per_batch,
        beside=config.grounding.mask_ims_per_batch,
    )


def known_masks(dataset: GraphDataset, config: Config) -> dict[str, list[Segmentation]]:
    """The true masks of the boxes of each image, with GROUNDING.MASKS_FROM true.

    Raises:
        UserError: the data set has none.
    """
    return true_masks(dataset) if config.grounding.masks_from == "true" else {}


def learns_masks(config: Config) -> bool:
    """Whether training takes images with masks."""
    options = config.grounding
    return options.joint if options.stage == DETECTOR_STAGE else options.refine


def graph_evaluation_batches(
    dataset: GraphDataset, config: Config, *, bad: BadRecords | None = None
) -> tf.data.Dataset:
    """The batches of a test: every image once, in the order of the data set, with its objects.

    Args:
        dataset: a loaded split.
        config: TEST.* and DATA.WORKERS.
        bad: takes note of records that are skipped.

    Returns:
        `tf.data.Dataset` of `dsg.pipeline.graph_batch.GraphBatch` dictionaries: the keys up to `gt_valid`.
    """
    records = graphs_of(dataset)
    spec, truth = graph_spec(config, training=False), known_masks(dataset, config)

    def make(index: int) -> Arrays:
        return graph_arrays(records[index], index, config, masks=truth.get(records[index].name))

    order, names = np.arange(len(records)), [record.name for record in records]
    size, threads = config.test.ims_per_batch, workers(config)
    return ordered_batches(order, size, make, names.__getitem__, spec, threads, bad=bad)


def mask_evaluation_batches(
    dataset: GraphDataset, config: Config, *, bad: BadRecords | None = None
) -> tf.data.Dataset:
    """The batches of a test of masks: every image of the auxiliary set once, with its objects that count.

    Args:
        dataset: a loaded split with an auxiliary set.
        config: TEST.* and DATA.WORKERS.
        bad: takes note of records that are skipped.
    """
    assert dataset.auxiliary is not None
    records = instances_of(dataset.auxiliary)
    spec = graph_spec(config, training=False)

    def make(index: int) -> Arrays:
        return _chosen(mask_arrays(records[index], index, with_masks(config, False)), spec)

    order, names = np.arange(len(records)), [record.name for record in records]
    size, threads = config.test.ims_per_batch, workers(config)
    return ordered_batches(order, size, make, names.__getitem__, spec, threads, bad=bad)


def graph_spec(config: Config, *, training: bool = True) -> Spec:
    """Shapes and types of a batch, what varies being None.

    Args:
        config: GROUNDING.*, the backbone, and the number of anchors a cell.
        training: with the keys of training.
    """
    masks = training and learns_masks(config)
    spec = instance_spec(with_masks(config, masks))
    spec["domain"] = tf.TensorSpec([None], tf.int32, "domain")
    detects = config.grounding.stage == DETECTOR_STAGE
    if not (training and detects):
        spec = {key: one for key, one in spec.items() if not key.startswith("rpn_")}
    if not detects and config.grounding.masks_from == "true":
        spec["true_masks"] = tf.TensorSpec([None, None, MASK_CELLS, MASK_CELLS], tf.float32, "true_masks")
    if training and not detects:
        shapes: dict[str, tuple[list[int | None], Any]] = {
            "relations": ([None, None, 3], tf.int32),
            "relation_valid": ([None, None], tf.bool),
        }
        if config.grounding.setting != SGDET:
            shapes.update(
                pairs=([None, None, 2], tf.int32),
                pair_predicates=([None, None], tf.int32),
                pair_valid=([None, None], tf.bool),
                related=([None, None, None], tf.float32),
            )
        spec.update({key: tf.TensorSpec(shape, kind, key) for key, (shape, kind) in shapes.items()})
    return spec


def _chosen(arrays: Arrays, spec: Spec) -> Arrays:
    """The keys of `spec`."""
    return {key: arrays[key] for key in spec}
