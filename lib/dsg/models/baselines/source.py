"""From a data set to batches for a baseline: samples in random order to train on, images in order to test on.

What an image gives is kept in memory as far as BASELINE.CACHE_GB allows: its features where they are never
trained (computed once, before the first step), otherwise its pixels (as they are read). Neither changes
results, but for rounding.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.errors import UserError
from dsg.metrics.raster import MAP_SIZE
from dsg.models.baselines.samples import (
    CELLS,
    HIDDEN,
    IMAGE_SIZE,
    SampleIndex,
    hide,
    hide_at_random,
    question,
    shrink,
)
from dsg.pipeline.bad_records import BadRecords, iterate
from dsg.pipeline.epochs import Examples, Spec, ordered_batches, workers
from dsg.pipeline.examples import Arrays, load_example
from dsg.runtime.progress import Progress

LOG = logging.getLogger("dsg")
FEATURE_BATCH = 16
GB = 1e9


class Memory:
    """What is left of BASELINE.CACHE_GB, shared by all sources of a run."""

    def __init__(self, gigabytes: float) -> None:
        self._left = gigabytes * GB

    def take(self, size: float) -> bool:
        """Whether so many bytes were left; then they are taken."""
        if size > self._left:
            return False
        self._left -= size
        return True


class Source:
    """The batches of one data set.

    Args:
        dataset: a loaded split.
        config: BASELINE.*, RNG_SEED, DATA.WORKERS.
        memory: for what is kept.
    """

    def __init__(self, dataset: Dataset, config: Config, memory: Memory) -> None:
        self.samples = SampleIndex.of(dataset)
        self._dataset, self._config, self._memory = dataset, config, memory
        self._unknown = len(dataset.vocabulary.objects)  # the category of what is hidden
        self._features: np.ndarray | None = None
        self._unreadable: dict[int, str] = {}
        self._images: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def keep_features(
        self,
        see: Callable[[tf.Tensor], tf.Tensor],
        channels: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Compute the features of all images, if there is room for them.

        Args:
            see: from images, uint8 [B, 224, 224, 3], to features, float32 [B, 14, 14, C].
            channels: C.
            check: called after each batch; may raise to stop.
        """
        count, size = len(self._dataset), MAP_SIZE * MAP_SIZE * channels * 4
        if not self._memory.take(count * size):
            LOG.info(
                "the features of %d images take %.1f GB, more than BASELINE.CACHE_GB leaves: they are "
                "computed again in every step",
                count,
                count * size / GB,
            )
            return
        features = np.zeros((count, MAP_SIZE, MAP_SIZE, channels), np.float32)
        spec = {key: one for key, one in self.spec().items() if key in ("image", "index")}

        def make(index: int) -> Arrays:
            return {"image": self.image(index), "index": np.array(index, np.int32)}

        bad = BadRecords()
        order, names = np.arange(count), [record.name for record in self._dataset.records]
        threads = workers(self._config)
        batches = ordered_batches(order, FEATURE_BATCH, make, names.__getitem__, spec, threads, bad=bad)
        with Progress(f"features of {self._dataset.split}", count) as progress:
            for batch in iterate(batches, bad):
                rows = batch["index"].numpy()
                features[rows] = see(batch["image"]).numpy()
                progress.advance(len(rows))
                check()
        self._unreadable = {row: bad.reasons[name] for row, name in enumerate(names) if name in bad.reasons}
        self._features = features

    def examples(self) -> Examples:
        """What an epoch of training is made of: every sample."""

        def make(epoch: int, index: int) -> Arrays:
            rng = np.random.default_rng((self._config.rng_seed, epoch, index))
            row, query = int(self.samples.image[index]), int(self.samples.query[index])
            record, chosen = self._dataset.records[row], slice(query, query + 1)
            asked, rate = record.queries[chosen], self._config.baseline.unknown_rate
            if rate:
                asked = hide_at_random(asked, rate, self._unknown, rng)
            example = question(record, index, self._seen(row), chosen, asked)
            example["seed"] = rng.integers(2**31, size=2, dtype=np.int32)
            return example

        def name(index: int) -> str:
            return self._dataset.records[self.samples.image[index]].name

        seed, threads = self._config.rng_seed, workers(self._config)
        return Examples(len(self.samples), make, name, self.spec(1), seed, threads)

    def test_batches(self, size: int, bad: BadRecords) -> tf.data.Dataset:
        """`size` images a batch with all their queries, every image once, in the order of the data set."""
        columns = HIDDEN[self._config.baseline.unknown_test]

        def make(index: int) -> Arrays:
            record = self._dataset.records[index]
            asked = hide(record.queries, columns, self._unknown) if columns else record.queries
            return question(record, index, self._seen(index), slice(None), asked)

        names = [record.name for record in self._dataset.records]
        order, threads = np.arange(len(names)), workers(self._config)
        return ordered_batches(order, size, make, names.__getitem__, self.spec(), threads, bad=bad)

    def spec(self, queries: int | None = None) -> Spec:
        """Keys, shapes and types of the batches."""
        seen: tuple[str, list[int | None], tf.DType] = ("image", [None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.uint8)
        if self._features is not None:
            seen = ("features", [None, *self._features.shape[1:]], tf.float32)
        shapes: dict[str, tuple[list[int | None], tf.DType]] = {
            seen[0]: (seen[1], seen[2]),
            "queries": ([None, queries, 3], tf.int32),
            "query_valid": ([None, queries], tf.bool),
            "subject_maps": ([None, queries, CELLS], tf.float32),
            "object_maps": ([None, queries, CELLS], tf.float32),
            "index": ([None], tf.int32),
            "name": ([None], tf.string),
            "seed": ([None, 2], tf.int32),
        }
        return {key: tf.TensorSpec(shape, dtype, key) for key, (shape, dtype) in shapes.items()}

    def image(self, row: int) -> np.ndarray:
        """The pixels that the model sees of an image, uint8 [224, 224, 3], B, G, R."""
        return shrink(load_example(self._dataset.records[row], row).image)

    def _seen(self, row: int) -> Arrays:
        """What a batch has of an image."""
        if self._features is None:
            return {"image": self._image(row)}
        if row in self._unreadable:
            raise UserError(self._unreadable[row])
        return {"features": self._features[row]}

    def _image(self, row: int) -> np.ndarray:
        """`image`, from memory where it is kept there."""
        found = self._images.get(row)
        if found is None:
            found = self.image(row)
            with self._lock:
                if row not in self._images and self._memory.take(found.nbytes):
                    self._images[row] = found
        return found
