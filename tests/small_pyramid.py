"""A very small detector on a feature pyramid, with random weights: no published body is as small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dsg.config import load_config
from dsg.datasets.records import Vocabulary
from dsg.models.detector.heads import MaskHead, Predictor, TwoLayerHead
from dsg.models.detector.model import Detector, PyramidMaps
from dsg.models.detector.trained import TrainedDetector
from dsg.nets.backbones.fpn import CHANNELS, Pyramid
from dsg.nets.layers import Block, Conv
from dsg.nets.pyramid_rpn import PyramidRpn
from tests.shared import ROOT

CLASSES = ("dog", "cat", "traffic light")
WIDTH = 8
SMALL = (
    *("TEST.SCALES", "[64]", "TEST.MAX_SIZE", "512", "TEST.IMS_PER_BATCH", "2", "TEST.MAX_PER_IMAGE", "20"),
    *("TEST.RPN_PRE_NMS_TOP_N", "8", "TEST.RPN_POST_NMS_TOP_N", "40", "TEST.SCORE_THRESHOLD", "0.3"),
)
SIZES = {
    "trunk/stem": 0.05,  # of pixels up to 150
    "predictor/classes": 0.3,
    "predictor/boxes": 0.2,
    "rpn/objectness": 0.3,
    "rpn/boxes": 0.05,
}
"""Of what a layer says of inputs of size 1, where that is not to be about as large."""


class SmallBody(Block):
    """Images -> maps of 8 channels at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, WIDTH, 3, stride=2, relu=True)
        self.convs = [Conv(WIDTH, WIDTH, 3, stride=2, relu=True) for _ in range(4)]

    def call(self, x: tf.Tensor, image_size: tf.Tensor | None = None) -> Sequence[tf.Tensor]:
        maps = [self.stem(x)]
        for conv in self.convs:
            maps.append(conv(maps[-1]))
        return maps[1:]


def small_pyramid(masks: bool, *overrides: str) -> TrainedDetector:
    """A detector whose scores are some high and some low, and which finds nothing in an image of the mean
    colour.
    """
    path = ROOT / "experiments/cfgs/models/detector_res50_fpn.yml"
    config = load_config([path], [*SMALL, "DETECTOR.MASKS", str(masks), *overrides])
    first = PyramidMaps(SmallBody(), Pyramid([WIDTH] * 4), PyramidRpn(CHANNELS))
    box_head, classes = TwoLayerHead(CHANNELS, 16), len(CLASSES) + 1
    mask_head = MaskHead(CHANNELS, classes, width=WIDTH, convs=1) if masks else None
    model = Detector(first, box_head, Predictor(16, classes), mask_head)
    rng, variables = np.random.default_rng(1), model.named_variables()
    for name, variable in variables.items():
        if name.endswith("/kernel"):
            size = SIZES.get(name[: -len("/kernel")], 1.4) / np.sqrt(np.prod(variable.shape[:-1]))
            variable.assign(rng.normal(0, size, variable.shape))
    variables["predictor/classes/bias"].assign([0.3, 0.0, 0.0, 0.0])
    model.fold()
    return TrainedDetector(model, config, Vocabulary(CLASSES, ()))
