"""What only tensorflow-addons gives, taken from it where an option asks for it.

The package is at its end of life and exists for TensorFlow up to 2.15. It is imported here and nowhere else,
when needed; the release's and the paper's recipes never do.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import tensorflow as tf

from dsg.errors import UserError

VERSIONS = "Python 3.9 - 3.11 with tensorflow 2.15 and tensorflow-addons 0.23"


def load(option: str) -> Any:
    """The package.

    Raises:
        UserError: it cannot be imported; names `option` and the versions that have it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it announces its end of life at every import
            return importlib.import_module("tensorflow_addons")
    except ImportError as error:
        raise UserError(
            f"{option} needs tensorflow-addons, which this environment does not have ({error}): use "
            f"{VERSIONS} (`make` without TF), or leave the option at its default"
        ) from error


def sparsemax(logits: tf.Tensor, axis: int) -> tf.Tensor:
    """The point of the simplex nearest to `logits` along `axis` (Martins and Astudillo, 2016): like a
    softmax, with zeros.
    """
    return load("GPI.ATTENTION sparsemax").activations.sparsemax(logits, axis)


def giou_loss(boxes: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """1 - generalised IoU (Rezatofighi et al., 2019) of x1 y1 x2 y2 [..., 4], no +1 widths: [...] in
    [0, 2].
    """
    by_rows = [tf.gather(one, [1, 0, 3, 2], axis=-1) for one in (truth, boxes)]
    return load("LOSS.BOX_KIND giou").losses.giou_loss(*by_rows, mode="giou")
