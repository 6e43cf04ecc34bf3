"""Epochs of training: what they are made of, their order, and batches prepared in parallel, ahead of the
training step, with `tf.data`.

The order of an epoch, and every random choice for an example, follow from (RNG_SEED, epoch, index of the
example) alone: neither the number of threads nor the step at which a run resumes changes a batch. An example
that cannot be used is left out of its batch, see `bad_records`.
"""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.examples import Arrays, to_batch

STOP = -1
"""In place of an example's index: no batch follows."""

Spec = dict[str, tf.TensorSpec]
"""Keys, shapes and types of a batch, what varies being None."""


@dataclass(frozen=True)
class Examples:
    """What every epoch of a training is made of, each example once an epoch.

    Example:

        examples = training_examples(dataset, config)
        for batch in examples.batches(8, epoch=0):
            train_step(batch)
    """

    count: int
    make: Callable[[int, int], Arrays]
    """The example of an epoch (from 0) and an index (0 to count - 1); raises `UserError` if it cannot be
    used. It has the keys of `spec`, without the leading B."""
    name: Callable[[int], str]
    """The image of an index, for the account of what cannot be used."""
    spec: Spec
    """Of a batch; `index` (int32 [B]) and `name` (string [B]) are among its keys."""
    seed: int
    threads: int
    groups: np.ndarray | None = None
    """int [count]: examples of one group share a batch, as far as they go; None: any do."""

    def order(self, epoch: int, size: int = 1) -> np.ndarray:
        """The indices in the order of an epoch, int64 [count].

        Args:
            epoch: counted from 0.
            size: examples a step; with `groups` the order depends on it.
        """
        order = epoch_order(self.count, self.seed, epoch)
        return order if self.groups is None or size == 1 else grouped_order(order, self.groups, size)

    def images(self, size: int) -> int:
        """Examples in a whole step with `size` of those that are counted."""
        return size

    def steps(self, size: int) -> int:
        """Steps of a whole epoch with `size` examples a step, those without a usable example included."""
        return -(-self.count // size)

    def batches(
        self, size: int, epoch: int, start_step: int = 0, bad: BadRecords | None = None
    ) -> tf.data.Dataset:
        """The batches of an epoch; the last one may be smaller.

        Args:
            size: examples a step.
            epoch: counted from 0.
            start_step: leave out so many steps, without making their examples; what follows is what an
                uninterrupted run gets. `next_step` tells it from the last batch that was used.
            bad: takes note of examples that are skipped; a batch without any usable example is left out
                altogether.
        """
        make = functools.partial(self.make, epoch)
        order, images = self.order(epoch, size), self.images(size)
        return ordered_batches(order, images, make, self.name, self.spec, self.threads, start_step, bad)

    def next_step(self, batch: Mapping[str, Any], size: int, epoch: int) -> int:
        """The `start_step` that continues an epoch after `batch`.

        It is the number of batches read so far, plus the steps that were left out because none of their
        examples could be used.
        """
        first = int(np.asarray(batch["index"])[0])
        return int(np.flatnonzero(self.order(epoch, size) == first)[0]) // self.images(size) + 1


@functools.lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the examples in an epoch of training: int64 [count], a read-only permutation."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order


def grouped_order(order: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """`order` so rearranged that most steps of `size` take examples of one group: int64 [n].

    What is left of each group when its whole steps are taken is mixed; the last step may be smaller.

    Example:
        >>> grouped_order(np.arange(7), np.array([0, 1, 0, 1, 1, 0, 0]), 2)
        array([0, 2, 1, 3, 5, 6, 4])
    """
    steps: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    for group in np.unique(groups):
        members = order[groups[order] == group]
        whole = len(members) // size * size
        steps.extend(members[:whole].reshape(-1, size))
        rest.append(members[whole:])
    mixed = np.concatenate(rest)
    whole = len(mixed) // size * size
    steps.extend(mixed[:whole].reshape(-1, size))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    steps.sort(key=lambda step: int(place[step].min()))
    return np.concatenate([*steps, mixed[whole:]])


def workers(config: Config) -> int:
    """Threads that prepare batches: DATA.WORKERS, or as many as this process has processors."""
    if config.data.workers > 0:
        return config.data.workers
    available = getattr(os, "sched_getaffinity", None)  # not on macOS
    return max(1, len(available(0)) if available else os.cpu_count() or 1)


def ordered_batches(
    order: np.ndarray,
    size: int,
    make: Callable[[int], Arrays],
    name: Callable[[int], str],
    spec: Spec,
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
        # Missing: a worker was still busy when the batches were dropped, and the result is not read.
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


def _empty(spec: Spec, *, stop: bool) -> dict[str, np.ndarray]:
    """A batch of no image; with `stop` it says that no other follows."""
    batch = {
        key: np.zeros([side or 0 for side in one.shape], one.dtype.as_numpy_dtype)
        for key, one in spec.items()
    }
    return {**batch, "index": np.full(int(stop), STOP, np.int32)}
