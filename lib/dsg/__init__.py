"""Differentiable scene graphs and referring relationships on TensorFlow 2.

`load` opens a trained model; `dsg.api` tells what it can do. Importing this package loads nothing slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dsg.api import Model

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path) -> Model:
    """The trained model of a file: a snapshot of a run, or weights written by `tools/export.py --weights`.

    Raises:
        dsg.errors.UserError: the file is missing, damaged or no snapshot.

    Example:
        >>> import dsg
        >>> model = dsg.load("data/demo/mini.npz")
        >>> found = model.ask("scene.png", [("red metal cube", "left", "blue rubber sphere")])
        >>> found[0].subject.box, found[0].subject.score
    """
    from dsg.api import Model

    return Model.load(path)
