"""A snapshot of a very small grounded model with random weights, for what uses trained ones."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

from dsg.config import Config, flatten, load_config
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.models.grounding.build import build_grounding
from tests.shared import ROOT

WORDS = Vocabulary(("dog", "cat", "traffic light", "hat"), ("on", "riding", "next_to"), ("dog", "cat"))
SMALL = (
    *("RPN_CHANNELS", "16", "HEAD.DIM", "12", "HEAD.CHANNELS", "8", "TEST.RPN_POST_NMS_TOP_N", "24"),
    *("TEST.SCALES", "[64]", "TEST.MAX_SIZE", "128", "TEST.IMS_PER_BATCH", "2", "GROUNDING.BOXES", "8"),
    *("GROUNDING.ROI_SIDE", "7", "GROUNDING.CHANNELS", "8", "GROUNDING.FEATURES", "16"),
    *("GROUNDING.HIDDEN", "8", "GROUNDING.EMBEDDING", "6", "GROUNDING.POOLING", "16"),
    *("GROUNDING.REFINER", "8", "GROUNDING.MASK_CONVS", "1"),
)


def small_grounding_config(*overrides: str) -> Config:
    path = ROOT / "experiments/cfgs/models/grounding_mini.yml"
    return load_config([path], [*SMALL, *overrides])


def write_grounding(path: Path, *overrides: str, words: Vocabulary = WORDS) -> Path:
    """Save one, whose scores are some high and some low."""
    path.write_bytes(_snapshot(overrides, words))
    return path


@functools.cache
def _snapshot(overrides: tuple[str, ...], words: Vocabulary) -> bytes:
    config = small_grounding_config(*overrides)
    model = build_grounding(config, words)
    variables = {name: np.array(variable) for name, variable in model.named_variables().items()}
    rng = np.random.default_rng(0)
    for name, variable in variables.items():
        if name == "transfer":
            variables[name] = rng.dirichlet(np.ones(len(variable)), variable.shape[1]).T.astype(np.float32)
        size = {
            "predictor/vg_cls/kernel": 3.0,
            "predictor/vg_box/kernel": 0.3,
            "rpn/boxes/kernel": 0.1,
            "rpn/classes/kernel": 1.0,
        }.get(name)
        if size:
            variables[name] = rng.normal(0, size, variable.shape).astype(np.float32)
    meta = Meta(
        net=config.net,
        epoch=3,
        step=30,
        config=flatten(config),
        dataset="shapes150",
        objects=list(words.objects),
        predicates=list(words.predicates),
        mask_objects=list(words.mask_objects),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.npz"
        save_snapshot(path, variables, {}, meta)
        return path.read_bytes()
