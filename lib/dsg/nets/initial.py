"""Initial values of weights: drawn as the initializer says, or not at all where a file gives them."""

from __future__ import annotations

import contextlib
import contextvars
import random
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

Initializer = Any
KERAS_2 = not hasattr(tf.keras, "Variable")
CONSTANT = (tf.keras.initializers.Zeros, tf.keras.initializers.Ones, tf.keras.initializers.Constant)
_UNFILLED = contextvars.ContextVar("_UNFILLED", default=False)


def seed_initial_values(seed: int) -> None:
    """From here on initial values follow from `seed` and the order in which they are drawn.

    TensorFlow's own generator, from which none is drawn, stays as it is: to seed it throws away every kernel
    that operations have made so far, and to make them again takes longer than to build a small net.
    """
    random.seed(seed)


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Within it, weights that would begin with random values begin with zeros: for models whose weights are
    read from a file. Drawing them takes as long as reading them.

    Example:

        with unfilled():
            model = build_model(config, 48, 4)
        restore(snapshot, model)
    """
    token = _UNFILLED.set(True)
    try:
        yield
    finally:
        _UNFILLED.reset(token)


def initial_value(shape: Sequence[int], initializer: Initializer) -> tf.Tensor:
    """What a weight begins with: float32 of `shape`.

    Args:
        shape: of the weight.
        initializer: one of Keras, its name, or a function of shape and dtype.
    """
    fresh = isinstance(initializer, str)
    initializer = tf.keras.initializers.get(initializer)
    if _UNFILLED.get() and not isinstance(initializer, CONSTANT):
        return tf.zeros(shape)
    # An initializer that has been used draws the same values again, so each weight has its own. Keras 3 draws
    # a seed for each that is made, so none is made needlessly.
    if isinstance(initializer, tf.keras.initializers.Initializer) and (KERAS_2 or not fresh):
        values = initializer.get_config()
        if KERAS_2 and values.get("seed", 0) is None:
            values["seed"] = random.randint(1, 10**9)  # as Keras 2 draws it, in a way Python deprecates
        initializer = type(initializer).from_config(values)
    return initializer(tuple(shape), dtype=tf.float32)
