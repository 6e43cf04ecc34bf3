"""3x3 convolutions in a quarter of the multiplications: Winograd's F(4x4, 3x3), out of TensorFlow operations.

Four neighbouring outputs of a one-dimensional convolution with three taps need six multiplications instead
of twelve: both signals are read as polynomials, evaluated at six points, multiplied there, and interpolated.
In two dimensions a tile of 4x4 outputs comes from 6x6 inputs by 36 products instead of 144, and over all
tiles and channels each of the 36 points is one matrix product. The result is that of a convolution up to
float32's rounding (1.3e-6 of the outputs' size where a direct convolution has 2e-7 to 6e-7, by processor),
and so are its gradients, which are convolutions of the same kind.

With few channels the transforms cost more than they spare, and bfloat16 has too few digits for them. GPUs
have such kernels in their own libraries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from dsg.nets.kernels import products

TAPS = 3
OUTPUTS = 4  # a side of a tile of outputs
INPUTS = OUTPUTS + TAPS - 1  # a side of the tile of inputs below it
# Five finite points and infinity. Among points of few binary digits these round least in float32.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
# Fewest channels, in and out, from which it is faster than a direct convolution on a processor.
CHANNELS = 96


def pays(x: tf.Tensor, kernel: tf.Tensor) -> bool:
    """Whether `convolve` beats a direct convolution of x [B, H, W, C] and kernel [k, k, C, K] with stride 1,
    here.
    """
    return (
        not products.only_native()
        and x.dtype == tf.float32
        and kernel.shape[:2] == (TAPS, TAPS)
        and min(kernel.shape[2:]) >= CHANNELS
        and not tf.config.list_logical_devices("GPU")
    )


@tf.custom_gradient
def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """x [B, H, W, C] * kernel [3, 3, C, K] -> [B, H, W, K], float32, stride 1, padding SAME."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _shared(_convolve_turned, upstream, kernel), _shared(_kernel_gradient, x, upstream)

    return _shared(_convolve, x, kernel), gradient


def _shared(operation: Callable[..., tf.Tensor], *tensors: tf.Tensor) -> tf.Tensor:
    """`operation` of tensors; where a graph is being built, layers of one shape share one function in it.

    A net has dozens of such layers, each a hundred operations: most of the time until the first step.
    """
    if tf.executing_eagerly():
        return operation(*tensors)
    return _traced(operation, *(tuple(tensor.shape) for tensor in tensors))(*tensors)


@functools.lru_cache(maxsize=64)
def _traced(operation: Callable[..., tf.Tensor], *shapes: tuple[int | None, ...]) -> Callable[..., tf.Tensor]:
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(operation, input_signature=signature, autograph=False)


