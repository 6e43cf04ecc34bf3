"""A DSG on a feature pyramid, and weights in the format of the detector that torchvision publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dsg.checkpoints.torchvision import name_of_2019
from dsg.config import Config, load_config
from dsg.datasets.records import Vocabulary
from dsg.models.dsg.build import build_model
from dsg.models.weights import load_initial_weights
from dsg.parity.recipes import torch_value
from tests.golden import FOLDER
from tests.models.dsg.cases import ENTITIES, PREDICATES
from tests.shared import ROOT
from tests.torch_files import write_pth

CFGS = ROOT / "experiments" / "cfgs"
BEST, PLAIN = CFGS / "res50_fpn_best.yml", CFGS / "res50_fpn.yml"
SMALL = (
    *("HEAD.DIM", "12", "GPI.HIDDEN", "12", "GPI.PHI", "10", "GPI.ALPHA", "9", "GPI.RHO", "14"),
    *("GPI.GEOMETRY", "6", "RR.HIDDEN", "[11]", "REFINER_CHANNELS", "3", "REFINER_FINE", "2"),
    *("TRAIN.RPN_POST_NMS_TOP_N", "6", "TRAIN.RPN_PRE_NMS_TOP_N", "50", "NODES.PROPOSALS", "20"),
    *("TRAIN.SCALES", "[96]", "TRAIN.MAX_SIZE", "128", "TEST.SCALES", "[96]", "TEST.MAX_SIZE", "128"),
)
VOCABULARY = Vocabulary(
    tuple(f"object {n}" for n in range(ENTITIES)), tuple(f"predicate {n}" for n in range(PREDICATES))
)


def write_coco_detector(path: Path) -> Path:
    """The recipe's weights under the names and in the shapes and order of
    `fasterrcnn_resnet50_fpn_coco-258fb6c6.pth`.
    """
    shapes = json.loads((FOLDER / "torchvision" / "state_dict_names.json").read_text())
    named = shapes["fasterrcnn_resnet50_fpn"].items()
    return write_pth(path, {name_of_2019(name): torch_value(name, shape) for name, shape in named})


def pyramid_config(file: Path | str, *overrides: str, net: Path = BEST) -> Config:
    return load_config([net], [*SMALL, "WEIGHTS", str(file), *overrides])


def started(config: Config) -> Any:
    """A model with the weights that the configuration names; its new layers are random."""
    model = build_model(config, ENTITIES, PREDICATES)
    load_initial_weights(model, config, vocabulary=VOCABULARY)
    return model


def noise_image(seed: int, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
