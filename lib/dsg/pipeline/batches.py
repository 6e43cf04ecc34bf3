"""From annotations to batches: examples are loaded and prepared in parallel, ahead of the training step, with
`tf.data`.

`examples` holds the three steps (`load_example`, `preprocess`, `to_batch`); here they are put in order. The
order of an epoch, and every random choice for an example, follow from (RNG_SEED, epoch, position of the
record) alone: neither the number of workers nor the step at which a run is resumed changes a batch. An
example that cannot be used is left out of its batch, see `bad_records`.
"""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset, ImageRecord
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords, check_images, iterate
from dsg.pipeline.batch import Batch
from dsg.pipeline.examples import Arrays, load_example, preprocess, preprocess_image, to_batch
from dsg.pipeline.images import read_image

__all__ = [
    "BadRecords",
    "batch_spec",
    "check_images",
    "epoch_order",
    "evaluation_batches",
    "example_to_batch",
    "inference_batch",
    "iterate",
    "load_example",
    "next_step",
    "ordered_batches",
    "preprocess",
    "step_after",
    "steps_in_epoch",
    "to_batch",
    "training_batches",
    "workers",
]

STOP = -1
"""In place of a record's index: no batch follows."""


def training_batches(
    dataset: Dataset, config: Config, *, epoch: int, start_step: int = 0, bad: BadRecords | None = None
) -> tf.data.Dataset:
    """The batches of one epoch of training: every record once (mirror images are records), the last batch may
    be smaller.

    Args:
        dataset: a loaded split.
        config: TRAIN.*, DATA.*, RNG_SEED and the anchors' options.
        epoch: counted from 0; decides the order and the random choices.
        start_step: leave out so many steps, without reading their images; what follows is what an
            uninterrupted run gets. `next_step` tells it from the last batch that was used.
        bad: takes note of records that are skipped; a batch without any usable record is left out altogether.

    Returns:
        `tf.data.Dataset` of `dsg.pipeline.batch.Batch` dictionaries, of the shapes in `batch_spec`.

    Example:

        bad = BadRecords()
        for batch in iterate(training_batches(dataset, config, epoch=0, bad=bad), bad):
            train_step(batch)
    """
    order = epoch_order(len(dataset), config.rng_seed, epoch)

    def make(index: int) -> Arrays:
        rng = np.random.default_rng((_seed(config.rng_seed), epoch, index))
        return preprocess(load_example(dataset.records[index], index), config, rng)

    return _batches(dataset, config, order, config.train.ims_per_batch, make, start_step, bad, targets=True)


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

    order = np.arange(len(dataset))
    return _batches(dataset, config, order, config.test.ims_per_batch, make, 0, bad, targets=targets)


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


def batch_spec(
    config: Config, *, ground_truth: bool = True, targets: bool = True
) -> dict[str, tf.TensorSpec]:
    """Shapes and types of a batch, what varies being None: the input signature of a function that is to be
    traced once.

    Args:
        config: the number of anchors a cell.
        ground_truth: with the `gt_*` keys.
        targets: with the `rpn_*` keys.
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
    if targets:
        shapes.update(
            rpn_labels=([None, None, None, anchors], tf.int32),
            rpn_deltas=([None, None, None, anchors, 4], tf.float32),
            rpn_weights=([None, None, None, anchors], tf.float32),
        )
    return {key: tf.TensorSpec(shape, dtype, key) for key, (shape, dtype) in shapes.items()}


@functools.lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the records in an epoch of training: int64 [count], a read-only permutation."""
    order = np.random.default_rng((_seed(seed), epoch)).permutation(count)
    order.flags.writeable = False
    return order


