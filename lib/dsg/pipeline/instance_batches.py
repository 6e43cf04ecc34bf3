"""From annotated images to the batches of a detector, for training, for tests and for images of which nothing
is known; `batches` says the same for referring relationships.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.datasets.detection import can_teach, instances_of
from dsg.datasets.formats.instances import Instances
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.epochs import Examples, Spec, ordered_batches, workers
from dsg.pipeline.examples import Arrays, to_batch
from dsg.pipeline.images import read_image
from dsg.pipeline.instance_batch import InstanceBatch
from dsg.pipeline.instance_examples import (
    detector_input,
    has_mask,
    is_pyramid,
    load_instance_example,
    preprocess_instances,
)
from dsg.runtime.cocotools import cocotools


def training_examples(dataset: Dataset, config: Config) -> Examples:
    """What the epochs of a training are made of: every record, of which mirror images are some.

    Args:
        dataset: a loaded split.
        config: TRAIN.*, DATA.*, DETECTOR.MASKS, RNG_SEED and the anchors' options.

    Raises:
        UserError: masks are to be learned, and more than half of the objects have none, or pycocotools is
            not installed.
    """
    records = instances_of(dataset)
    if config.detector.masks:
        check_masks(dataset.folder, records)

    def make(epoch: int, index: int) -> Arrays:
        rng = np.random.default_rng((config.rng_seed, epoch, index))
        return preprocess_instances(load_instance_example(records[index], index), config, rng)

    names = [record.name for record in records]
    groups = np.array([record.width < record.height for record in records])
    return Examples(
        *(len(records), make, names.__getitem__, instance_spec(config), config.rng_seed, workers(config)),
        groups=groups if config.train.aspect_grouping else None,
    )


def evaluation_batches(
    dataset: Dataset, config: Config, *, bad: BadRecords | None = None, targets: bool = False
) -> tf.data.Dataset:
    """The batches of a test: every record once, in the order of the data set, nothing random. What is to be
    found in an image is said by its record, at `index` of the batch.

    Args:
        dataset: a loaded split.
        config: TEST.* and DATA.WORKERS.
        bad: takes note of records that are skipped.
        targets: add the keys of training, for losses on a validation split.

    Returns:
        `tf.data.Dataset` of `dsg.pipeline.instance_batch.InstanceBatch` dictionaries, of the shapes in
        `instance_spec`.
    """
    records = instances_of(dataset)

    def make(index: int) -> Arrays:
        example = load_instance_example(records[index], index)
        return preprocess_instances(example, config, targets=targets)

    order, names = np.arange(len(records)), [record.name for record in records]
    spec, size = instance_spec(config, targets=targets), config.test.ims_per_batch
    return ordered_batches(order, size, make, names.__getitem__, spec, workers(config), bad=bad)


def inference_batch(
    images: Sequence[np.ndarray | str | Path], config: Config, names: Sequence[str] | None = None
) -> InstanceBatch:
    """A batch of images of which nothing is known.

    Args:
        images: files, or uint8 [H, W, 3] in B, G, R order.
        config: TEST.SCALES (the first), TEST.MAX_SIZE, PIXEL_MEANS.
        names: of the images; by default the files' names.

    Returns:
        Tensors of the keys of `InstanceBatch` that need no ground truth.

    Raises:
        UserError: an image cannot be read.
    """
    if names is None:
        names = ["" if isinstance(image, np.ndarray) else Path(image).name for image in images]
    pixels = [image if isinstance(image, np.ndarray) else read_image(image) for image in images]
    limits = config.test.scales[0], config.test.max_size
    examples = [
        detector_input(image, *limits, config.pixel_means, name, index)
        for index, (image, name) in enumerate(zip(pixels, names))
    ]
    batch: Any = to_batch(examples)
    return InstanceBatch(**{key: tf.convert_to_tensor(value) for key, value in batch.items()})  # type: ignore[typeddict-item]


def instance_spec(config: Config, *, targets: bool = True) -> Spec:
    """Shapes and types of a batch, what varies being None: the input signature of a function that is to be
    traced once.

    Args:
        config: DETECTOR.MASKS, the backbone, and the number of anchors a cell.
        targets: with the keys of training.
    """
    shapes: dict[str, tuple[list[int | None], Any]] = {
        "image": ([None, None, None, 3], tf.float32),
        "image_size": ([None, 2], tf.float32),
        "scale": ([None], tf.float32),
        "original_size": ([None, 2], tf.float32),
        "index": ([None], tf.int32),
        "name": ([None], tf.string),
    }
    if targets:
        shapes.update(
            gt_boxes=([None, None, 4], tf.float32),
            gt_classes=([None, None], tf.int32),
            gt_valid=([None, None], tf.bool),
        )
        if config.detector.masks:
            shapes["gt_masks"] = [None, None, None, None], tf.uint8
        if not is_pyramid(config):
            anchors = len(config.anchor_scales) * len(config.anchor_ratios)
            shapes.update(
                rpn_labels=([None, None, None, anchors], tf.int32),
                rpn_deltas=([None, None, None, anchors, 4], tf.float32),
                rpn_weights=([None, None, None, anchors], tf.float32),
            )
    return {key: tf.TensorSpec(shape, dtype, key) for key, (shape, dtype) in shapes.items()}


def check_masks(folder: Path, records: Sequence[Instances]) -> None:
    """Refuse records to learn masks from of whose objects more than half have none.

    Raises:
        UserError: it is so, or pycocotools is missing, which reads them.
    """
    counts = [
        (int((can_teach(record) & has_mask(record)).sum()), int(can_teach(record).sum()))
        for record in records
    ]
    masks, objects = (sum(column) for column in zip(*counts))
    if 2 * masks < objects:
        cocotools("mask")  # without the library no mask was read
        raise UserError(
            f"{folder}: {objects - masks:,} of {objects:,} objects have no mask to learn; give "
            "annotations in COCO's layout with segmentations, or DETECTOR.MASKS False"
        )
