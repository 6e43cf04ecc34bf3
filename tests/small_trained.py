"""A snapshot of a very small network with random weights, for what asks trained models."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from dsg.config import Config, flatten, load_config
from dsg.datasets.shapes.scene import OBJECTS, PREDICATES
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.models.dsg.build import build_model
from tests.shared import ROOT

SMALL = (
    *("RPN_CHANNELS", "16", "HEAD.DIM", "12", "HEAD.CHANNELS", "8", "HEAD.RELATION_CHANNELS", "8"),
    *("GPI.HIDDEN", "16", "GPI.PHI", "16", "GPI.ALPHA", "16", "GPI.RHO", "16", "RR.HIDDEN", "[16]"),
    *("TEST.SCALES", "[64]", "TEST.MAX_SIZE", "128", "TEST.IMS_PER_BATCH", "2"),
)


def small_config(*overrides: str) -> Config:
    return load_config([ROOT / "experiments/cfgs/mini.yml"], [*SMALL, *overrides])


def write_snapshot(
    path: Path, *overrides: str, objects: tuple[str, ...] = OBJECTS, predicates: tuple[str, ...] = PREDICATES
) -> Path:
    """Save one with a slot and the traces of a training run, as training does."""
    path.write_bytes(_snapshot(overrides, objects, predicates))
    return path


@functools.cache
def _snapshot(overrides: tuple[str, ...], objects: tuple[str, ...], predicates: tuple[str, ...]) -> bytes:
    config = small_config(*overrides)
    model = build_model(config, len(objects), len(predicates))
    meta = Meta(
        net=config.net,
        epoch=3,
        step=30,
        history=[{"epoch": 1}],
        config=flatten(config),
        dataset="shapes",
        objects=list(objects),
        predicates=list(predicates),
    )
    variables = model.named_variables()
    name = next(iter(variables))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.npz"
        save_snapshot(path, variables, {f"momentum/{name}": variables[name]}, meta)
        return path.read_bytes()