def steps_in_epoch(dataset: Dataset, config: Config) -> int:
    """Steps of a whole epoch of training, those without a usable record included."""
    return -(-len(dataset) // config.train.ims_per_batch)


def next_step(batch: Batch, dataset: Dataset, config: Config, epoch: int) -> int:
    """The `start_step` that continues an epoch after `batch`.

    It is the number of batches read so far, plus the steps that were left out because none of their records
    could be used.
    """
    return step_after(batch, epoch_order(len(dataset), config.rng_seed, epoch), config.train.ims_per_batch)


def step_after(batch: Batch, order: np.ndarray, size: int) -> int:
    """`next_step` for an epoch in which examples, whatever they are, come in `order`, `size` a step."""
    position = int(np.flatnonzero(order == int(np.asarray(batch["index"])[0]))[0])
    return position // size + 1


def workers(config: Config) -> int:
    """Threads that prepare batches: DATA.WORKERS, or as many as this process has processors."""
    if config.data.workers > 0:
        return config.data.workers
    available = getattr(os, "sched_getaffinity", None)  # not on macOS
    return max(1, len(available(0)) if available else os.cpu_count() or 1)


def _batches(
    dataset: Dataset,
    config: Config,
    order: np.ndarray,
    size: int,
    make: Callable[[int], Arrays],
    start_step: int,
    bad: BadRecords | None,
    *,
    targets: bool,
) -> tf.data.Dataset:
    """Batches of `size` records in `order`, prepared ahead of time; `make` makes an example of an index."""
    spec, names = batch_spec(config, targets=targets), [record.name for record in dataset.records]
    return ordered_batches(order, size, make, names.__getitem__, spec, workers(config), start_step, bad)


def ordered_batches(
    order: np.ndarray,
    size: int,
    make: Callable[[int], Arrays],
    name: Callable[[int], str],
    spec: dict[str, tf.TensorSpec],
    threads: int,
    start_step: int = 0,
    bad: BadRecords | None = None,
) -> tf.data.Dataset:
    """Batches of `size` examples in `order`, prepared ahead of time; those that cannot be made are left out.

    Args:
        order: int64 [n], the indices of the examples.
        make: makes the example of an index, with the keys of `spec`, without the leading B.
        name: the image of an index, for the account of what cannot be used.
        spec: keys, shapes and types of a batch; `index` is among them.
        threads: examples made at the same time.
        start_step: leave out so many batches.
        bad: takes note of examples that are skipped.
    """
    account = BadRecords() if bad is None else bad

    @functools.cache
    def images() -> int:
        return len({name(index) for index in order.tolist()})

    def usable(index: int) -> Arrays | None:
        try:
            return make(index)
        except UserError as error:
            account.add(name(index), error, images)
            return None

    def make_batch(step: int) -> list[np.ndarray]:
        indices = order[step * size : (step + 1) * size].tolist() if account.fatal is None else []
        examples = [example for example in map(usable, indices) if example is not None]
        batch: Any = to_batch(examples) if examples else _empty(spec, stop=account.fatal is not None)
        return [batch[key] for key in spec]

    # TensorFlow keeps what it calls for the life of the process; what an epoch needs is to go with it.
    work = [make_batch]

    def call(step: int) -> list[np.ndarray]:
        held = work[:]
        # Without: a worker was still at it when the batches went, and nobody reads this.
        return held[0](step) if held else list(_empty(spec, stop=True).values())

    def as_batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        # A batch depends on its step alone. Said so, TRAIN.DETERMINISTIC leaves the workers at work.
        types = [one.dtype for one in spec.values()]
        values = tf.numpy_function(call, [step], types, stateful=False)
        return {key: tf.ensure_shape(value, spec[key].shape) for key, value in zip(spec, values)}

    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads + 1  # one for the stages after the map
    steps = tf.data.Dataset.range(start_step, -(-len(order) // size))
    batches = steps.map(as_batch, num_parallel_calls=threads, deterministic=True)
    batches = batches.take_while(lambda batch: tf.reduce_all(batch["index"] != STOP))
    batches = batches.filter(lambda batch: tf.size(batch["index"]) > 0)
    batches = batches.prefetch(2).with_options(options)
    weakref.finalize(batches, work.clear)  # iterators, and what is derived, hold the data set
    return batches


def _empty(spec: dict[str, tf.TensorSpec], *, stop: bool) -> dict[str, np.ndarray]:
    """A batch of no image; with `stop` it says that no other follows."""
    batch = {
        key: np.zeros([side or 0 for side in one.shape], one.dtype.as_numpy_dtype)
        for key, one in spec.items()
    }
    return {**batch, "index": np.full(int(stop), STOP, np.int32)}


def _seed(seed: int) -> int:
    """Seed sequences take no negative numbers."""
    return seed % 2**63


def _tensors(batch: Batch) -> Batch:
    return Batch(**{key: tf.convert_to_tensor(value) for key, value in batch.items()})  # type: ignore[typeddict-item]
