"""How many floating-point operations a function takes: those of its convolutions and matrix products,
counted in its graph.

A multiplication and an addition are two operations, and 3x3 convolutions count as direct ones, as is the
custom, though `dsg.nets.kernels.winograd` computes them with fewer. The sizes of packed crops are known only
when the graph runs, so they are asked of the running graph. Everything else (normalisation, softmax, boxes)
is small beside these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from dsg.nets.kernels import products

Labels = Callable[[Any, Sequence[Any]], Sequence[str]]
"""Takes a graph and its convolutions and matrix products, returns a label for each of these."""


def count_gflop(function: Callable[..., Any], *args: Any) -> float:
    """Billions (10^9) of operations of one call; `function` is traced again and called once.

    Only that part of it is computed which the sizes depend on.
    """
    return sum(count_gflop_by(_alike, function, *args).values())


def count_gflop_by(labels: Labels, function: Callable[..., Any], *args: Any) -> dict[str, float]:
    """The same, shared out by labels: {label: thousand million operations}."""
    return gflop_counter(function, *args, labels=labels)(*args)


def _alike(graph: Any, operations: Sequence[Any]) -> list[str]:
    return [""] * len(operations)


def gflop_counter(
    function: Callable[..., Any], *specs: Any, labels: Labels = _alike
) -> Callable[..., dict[str, float]]:
    """A function that counts as `count_gflop_by` does; `function` is traced once, for arguments of `specs`
    (tensors, or `tf.TensorSpec`).
    """
    names: list[str] = []

    @tf.function(autograph=False)
    def sizes(*args: Any) -> tf.Tensor:
        function(*args)
        graph = tf.compat.v1.get_default_graph()
        found = [op for op in graph.get_operations() if op.type in _COUNTED]
        names[:] = labels(graph, found)
        return tf.stack([tf.cast(0, tf.float64), *(_operations(op) for op in found)])

    with products.native():
        traced = sizes.get_concrete_function(*specs)

    def count(*args: Any) -> dict[str, float]:
        total: dict[str, float] = {}
        for name, number in zip(names, traced(*args).numpy()[1:]):
            total[name] = total.get(name, 0.0) + float(number)
        return {name: number / 1e9 for name, number in total.items()}

    return count


def _convolution(op: Any) -> tf.Tensor:
    return _product(tf.shape(op.outputs[0])) * _kernel(op.inputs[1].shape)


def _depthwise(op: Any) -> tf.Tensor:
    kernel = tf.shape(op.inputs[1])
    return _product(tf.shape(op.outputs[0])) * 2.0 * _product(kernel[:2])


def _convolution_input_gradient(op: Any) -> tf.Tensor:
    return _product(tf.shape(op.inputs[2])) * _kernel(op.inputs[1].shape)


def _convolution_kernel_gradient(op: Any) -> tf.Tensor:
    incoming = op.inputs[2]
    kernel = tf.cast(op.inputs[1], tf.int32)
    return _product(tf.shape(incoming)) * 2.0 * _product(kernel[:3])


def _matrix_product(op: Any) -> tf.Tensor:
    inner = tf.shape(op.inputs[0])[0 if op.get_attr("transpose_a") else 1]
    return _product(tf.shape(op.outputs[0])) * 2.0 * tf.cast(inner, tf.float64)


def _kernel(shape: tf.TensorShape) -> float:
    """Operations for each number that comes out of a convolution."""
    return 2.0 * math.prod(shape[:3])


def _product(shape: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(shape, tf.float64))


_COUNTED = {
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _convolution_input_gradient,
    "Conv2DBackpropFilter": _convolution_kernel_gradient,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _matrix_product,
}


def _operations(op: Any) -> tf.Tensor:
    return _COUNTED[op.type](op)
