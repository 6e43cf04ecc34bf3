"""Orders in which regions and anchors are drawn, from seeds."""

from __future__ import annotations

import tensorflow as tf


class SeededOrder:
    """`dsg.boxes.matching.Permutation` from a seed int32 [2], see `dsg.nets.seeds`; every call in a graph
    draws another order.
    """

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed, self._calls = seed, 0

    def __call__(self, count: tf.Tensor) -> tf.Tensor:
        self._calls += 1
        own = tf.random.experimental.stateless_fold_in(self._seed, self._calls)
        return tf.random.experimental.stateless_shuffle(tf.range(count), own)
