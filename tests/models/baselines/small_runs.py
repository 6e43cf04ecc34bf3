"""Options that make the training of a baseline short, and the baselines' settings for the tiny shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.config import load_config
from dsg.pipeline.splits import load_splits
from tests.models.baselines.small import CFGS

SMALL = {
    "BASELINE.EMBEDDING": "8",
    "BASELINE.MODULE_LAYERS": "2",
    "BASELINE.MODULE_KERNEL": "3",
    "BASELINE.MODULE_CHANNELS": "2",
    "BASELINE.FINETUNE_CNN": "False",
    "TRAIN.EPOCHS": "2",
    "TRAIN.IMS_PER_BATCH": "16",
    "TRAIN.LEARNING_RATE": "0.01",
    "TRAIN.PATIENCE": "0",
    "TRAIN.DETERMINISTIC": "True",
    "TEST.IMS_PER_BATCH": "2",
    "TEST.PICTURES": "1",
    "DATA.WORKERS": "1",
}
PAIRS = [word for pair in SMALL.items() for word in pair]


def settings(net: str, data: Path, *overrides: str) -> Any:
    """Configuration, training and validation split."""
    file = CFGS / "models" / f"{net}.yml"
    pairs = ["DATA.DIR", str(data), *PAIRS, *overrides]
    config = load_config([CFGS / "shapes.yml", file, *CFGS.glob(f"{net}_shapes.yml")], pairs)
    return config, *load_splits(config, "shapes")
