"""Matrix products and convolutions in a 16-bit type, also on processors that have no instructions for it.

There TensorFlow multiplies number by number, ten times and more slower than in float32. The same products
of float32 copies, rounded to 16 bits once, at the end, take about float32's time, and are what processors
with such instructions compute: they, too, add up in float32.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import tensorflow as tf

from dsg.runtime.machine import imitates

_native: contextvars.ContextVar[bool] = contextvars.ContextVar("native", default=False)


@contextlib.contextmanager
def native() -> Iterator[None]:
    """Graphs built within take TensorFlow's own products and convolutions only, whatever serves this
    processor best: for another machine, to compare, or to count operations as is the custom.
    """
    token = _native.set(True)
    try:
        yield
    finally:
        _native.reset(token)


def only_native() -> bool:
    """Whether the graph is being built within `native`."""
    return _native.get()


def product(operation: Callable[..., tf.Tensor], *factors: tf.Tensor) -> tf.Tensor:
    """`operation` on factors of one type, in that type.

    Example:
        >>> product(tf.matmul, tf.ones([2, 3], tf.bfloat16), tf.ones([3, 1], tf.bfloat16)).dtype
        tf.bfloat16
    """
    dtype = factors[0].dtype
    if only_native() or not _by_way_of_float32(dtype.name):
        return operation(*factors)
    return tf.cast(operation(*(tf.cast(factor, tf.float32) for factor in factors)), dtype)


@functools.cache
def _by_way_of_float32(name: str) -> bool:
    return imitates(name) and not tf.config.list_logical_devices("GPU")
