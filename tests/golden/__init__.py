"""Reference arrays measured on the TensorFlow 1 release, beside the tests so that they run anywhere."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


@functools.cache
def golden(name: str) -> dict[str, np.ndarray]:
    """Every array of `tests/golden/<name>.npz`, by key."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}
