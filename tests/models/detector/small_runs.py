"""A detector so small that training it belongs into a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dsg.config import Config, load_config
from dsg.datasets import Dataset
from dsg.pipeline.splits import load_split
from tests.shared import ROOT
from tests.tiny import make_tiny_shapes

MODELS = ROOT / "experiments" / "cfgs" / "models"
# Makes detector_mini tiny, and a run short and repeatable.
OPTIONS = {
    "TRAIN.SCALES": "[64]",
    "TRAIN.MAX_SIZE": "96",
    "TRAIN.WARMUP_STEPS": "10",
    "TRAIN.LEARNING_RATE": "0.004",
    "TRAIN.SCHEDULE": "steps",
    "TRAIN.EPOCHS": "2",
    "TRAIN.STEPS_PER_EPOCH": "60",
    "TRAIN.BATCH_SIZE": "24",
    "TRAIN.FG_FRACTION": "0.5",
    "TRAIN.RPN_BATCHSIZE": "32",
    "TRAIN.RPN_POST_NMS_TOP_N": "24",
    "TRAIN.AVERAGE": "0.9",
    "TRAIN.DISPLAY": "0",
    "TRAIN.SUMMARY_INTERVAL": "0",
    "TRAIN.DETERMINISTIC": "True",
    "TEST.SCALES": "[64]",
    "TEST.MAX_SIZE": "96",
    "TEST.RPN_POST_NMS_TOP_N": "24",
    "TEST.PICTURES": "1",
    "ANCHOR_SCALES": "[1.2, 1.8, 2.7]",
    "RPN_CHANNELS": "32",
    "HEAD.DIM": "48",
    "HEAD.CHANNELS": "24",
    "DATA.WORKERS": "1",
}


def config_of(net: str, changes: Sequence[str] = (), tiny: bool = True) -> Config:
    """The configuration of `detector_<net>`, made small."""
    pairs = [word for pair in OPTIONS.items() for word in pair] if tiny else []
    return load_config([MODELS / f"detector_{net}.yml"], [*pairs, *changes])


def two_pictures(folder: Path, config: Config, repeats: int = 1) -> Dataset:
    """Two pictures of `shapes`, 96 x 64 pixels, as a split that has them `repeats` times."""
    if not (folder / "shapes").exists():
        make_tiny_shapes(folder, train=4, test=1)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, dir=str(folder)))
    split = load_split(config, "shapes", "trainval", 2)
    return dataclasses.replace(split, records=list(split.records) * repeats)
