"""The building blocks of every net: convolutions, dense layers and normalisation, with weights under stable
names.

A `Block` is a module whose weights are addressed by the path of attributes that leads to them
(`gpi/neighbour_mlp/0/kernel`), and know whether they are trained and decayed. The paths are the same with
Keras 2 and Keras 3, so snapshots move between them. Every block computes in the type of its input: weights
are cast to it, so bfloat16 in gives bfloat16 out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from dsg.nets.initial import Initializer, initial_value
from dsg.nets.kernels import winograd
from dsg.nets.kernels.products import product

GLOROT = "glorot_uniform"
HE = tf.keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")


def normal(stddev: float, truncated: bool = False) -> Initializer:
    """Normal initial values; truncated at two standard deviations on request."""
    kind = tf.keras.initializers.TruncatedNormal if truncated else tf.keras.initializers.RandomNormal
    return kind(stddev=stddev)


class Weight(NamedTuple):
    """A variable, and what training does to it."""

    variable: tf.Variable
    trained: bool  # whether steps change it
    decay: str  # "kernel" or "bias": which weight decay acts on it; "": none


class Weighted:
    """What has weights under stable names: a block, or a model of several."""

    decays_biases = False  # weight decay acts on biases, too

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """All weights by name, in an order that is stable, too."""
        raise NotImplementedError

    def named_variables(self, prefix: str = "") -> dict[str, tf.Variable]:
        """Every variable by its stable name, trained or not."""
        return {name: weight.variable for name, weight in self.named_weights(prefix).items()}

    def trainable_names(self) -> list[str]:
        """Names of the variables that training changes, in the order of `named_variables`."""
        return [name for name, weight in self.named_weights().items() if weight.trained]

    def regularised_names(self) -> list[str]:
        """Names of the variables under weight decay, those included that are never trained."""
        decayed = ("kernel", "bias") if self.decays_biases else ("kernel",)
        return [name for name, weight in self.named_weights().items() if weight.decay in decayed]


class Block(Weighted, tf.Module):
    """A module whose weights have stable names and exist as soon as it does.

    Calling a block is calling its `call`. It is no Keras layer: there is nothing to build later, what Keras
    does around a call (input checks, casts, and in Keras 3 the demand that arguments be tensors) would only
    be in the way, and making the weights of a large net through it takes several times as long.
    """

    def __init__(self) -> None:
        super().__init__()
        self._decays: dict[str, str] = {}
        self._frozen = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def weight(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Initializer,
        *,
        trained: bool = True,
        decay: str = "",
    ) -> Any:
        """A new float32 variable; assign it to the attribute `name`. For `trained` and `decay` see
        `Weight`.
        """
        self._decays[name] = decay
        return tf.Variable(initial_value(shape, initializer), trainable=trained, name=name)

    def freeze(self) -> None:
        """From here on no weight below is trained; weight decay still counts them."""
        self._frozen = True

    def fold(self) -> None:
        """Compute once what follows from the weights alone, here and below. The function stays the same; what
        the weights say one by one does not, so this is for answering, not for training.
        """
        for value in vars(self).values():
            for part in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(part, Block):
                    part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """All weights below this block by the path of attributes that leads to each, in order of
        definition.
        """
        return dict(_walk(self, prefix))


def _walk(node: Any, prefix: str, frozen: bool = False) -> Iterator[tuple[str, Weight]]:
    if isinstance(node, Block):
        items = [(key, value) for key, value in vars(node).items() if not key.startswith("_")]
        frozen = frozen or node._frozen
    else:
        items = [(str(number), value) for number, value in enumerate(node)]
    for key, value in items:
        if isinstance(value, Block) or (
            isinstance(value, (list, tuple)) and any(isinstance(v, Block) for v in value)
        ):
            yield from _walk(value, prefix if key == "layers" else f"{prefix}{key}/", frozen)
            continue
        # A Keras 3 variable wraps TensorFlow's.
        variable = value if isinstance(value, tf.Variable) else getattr(value, "value", None)
        if isinstance(variable, tf.Variable):
            yield f"{prefix}{key}", Weight(variable, variable.trainable and not frozen, node._decays[key])


def single_cells(x: tf.Tensor) -> tf.Tensor:
    """[B, 1, 1, C] -> [B, C], anything else as it is.

    On maps of one cell a convolution is a matrix product, which a processor computes three times as fast.
    """
    return x[:, 0, 0] if x.shape[1] == 1 and x.shape[2] == 1 else x


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int = 1) -> tf.Tensor:
    """[B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), C'], padded by half the kernel on both sides.

    With a stride this differs from TensorFlow's SAME, which would pad unevenly; it is what slim's ResNet
    does. Maps of one cell may come as [B, C], see `single_cells`; a kernel then is 1x1.
    """
    kernel = tf.cast(kernel, x.dtype)
    if x.shape.rank == 2:
        return product(tf.matmul, x, kernel[0, 0])
    half = int(kernel.shape[0]) // 2
    if stride == 1 and winograd.pays(x, kernel):
        return winograd.convolve(x, kernel)
    if stride == 1 or half == 0:
        return product(lambda a, b: tf.nn.conv2d(a, b, stride, "SAME"), x, kernel)
    # Padded beforehand: with explicit padding in the convolution its gradients take several times as long on
    # a processor.
    x = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])
    return product(lambda a, b: tf.nn.conv2d(a, b, stride, "VALID"), x, kernel)


class Conv(Block):
    """Convolution with a bias, [B, H, W, Cin] -> [B, H', W', Cout], optionally followed by a ReLU."""

    def __init__(
        self,
        cin: int,
        cout: int,
        size: int = 1,
        stride: int = 1,
        relu: bool = False,
        init: Initializer = GLOROT,
        decayed: bool = True,
    ) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (size, size, cin, cout), init, decay="kernel" * decayed)
        self.bias = self.weight("bias", (cout,), "zeros", decay="bias" * decayed)
        self._stride, self._relu = stride, relu

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.bias_add(convolve(x, self.kernel, self._stride), tf.cast(self.bias, x.dtype))
        return tf.nn.relu(y) if self._relu else y


class FrozenNormConv(Block):
    """Convolution and batch normalisation with stored statistics, folded into one convolution with a bias.

    Neither scale, shift nor statistics are trained; gradients reach the kernel through the fold, and no
    normalised activation is ever stored. On a 1x1 map a 3x3 kernel sees its centre tap only:
    `centre_tap=True` runs it as a 1x1 convolution. `gamma` is the scale that a net without weights starts
    from.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        size: int = 1,
        stride: int = 1,
        relu: bool = True,
        epsilon: float = 1e-5,
        gamma: float = 1.0,
    ) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (size, size, cin, cout), HE, decay="kernel")
        self.gamma = self.weight("gamma", (cout,), tf.keras.initializers.Constant(gamma), trained=False)
        self.beta = self.weight("beta", (cout,), "zeros", trained=False)
        self.moving_mean = self.weight("moving_mean", (cout,), "zeros", trained=False)
        self.moving_variance = self.weight("moving_variance", (cout,), "ones", trained=False)
        self._stride, self._relu, self._epsilon, self._folded = stride, relu, epsilon, False

    def fold(self) -> None:
        """Multiply the kernel by the scale; what is left of the normalisation is the shift."""
        scale, shift = self._scale_and_shift()
        self.kernel.assign(tf.convert_to_tensor(self.kernel) * scale)
        self.beta.assign(shift)
        self.gamma.assign(tf.ones_like(scale))
        self.moving_mean.assign(tf.zeros_like(scale))
        self.moving_variance.assign(tf.fill(scale.shape, 1.0 - self._epsilon))
        self._folded = True

    def call(self, x: tf.Tensor, centre_tap: bool = False) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        if centre_tap and kernel.shape[0] > 1:
            middle = int(kernel.shape[0]) // 2
            kernel = kernel[middle : middle + 1, middle : middle + 1]
        with tf.control_dependencies([x]):  # not earlier: all folded kernels at once would double the weights
            scale, shift = self._scale_and_shift()
            kernel = tf.cast(kernel if self._folded else kernel * scale, x.dtype)
        y = tf.nn.bias_add(convolve(x, kernel, self._stride), tf.cast(shift, x.dtype))
        return tf.nn.relu(y) if self._relu else y

    def _scale_and_shift(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What the normalisation multiplies a convolution by, and adds: [C'] each."""
        variance = tf.convert_to_tensor(self.moving_variance)
        scale = tf.convert_to_tensor(self.gamma) * tf.math.rsqrt(variance + self._epsilon)
        return scale, tf.convert_to_tensor(self.beta) - tf.convert_to_tensor(self.moving_mean) * scale


# A ReLU of unit normal values has this inverse standard deviation: multiplied by it, activations keep unit
# size.
RELU_GAIN = math.sqrt(2.0 / (1.0 - 1.0 / math.pi))


class StandardisedConv(Block):
    """Convolution whose kernel is normalised: zero mean and unit norm for each output channel, times a
    trained gain.

    It trains from random weights at any batch size. Nothing is computed from activations, so neither other
    images nor the padding of a batch can leak into a result, brightness is not divided away, and at test time
    it is a plain convolution.
    """

    def __init__(
        self, cin: int, cout: int, size: int = 1, stride: int = 1, relu: bool = True, epsilon: float = 1e-6
    ) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (size, size, cin, cout), "he_normal", decay="kernel")
        self.gain = self.weight("gain", (cout,), "ones")
        self.bias = self.weight("bias", (cout,), "zeros", decay="bias")
        self._fan_in = float(size * size * cin)
        self._stride, self._relu, self._epsilon, self._folded = stride, relu, epsilon, False

    def fold(self) -> None:
        """Keep the normalised kernel, of which normalising makes the same again."""
        self.kernel.assign(self._normalised())
        self.gain.assign(tf.abs(tf.convert_to_tensor(self.gain)))
        self._folded = True

    def _normalised(self) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        mean, variance = tf.nn.moments(kernel, [0, 1, 2], keepdims=True)
        scale = tf.math.rsqrt(variance * self._fan_in + self._epsilon) * tf.convert_to_tensor(self.gain)
        return (kernel - mean) * scale

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel) if self._folded else self._normalised()
        y = tf.nn.bias_add(convolve(x, kernel, self._stride), tf.cast(self.bias, x.dtype))
        return tf.nn.relu(y) * tf.cast(RELU_GAIN, y.dtype) if self._relu else y


