"""Differentiable scene graphs and referring relationships on TensorFlow 2.

`load` opens a trained model; `dsg.api` describes what it can do. Importing this package is quick.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dsg.version import __version__

# By default TensorFlow uses its oneDNN kernels only on processors with instructions for neural networks. With
# AVX2 alone they are also faster, up to twenty times for gradients of many small maps. TensorFlow reads this
# when it is loaded.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# A limit for files whose size `dsg.pipeline.images` cannot find before decoding (MAX_PIXELS there). OpenCV
# reads this when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "200000000")

# Programs that only run a model leave GPU memory to those that train there: memory is taken as needed, not
# all at once. TensorFlow reads this when it first uses a GPU.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

if TYPE_CHECKING:
    from pathlib import Path

    from dsg.api import Model

__all__ = ["__version__", "load"]


def load(path: str | Path) -> Model:
    """Load a trained model from a snapshot of a run or a file written by `dsg export --weights`.

    Raises:
        dsg.errors.UserError: the file is missing, damaged or not a snapshot, or TensorFlow is not installed.

    Example:
        >>> import dsg
        >>> model = dsg.load("data/demo/mini.npz")
        >>> query = ("blue metal cylinder", "left", "blue metal cylinder")
        >>> answers = model.ask("data/demo/images/demo_0.png", [query])
        >>> answers[0].subject.rounded(), answers[0].subject.score > 0.5
        ((104, 69, 139, 111), True)
    """
    from dsg.runtime.missing import missing_packages_named

    with missing_packages_named():
        from dsg.api import Model

        return Model.load(path)
