"""The parts of the whole second stage's cases: the frozen detector's heads and the stage, of small widths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.detector.heads import MaskHead, TwoLayerHead
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.contexts import VCTREE
from dsg.models.grounding.detector import BoxScores, DualPredictor
from dsg.models.grounding.features import Maps
from dsg.models.grounding.motif import ContextSizes
from dsg.models.grounding.stage import GraphStage, StageOptions, StageSizes
from dsg.nets.initial import unfilled
from dsg.parity.runs.grounding.weights import MASK_LAYERS, channel_major, fill, renamed

CHANNELS, BOX_SIDE, MASK_SIDE, DIM = 32, 7, 14, 128
CATEGORIES, MASK_CATEGORIES = 150, 80
SIZES = StageSizes(ContextSizes(CATEGORIES + 1, MASK_CATEGORIES + 1, DIM, 64, 24), 51, CHANNELS, 28, 96, 32)
NAMES = {
    "edge_mask/shapes/": "edge/",
    "context/node/": "context/",
    "context/pairs/co": "context/co/table",
    "context/pairs/": "context/",
    "predicate/frequency": "predicate/freq",
    **{f"refiner/convs/{number}": f"refiner/mask_fcn{number + 1}" for number in range(4)},
}
DECODER_NAMES = {"decoder/table": "decoder", "decoder/inputs": "decoder/input"}


class Parts(NamedTuple):
    """What does not depend on the context encoder: the frozen detector, and the masks' matrix."""

    head: TwoLayerHead
    predictor: DualPredictor
    mask_head: MaskHead
    transfer: np.ndarray

    def scores(self, maps: Maps, boxes: tf.Tensor, image: tf.Tensor, masks: bool = False) -> BoxScores:
        """What the detector says of boxes."""
        return self.predictor(self.head(maps.crop(boxes, image, BOX_SIDE)), masks=masks)

    def mask_logits(self, maps: Maps, boxes: BoxList) -> tf.Tensor:
        """[N, 28, 28, 80]."""
        return self.mask_head(maps.crop(boxes.boxes, boxes.image, MASK_SIDE))


def recipe_parts(transfer: np.ndarray) -> Parts:
    """The detector's heads."""
    with unfilled():
        head, predictor = TwoLayerHead(CHANNELS, DIM), DualPredictor(DIM, CATEGORIES, MASK_CATEGORIES)
        mask_head = MaskHead(CHANNELS, MASK_CATEGORIES, width=CHANNELS)
    fill(head, renamed("box_head/", {"fc6": "fc1", "fc7": "fc2"}))
    channel_major(head.fc6, CHANNELS)
    fill(predictor, renamed("box_predictor/"))
    fill(mask_head, renamed("mask_head/", MASK_LAYERS))
    return Parts(head, predictor, mask_head, transfer)


def recipe_name(context: str) -> Callable[[str], str]:
    """From our names of the stage's variables to the recipe's."""

    def theirs(name: str) -> str:
        for ours, part in NAMES.items():
            if name.startswith(ours):
                name = name.replace(ours, part)
        for ours, part in DECODER_NAMES.items():
            name = name.replace(ours, part)
        own = context == VCTREE and name.startswith("context/")
        return name.replace("context/", "vctree/", 1) if own else name

    return theirs


def recipe_stage(context: str, transfer: np.ndarray, refined: bool = False) -> GraphStage:
    """The second stage; `refined`: masks are refined in answers."""
    with unfilled():
        stage = GraphStage(SIZES, transfer, StageOptions(context=context, refine_at_inference=refined))
    fill(stage, recipe_name(context))
    channel_major(stage.node.fc6, CHANNELS)
    channel_major(stage.edge.fc6, CHANNELS)
    return stage
