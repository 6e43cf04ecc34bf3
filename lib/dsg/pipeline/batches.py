"""From annotations to batches, for training, for evaluation and for images of which nothing is known.

`examples` holds the three steps (`load_example`, `preprocess`, `to_batch`), `epochs` puts them in order and
prepares batches ahead of the step that takes them; here is what goes into a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.datasets import Dataset, ImageRecord
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.batch import Batch
from dsg.pipeline.epochs import Examples, Spec, ordered_batches, workers
from dsg.pipeline.examples import Arrays, load_example, preprocess, preprocess_image, to_batch
from dsg.pipeline.images import read_image


def training_examples(dataset: Dataset, config: Config) -> Examples:
    """What the epochs of a training are made of: every record, of which mirror images are some.

    Args:
        dataset: a loaded split.
        config: TRAIN.*, DATA.*, RNG_SEED and the anchors' options.
    """

    def make(epoch: int, index: int) -> Arrays:
        rng = np.random.default_rng((config.rng_seed, epoch, index))
        return preprocess(load_example(dataset.records[index], index), config, rng)

    names = [record.name for record in dataset.records]
    spec = batch_spec(config)
    return Examples(len(dataset), make, names.__getitem__, spec, config.rng_seed, workers(config))


def training_batches(
    dataset: Dataset, config: Config, *, epoch: int, start_step: int = 0, bad: BadRecords | None = None
) -> tf.data.Dataset:
    """The batches of one epoch of training, TRAIN.IMS_PER_BATCH images each, see `Examples.batches`.

    Returns:
        `tf.data.Dataset` of `dsg.pipeline.batch.Batch` dictionaries, of the shapes in `batch_spec`.

    Example:

        bad = BadRecords()
        for batch in iterate(training_batches(dataset, config, epoch=0, bad=bad), bad):
            train_step(batch)
    """
    size = config.train.ims_per_batch
    return training_examples(dataset, config).batches(size, epoch, start_step, bad)


def evaluation_batches(
    dataset: Dataset, config: Config, *, bad: BadRecords | None = None, targets: bool = False
) -> tf.data.Dataset:
    """The batches of a test: every record once, in the order of the data set, nothing random, ground truth
    included.

    Args:
        dataset: a loaded split.
        config: TEST.* and DATA.WORKERS.
        bad: takes note of records that are skipped.
        targets: add the `rpn_*` keys, for losses on a validation split.

    Returns:
        `tf.data.Dataset` of `dsg.pipeline.batch.Batch` dictionaries, of the shapes in `batch_spec`.
    """

    def make(index: int) -> Arrays:
        return preprocess(load_example(dataset.records[index], index), config, targets=targets)

    order, names = np.arange(len(dataset)), [record.name for record in dataset.records]
    spec, size = batch_spec(config, targets=targets), config.test.ims_per_batch
    return ordered_batches(order, size, make, names.__getitem__, spec, workers(config), bad=bad)


def inference_batch(
    images: Sequence[np.ndarray | str | Path],
    queries: Sequence[Any],
    config: Config,
    names: Sequence[str] | None = None,
) -> Batch:
    """A batch of images of which nothing is known but the queries.

    Args:
        images: files, or uint8 [H, W, 3] in B, G, R order.
        queries: for each image integers [Q, 3]: subject category, predicate, object category; Q may be 0.
        config: TEST.SCALES (the first), TEST.MAX_SIZE, PIXEL_MEANS.
        names: of the images; by default the files' names.

    Returns:
        Tensors of the keys of `dsg.pipeline.batch.Batch` that need no ground truth.

    Raises:
        UserError: an image cannot be read.
    """
    if names is None:
        names = ["" if isinstance(image, np.ndarray) else Path(image).name for image in images]
    pixels = [image if isinstance(image, np.ndarray) else read_image(image) for image in images]
    parts = zip(pixels, queries, names)
    examples = [
        preprocess_image(image, asked, config, name=name, index=index)
        for index, (image, asked, name) in enumerate(parts)
    ]
    return _tensors(to_batch(examples))


def example_to_batch(
    record: ImageRecord,
    config: Config,
    *,
    index: int = 0,
    rng: np.random.Generator | None = None,
    targets: bool = False,
) -> Batch:
    """The three steps on one record, as tensors; with `rng` as in training, without as in evaluation."""
    return _tensors(to_batch([preprocess(load_example(record, index), config, rng, targets=targets)]))


def batch_spec(config: Config, *, ground_truth: bool = True, targets: bool = True) -> Spec:
    """Shapes and types of a batch, what varies being None: the input signature of a function that is to be
    traced once.

    Args:
        config: the number of anchors a cell.
        ground_truth: with the `gt_*` keys.
        targets: with the `rpn_*` keys, which pyramids do without: they match anchors in the graph.
    """
    anchors = len(config.anchor_scales) * len(config.anchor_ratios)
    shapes: dict[str, tuple[list[int | None], Any]] = {
        "image": ([None, None, None, 3], tf.float32),
        "image_size": ([None, 2], tf.float32),
        "scale": ([None], tf.float32),
        "index": ([None], tf.int32),
        "name": ([None], tf.string),
        "queries": ([None, None, 3], tf.int32),
        "query_valid": ([None, None], tf.bool),
    }
    if ground_truth:
        shapes.update(
            gt_boxes=([None, None, 4], tf.float32),
            gt_valid=([None, None], tf.bool),
            gt_entities=([None, None], tf.int32),
            gt_predicates=([None, None, None], tf.int32),
            gt_roles=([None, None, None], tf.int32),
        )
    if targets and config.backbone not in PYRAMIDS:
        shapes.update(
            rpn_labels=([None, None, None, anchors], tf.int32),
            rpn_deltas=([None, None, None, anchors, 4], tf.float32),
            rpn_weights=([None, None, None, anchors], tf.float32),
        )
    return {key: tf.TensorSpec(shape, dtype, key) for key, (shape, dtype) in shapes.items()}


def _tensors(batch: Batch) -> Batch:
    return Batch(**{key: tf.convert_to_tensor(value) for key, value in batch.items()})  # type: ignore[typeddict-item]
