"""Differentiable scene graphs and referring relationships on TensorFlow 2.

`load` opens a trained model; `dsg.api` tells what it can do. Importing this package loads nothing slow.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dsg.version import __version__

# Left alone, TensorFlow takes its oneDNN kernels only where a processor has instructions made for neural
# networks. With AVX2 alone they are faster, too: up to twenty times for gradients of many small maps. It asks
# when it is loaded.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# For files that do not state their size where `dsg.pipeline.images` looks, before it decodes them (MAX_PIXELS
# there). OpenCV asks when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "200000000")

# What only asks a model on a GPU leaves its memory to what trains there: taken as it is needed, not all at
# once. TensorFlow asks when it first uses a GPU.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

if TYPE_CHECKING:
    from pathlib import Path

    from dsg.api import Model

__all__ = ["__version__", "load"]


def load(path: str | Path) -> Model:
    """The trained model of a file: a snapshot of a run, or weights written by `dsg export --weights`.

    Raises:
        dsg.errors.UserError: the file is missing, damaged or no snapshot, or TensorFlow is not installed.

    Example:
        >>> import dsg
        >>> model = dsg.load("data/demo/mini.npz")
        >>> query = ("blue metal cylinder", "left", "blue metal cylinder")
        >>> found = model.ask("data/demo/images/demo_0.png", [query])
        >>> found[0].subject.rounded(), found[0].subject.score > 0.5
        ((104, 69, 139, 111), True)
    """
    from dsg.runtime.missing import missing_packages_named

    with missing_packages_named():
        from dsg.api import Model

        return Model.load(path)
