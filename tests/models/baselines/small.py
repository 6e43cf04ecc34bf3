"""A baseline so small that tests can build, train and check it, and features to show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsg.config import Config, load_config
from dsg.models.baselines.heads import make_head
from tests.shared import ROOT

CFGS = ROOT / "experiments" / "cfgs"
ENTITIES, PREDICATES, CHANNELS = 5, 3, 8


def config(net: str, *overrides: str) -> Config:
    """`net` on `mini`'s trunk, as its file has it but small."""
    file = CFGS / "models" / f"{net}.yml"
    sizes = ["BASELINE.EMBEDDING", "6", "BASELINE.MODULE_LAYERS", "3", "BASELINE.MODULE_KERNEL", "3"]
    sizes += ["BASELINE.MODULE_CHANNELS", "2", "BASELINE.SHIFT_SIZE", "4"]
    return load_config([CFGS / "shapes.yml", file], [*sizes, *overrides])


def head(net: str, *overrides: str) -> Any:
    return make_head(net, config(net, *overrides).baseline, CHANNELS, ENTITIES, PREDICATES)


def weights_of(block: Any, seed: int = 0, scale: float = 0.4) -> dict[str, np.ndarray]:
    """Give all variables of a block random values, and return these."""
    rng = np.random.default_rng(seed)
    variables = block.named_variables()
    values = {name: rng.normal(0, scale, variable.shape) for name, variable in variables.items()}
    for name, variable in variables.items():
        variable.assign(values[name].astype(np.float32))
    return values


def features(seed: int = 1, images: int = 2) -> np.ndarray:
    """float32 [B, 14, 14, 8], not negative, as after a ReLU."""
    return np.abs(np.random.default_rng(seed).normal(0, 0.3, (images, 14, 14, CHANNELS))).astype(np.float32)


def queries(seed: int = 2, images: int = 2, count: int = 3) -> np.ndarray:
    """int32 [B, Q, 3]."""
    rng = np.random.default_rng(seed)
    limits = (ENTITIES, PREDICATES, ENTITIES)
    return np.stack([rng.integers(0, limit, (images, count)) for limit in limits], -1).astype(np.int32)