class Dense(Block):
    """x W + b on the last axis, with the parts of W's rows usable one by one.

    A dense layer on a concatenation [a ; b] is A a + B b. `apply_rows(a, 0, len(a))` gives one such term
    without the bias, so that a term which many pairs share is computed once.
    """

    def __init__(self, din: int, dout: int, init: Initializer = GLOROT, decayed: bool = True) -> None:
        super().__init__()
        self.kernel = self.weight("kernel", (din, dout), init, decay="kernel" * decayed)
        self.bias = self.weight("bias", (dout,), "zeros", decay="bias" * decayed)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.apply_rows(x, 0, None) + tf.cast(self.bias, x.dtype)

    def apply_rows(self, x: tf.Tensor, start: int, stop: int | None) -> tf.Tensor:
        """x times rows start..stop of the kernel, without the bias: [..., stop - start] -> [..., dout]."""
        kernel = tf.cast(self.kernel, x.dtype)[start:stop]
        flat = tf.reshape(x, [-1, kernel.shape[0]])
        shape = tf.concat([tf.shape(x)[:-1], [kernel.shape[1]]], 0)
        return tf.reshape(product(tf.matmul, flat, kernel), shape)

    def look_up(self, ids: tf.Tensor, start: int, dtype: tf.DType) -> tf.Tensor:
        """Rows `start + ids` of the kernel: what a one-hot input times these rows would give, [...] -> [...,
        dout].
        """
        return tf.cast(tf.gather(tf.convert_to_tensor(self.kernel), start + ids), dtype)


