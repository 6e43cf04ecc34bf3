"""A few images of noise with graphs, and others with masks, as a data set of scene graphs has them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dsg.config import Config, load_config
from dsg.datasets import Vocabulary
from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.segmentations import encode
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.scene_graphs import GraphDataset
from tests.shared import ROOT

MODELS = ROOT / "experiments" / "cfgs" / "models"
OBJECTS, PREDICATES = ("cup", "hat", "man"), ("left of", "near", "on", "right of")
MASKED = ("bowl", "person")
# Makes grounding_mini tiny.
SMALL = (
    *("TRAIN.SCALES", "[48, 64]", "TRAIN.MAX_SIZE", "96", "TEST.SCALES", "[64]", "TEST.MAX_SIZE", "96"),
    *("ANCHOR_SCALES", "[1.2, 2.0]", "RPN_CHANNELS", "8", "HEAD.DIM", "12", "HEAD.CHANNELS", "8"),
    *("TRAIN.BATCH_SIZE", "12", "TRAIN.RPN_BATCHSIZE", "16", "TRAIN.RPN_POST_NMS_TOP_N", "12"),
    *("TRAIN.IMS_PER_BATCH", "2", "GROUNDING.MASK_IMS_PER_BATCH", "1", "DATA.WORKERS", "2"),
)


def graph_config(*pairs: str, stage: str = "detector", net: str = "mini", small: bool = True) -> Config:
    """That of `grounding_<net>`, made small."""
    name = f"grounding_{net}{'_detector' * (stage == 'detector')}.yml"
    return load_config([MODELS / name], [*SMALL * small, *pairs])


def small_graphs(folder: Path, graphs: int = 5, masks: int = 3) -> GraphDataset:
    """Images of 96 x 64 pixels."""
    records = [_graph(folder, number) for number in range(graphs)]
    masked = [_masked(folder, number) for number in range(masks)]
    auxiliary = InstanceDataset("masks", "train", folder, Vocabulary(MASKED, ()), masked)
    return GraphDataset(
        *("test", "train", folder, Vocabulary(OBJECTS, PREDICATES, MASKED), records), auxiliary=auxiliary
    )


def _picture(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (64, 96, 3), np.uint8))
    return path


def _graph(folder: Path, number: int) -> GraphImage:
    """Two to four boxes, the first of which has two relations to the second."""
    rng, count = np.random.default_rng(number), 2 + number % 3
    low = rng.uniform(0, [50, 30], (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(12, 30, (count, 2))], 1)
    relations = np.array([[0, 1, 0], [0, 1, 1], [1, 0, 2]], np.int32)
    return GraphImage(
        *(f"{number}.png", _picture(folder / "graphs" / f"{number}.png", number), 96, 64),
        boxes=boxes,
        labels=rng.integers(0, len(OBJECTS), count).astype(np.int32),
        attributes=np.zeros((count, 0), np.int32),
        relations=relations,
    )


def _masked(folder: Path, number: int) -> Instances:
    """An ellipse, and a half of it."""
    whole = np.zeros((64, 96), np.uint8)
    cv2.ellipse(whole, (30 + 15 * number, 32), (16, 12), 20.0, 0, 360, 1, -1)
    half = whole.copy()
    half[:, 30 + 15 * number :] = 0
    boxes = []
    for mask in (whole, half):
        rows, columns = np.nonzero(mask)
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return Instances(
        *(f"m{number}.png", _picture(folder / "masks" / f"m{number}.png", 100 + number), 96, 64),
        boxes=np.array(boxes, np.float32),
        classes=np.array([2, 1], np.int32),
        difficult=np.zeros(2, bool),
        crowd=np.zeros(2, bool),
        segmentations=[encode(mask > 0) for mask in (whole, half)],
    )