def _convolve_turned(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return _convolve(x, kernel, turned=True)


def _convolve(x: tf.Tensor, kernel: tf.Tensor, turned: bool = False) -> tf.Tensor:
    """With the kernel as it is, or turned by 180 degrees and from its outputs to its inputs."""
    _, of_kernel, to_outputs = _transforms()
    of_kernel = of_kernel[:, ::-1] if turned else of_kernel
    channels = int(kernel.shape[2 if turned else 3])
    with tf.control_dependencies([x]):  # not earlier: the kernels of all layers at once would fill memory
        points = tf.matmul(of_kernel, tf.reshape(kernel, [TAPS * TAPS, -1]))
    points = tf.reshape(points, [INPUTS * INPUTS, *kernel.shape[2:]])
    multiplied = tf.matmul(_input_points(x), points, transpose_b=turned)  # [36, T, K]
    tiles = tf.matmul(to_outputs, tf.reshape(multiplied, [INPUTS * INPUTS, -1]))
    found = tf.gather(tf.reshape(tiles, [-1, channels]), _output_rows(tf.shape(x)))
    return tf.ensure_shape(found, [*x.shape[:3], channels])


def _kernel_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """The gradient of [3, 3, C, K]: the same products, summed over tiles instead of channels."""
    _, of_kernel, to_outputs = _transforms()
    cin, cout = int(x.shape[3]), int(upstream.shape[3])
    # Not those of the forward pass, which all layers would then hold from the start. The dependency is one of
    # an operation in here: one of the call to this function is lost for those that read x, once inlined.
    with tf.control_dependencies([upstream]):
        x = tf.identity(x)
    tiles = _gather_tiles(upstream, OUTPUTS, 0)
    points = tf.matmul(to_outputs, tf.reshape(tiles, [OUTPUTS * OUTPUTS, -1]), transpose_a=True)
    points = tf.reshape(points, [INPUTS * INPUTS, -1, cout])
    multiplied = tf.matmul(_input_points(x), points, transpose_a=True)  # [36, C, K]
    found = tf.matmul(of_kernel, tf.reshape(multiplied, [INPUTS * INPUTS, -1]), transpose_a=True)
    return tf.reshape(found, [TAPS, TAPS, cin, cout])


def _input_points(x: tf.Tensor) -> tf.Tensor:
    """The 6x6 inputs of every tile, evaluated at the points: [B, H, W, C] -> [36, T, C]."""
    of_inputs, _, _ = _transforms()
    tiles = _gather_tiles(x, INPUTS, TAPS // 2)
    points = tf.matmul(of_inputs, tf.reshape(tiles, [INPUTS * INPUTS, -1]))
    return tf.reshape(points, [INPUTS * INPUTS, -1, int(x.shape[3])])


def _gather_tiles(x: tf.Tensor, side: int, before: int) -> tf.Tensor:
    """Windows of side x side, one at every fourth row and column, `before` of it above and left of the tile.

    [B, H, W, C] -> [side^2 * T, C], T = B * ceil(H / 4) * ceil(W / 4); zeros beyond the border.
    """
    batch, height, width = tf.unstack(tf.shape(x)[:3])
    rows, columns = _tile_count(height), _tile_count(width)
    over = side - OUTPUTS
    padded_height, padded_width = rows * OUTPUTS + over, columns * OUTPUTS + over
    below, right = padded_height - before - height, padded_width - before - width
    x = tf.pad(x, [[0, 0], [before, below], [before, right], [0, 0]])
    image = tf.range(batch)[:, None, None] * padded_height
    row = tf.range(rows)[None, :, None] * OUTPUTS
    corner = (image + row) * padded_width + tf.range(columns)[None, None] * OUTPUTS
    inside = tf.range(side)[:, None] * padded_width + tf.range(side)[None]
    where = tf.reshape(inside, [-1, 1]) + tf.reshape(corner, [1, -1])
    return tf.gather(tf.reshape(x, [-1, int(x.shape[3])]), tf.reshape(where, [-1]))


def _output_rows(shape: tf.Tensor) -> tf.Tensor:
    """Where each output lies in the tiles [16 * T]: int32 [B, H, W]."""
    batch, height, width = tf.unstack(shape[:3])
    rows, columns = _tile_count(height), _tile_count(width)
    y, x = tf.range(height)[None, :, None], tf.range(width)[None, None]
    image = tf.range(batch)[:, None, None] * rows
    tile = (image + y // OUTPUTS) * columns + x // OUTPUTS
    return (y % OUTPUTS * OUTPUTS + x % OUTPUTS) * (batch * rows * columns) + tile


def _tile_count(cells: tf.Tensor) -> tf.Tensor:
    return (cells + OUTPUTS - 1) // OUTPUTS


@functools.lru_cache(maxsize=1)
def _transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a tile of inputs [36, 36], of the kernel [36, 9], from products to a tile of outputs [16, 36]."""
    of_inputs, of_kernel, to_outputs = one_dimensional()
    both = (np.kron(one, one).astype(np.float32) for one in (of_inputs, of_kernel, to_outputs))
    return tuple(both)  # type: ignore[return-value]


def one_dimensional() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices I [6, 6], K [6, 3] and O [4, 6], float64: O ((K k) * (I x)) is the convolution of six inputs x
    and three taps k.

    K evaluates the taps' polynomial at the points and divides by Lagrange's denominators, O evaluates powers
    up to the third; I is then the only matrix that makes all of it a convolution.
    """
    points = np.array(POINTS)
    apart = points[:, None] - points[None] + np.eye(len(points))
    of_kernel = np.vander(points, TAPS, increasing=True) / apart.prod(axis=1, keepdims=True)
    of_kernel = np.vstack([of_kernel, np.eye(TAPS)[-1]])  # infinity: the highest power alone
    to_outputs = np.hstack([np.vander(points, OUTPUTS, increasing=True).T, np.eye(OUTPUTS)[:, -1:]])
    # sum_p O[o, p] K[p, t] I[p, i] = 1 where i = o + t, else 0
    system = (to_outputs[:, None] * of_kernel.T[None]).reshape(OUTPUTS * TAPS, INPUTS)
    place = np.arange(OUTPUTS)[:, None] + np.arange(TAPS)[None]
    wanted = np.eye(INPUTS)[place.reshape(-1)]
    of_inputs = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return of_inputs, of_kernel, to_outputs