class Mlp(Block):
    """Dense layers with ReLUs between them; the last is linear unless `relu_last`.

    The first layer reads a concatenation of parts of widths `parts`; hand `first_layer` the sum of its
    `term`s.
    """

    def __init__(
        self,
        parts: Sequence[int],
        widths: Sequence[int],
        relu_last: bool = False,
        init: Initializer = GLOROT,
    ) -> None:
        super().__init__()
        sizes = [sum(parts), *widths]
        self.layers = [Dense(din, dout, init) for din, dout in zip(sizes[:-1], sizes[1:])]
        self._starts = [sum(parts[:number]) for number in range(len(parts) + 1)]
        self._relu_last = relu_last

    def term(self, x: tf.Tensor, part: int) -> tf.Tensor:
        """What part number `part` of the concatenation adds to the first layer."""
        return self.layers[0].apply_rows(x, self._starts[part], self._starts[part + 1])

    def look_up(self, ids: tf.Tensor, part: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """The same for a one-hot part, given as ids."""
        return self.layers[0].look_up(ids, self._starts[part], dtype)

    def call(self, first: tf.Tensor) -> tf.Tensor:
        """From the sum of the first layer's terms to the output."""
        x = first + tf.cast(self.layers[0].bias, first.dtype)
        for layer in self.layers[1:]:
            x = layer(tf.nn.relu(x))
        return tf.nn.relu(x) if self._relu_last else x
