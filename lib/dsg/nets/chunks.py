"""A function of many rows, applied to a few at a time: the memory of what it holds on the way is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from dsg.nets.kernels import products

Branch = Callable[[], tf.Tensor]


def when(condition: tf.Tensor, then: Branch, otherwise: Branch) -> tf.Tensor:
    """`tf.cond`; in graphs whose operations are counted, where branches are opaque, always the first."""
    return then() if products.only_native() else tf.cond(condition, then, otherwise)


def some(values: tf.Tensor) -> tf.Tensor:
    """Values [n, ...], and one of zeros where there are none: of no image, convolutions may return no map."""
    extra = tf.cast(tf.equal(tf.shape(values)[0], 0), tf.int32)
    return tf.pad(values, tf.stack([[0, extra], *[[0, 0]] * (len(values.shape) - 1)]))


def in_chunks(function: Callable[[tf.Tensor], tf.Tensor], count: tf.Tensor, size: int) -> tf.Tensor:
    """What `function` gives for rows 0 .. count - 1, `size` at a time.

    Args:
        function: from rows int32 [n] to values [n, ...]; of no rows, too.
        count: of rows.
        size: of a chunk.
    """

    def body(number: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        start = number * size
        return number + 1, parts.write(number, function(tf.range(start, tf.minimum(start + size, count))))

    if products.only_native():
        return function(tf.range(count))  # to be counted, for which loops are opaque
    chunks = tf.maximum((count + size - 1) // size, 1)
    parts = tf.TensorArray(tf.float32, size=chunks, infer_shape=False)
    parts = tf.while_loop(lambda number, _: number < chunks, body, (tf.constant(0), parts))[1]
    return parts.concat()


def recomputed_in_chunks(
    function: Callable[..., tf.Tensor],
    count: tf.Tensor,
    size: int,
    tensors: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor] = (),
) -> tf.Tensor:
    """The same of `function(rows, others, *tensors)`, of which nothing is kept for the gradient but `tensors`
    and `others`: chunks are computed again for it. It reaches `tensors` alone; `function` reads nothing else.
    """
    # A gradient within a condition finds what was made there, and not what lies outside.
    count, others = tf.identity(count), [tf.identity(tensor) for tensor in others]

    @tf.custom_gradient
    def run(*given: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
        def gradient(upstream: tf.Tensor) -> Any:
            def body(number: tf.Tensor, *totals: tf.Tensor) -> tuple[tf.Tensor, ...]:
                rows = tf.range(number * size, tf.minimum((number + 1) * size, count))
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(given)
                    values = function(rows, others, *given)
                found = tape.gradient(values, given, tf.gather(upstream, rows), tf.UnconnectedGradients.ZERO)
                return number + 1, *(total + tf.convert_to_tensor(new) for total, new in zip(totals, found))

            zeros = tuple(tf.zeros_like(tensor) for tensor in given)
            return tf.while_loop(lambda number, *_: number * size < count, body, (tf.constant(0), *zeros))[1:]

        return in_chunks(lambda rows: function(rows, others, *given), count, size), gradient

    return run(*tensors)
