"""Geometry of pairs: what it does not depend on, and how it turns around."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.nets.pair_geometry import pair_geometry
from tests.models.dsg.cases import close


def boxes(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low, size = rng.uniform(0, 50, (2, 5, 2)), rng.uniform(5, 40, (2, 5, 2))
    return np.concatenate([low, low + size - 1], -1).astype(np.float32)


def test_known_pair() -> None:
    pair = tf.constant([[[0.0, 0.0, 9.0, 9.0], [20.0, 0.0, 59.0, 9.0]]])  # 10 x 10, and 40 x 10 to its right
    found = pair_geometry(pair)[0]
    offset = np.log1p((39.5 - 4.5) / 20)
    close(found[0, 1], [offset, 0, np.log(4), 0, 0], 1e-5)
    close(found[1, 0], [-offset, 0, -np.log(4), 0, 0], 1e-5)
    close(found[0, 0], [0, 0, 0, 0, 1], 1e-5)


def test_shifting_changes_nothing_and_exchanging_turns_around() -> None:
    found = pair_geometry(boxes()).numpy()
    close(pair_geometry(boxes() + 17), found, 1e-4)
    close(found[..., :4].transpose(0, 2, 1, 3), -found[..., :4], 1e-5)
