"""A data set and a network so small that training them belongs into a test."""

from __future__ import annotations

from pathlib import Path

from dsg.datasets.shapes.generator import generate_shapes
from tests.shared import ROOT

CONFIGS = [ROOT / "experiments" / "cfgs" / name for name in ("shapes.yml", "mini.yml")]
# Makes the network `mini` tiny, and a run short, repeatable and talkative.
OPTIONS = {
    "TRAIN.SCALES": "[48]",
    "TRAIN.MAX_SIZE": "96",
    "TRAIN.RPN_POST_NMS_TOP_N": "6",
    "TRAIN.WARMUP_STEPS": "0",
    "TRAIN.IMS_PER_BATCH": "4",
    "TRAIN.EPOCHS": "2",
    "TRAIN.DISPLAY": "1",
    "TRAIN.SUMMARY_INTERVAL": "2",
    "TRAIN.DETERMINISTIC": "True",
    "TRAIN.AVERAGE": "0.5",
    "TEST.SCALES": "[48]",
    "TEST.MAX_SIZE": "96",
    "TEST.IMS_PER_BATCH": "2",
    "TEST.PICTURES": "2",
    "DATA.WORKERS": "1",
    "RPN_CHANNELS": "16",
    "HEAD.DIM": "12",
    "HEAD.CHANNELS": "16",
    "HEAD.RELATION_CHANNELS": "8",
    "GPI.HIDDEN": "16",
    "GPI.PHI": "16",
    "GPI.ALPHA": "16",
    "GPI.RHO": "16",
    "RR.HIDDEN": "[16]",
}
PAIRS = [word for pair in OPTIONS.items() for word in pair]
# For what has nothing to do with the graph or with summaries: trained in two thirds of the time.
PLAIN = ["VARIANT", "no_dsg", "TRAIN.SUMMARY_INTERVAL", "0", "TEST.PICTURES", "0"]


def make_tiny_shapes(data_dir: Path, train: int = 12, test: int = 3) -> Path:
    """The data set `shapes` in a folder of data sets: images of 96 x 64 pixels with 2 to 3 objects."""
    generate_shapes(
        data_dir / "shapes", train=train, test=test, size=(96, 64), seed=1, workers=1, objects=(2, 3)
    )
    return data_dir
