"""A snapshot of a very small detector with random weights, for what uses trained detectors."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

from dsg.config import Config, flatten, load_config
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.models.detector.build import build_detector
from tests.shared import ROOT

CLASSES = ("dog", "cat", "traffic light")
SMALL = (
    *("RPN_CHANNELS", "16", "HEAD.DIM", "12", "HEAD.CHANNELS", "8", "TEST.RPN_POST_NMS_TOP_N", "24"),
    *("TEST.SCALES", "[64]", "TEST.MAX_SIZE", "128", "TEST.IMS_PER_BATCH", "2", "TEST.MAX_PER_IMAGE", "20"),
)


def small_detector_config(*overrides: str) -> Config:
    path = ROOT / "experiments/cfgs/models/detector_mini.yml"
    return load_config([path], [*SMALL, *overrides])


def write_detector(path: Path, *overrides: str, classes: tuple[str, ...] = CLASSES) -> Path:
    """Save one, whose scores are some high and some low."""
    path.write_bytes(_snapshot(overrides, classes))
    return path


@functools.cache
def _snapshot(overrides: tuple[str, ...], classes: tuple[str, ...]) -> bytes:
    config = small_detector_config(*overrides)
    model = build_detector(config, len(classes) + 1)
    variables = {name: np.array(variable) for name, variable in model.named_variables().items()}
    rng = np.random.default_rng(0)
    for name, size in {
        "predictor/classes/kernel": 3.0,
        "predictor/boxes/kernel": 0.3,
        "rpn/boxes/kernel": 0.1,
        "rpn/classes/kernel": 1.0,
    }.items():
        variables[name] = rng.normal(0, size, variables[name].shape).astype(np.float32)
    meta = Meta(
        net=config.net, epoch=3, step=30, config=flatten(config), dataset="shapes", objects=list(classes)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.npz"
        save_snapshot(path, variables, {}, meta)
        return path.read_bytes()
