"""Whole detectors out of other programs' files: torchvision's `.pth` and tf-faster-rcnn's checkpoints.

Such a file holds weights and nothing else: the network, the number of classes and the anchors are inferred
from names and shapes, how images are prepared and detections chosen is as in the program that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dsg.checkpoints.pth import read_pth
from dsg.checkpoints.tf1 import open_checkpoint
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.checkpoints.torchvision import MEANS
from dsg.config import Config, from_values
from dsg.config.names import BACKBONES, DETECTOR
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import mismatches
from dsg.errors import UserError, some_of
from dsg.models.detector.build import build_detector
from dsg.models.detector.model import Detector
from dsg.models.foreign_weights import CLASSES, TF_FASTER_RCNN_SCALES, read_foreign
from dsg.nets.initial import unfilled
from dsg.runtime.weight_files import TORCH, WeightFile

TORCHVISION_VALUES = {
    "MODEL": DETECTOR,
    "PIXEL_MEANS": [round(255 * mean, 4) for mean in reversed(MEANS)],
    "TEST.SCALES": [800],
    "TEST.MAX_SIZE": 1333,
    "TEST.NMS": 0.5,
    "TEST.SCORE_THRESHOLD": 0.05,
    "TEST.MAX_PER_IMAGE": 100,
    "TEST.RPN_NMS_THRESH": 0.7,
    "TEST.RPN_PRE_NMS_TOP_N": 1000,
    "TEST.RPN_POST_NMS_TOP_N": 1000,
    "TEST.IMS_PER_BATCH": 1,
}
TF_FASTER_RCNN_VALUES = {
    "MODEL": DETECTOR,
    "TEST.SCALES": [600],
    "TEST.MAX_SIZE": 1000,
    "TEST.IMS_PER_BATCH": 1,
}
"""What differs from the defaults, which are tf-faster-rcnn's."""
BODIES = {6: "res50", 23: "res101"}
"""By the number of units in the third layer."""
UNIT = re.compile(r"backbone\.body\.layer3\.\d+\.conv1\.weight")
GROUP = 8  # channels of a group in ResNeXt-101 32x8d
SCORES = "roi_heads.box_predictor.cls_score.weight"
TF1_BACKBONES = ("res50", "res101", "res152", "vgg16", "mobile")


class ForeignDetector(NamedTuple):
    """A detector and what it needs to be used."""

    model: Detector
    config: Config
    vocabulary: Vocabulary  # class k is `objects[k - 1]`


def foreign_detector(file: WeightFile, backbone: str = "") -> ForeignDetector:
    """The detector of a file.

    Args:
        file: no snapshot.
        backbone: of a checkpoint of tf-faster-rcnn, which does not name it.

    Raises:
        UserError: the file is damaged or hostile, or holds no whole detector of a known network.
    """
    read = _torchvision_detector if file.kind == TORCH else _tf_faster_rcnn_detector
    with unfilled():
        model, config, classes = read(file.path, backbone)
    variables = model.named_variables()
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    values = read_foreign(file, shapes, config).values
    problems = mismatches({name: value.shape for name, value in values.items()}, shapes)
    if problems:
        raise UserError(f"{file.path}: not a whole detector of {config.backbone}: {some_of(problems)}")
    for name, value in values.items():
        variables[name].assign(value)
    model.fold()
    return ForeignDetector(model, config, class_names(classes - 1))


def class_names(count: int) -> Vocabulary:
    """The names of `count` classes: COCO's or VOC's where these are so many.

    Example:
        >>> class_names(90).objects[15], class_names(20).objects[7], class_names(2).objects
        ('bird', 'cat', ('class 1', 'class 2'))
    """
    return Vocabulary(CLASSES.get(count, tuple(f"class {number + 1}" for number in range(count))), ())


def _torchvision_detector(path: Path, _: str) -> tuple[Detector, Config, int]:
    """The network of a `.pth` file, empty, and how many classes it has with the background."""
    shapes = {name: value.shape for name, value in read_pth(path).items()}
    if SCORES not in shapes:
        raise UserError(
            f"{path}: not a Faster R-CNN or Mask R-CNN of torchvision ({SCORES} is missing); weights of a "
            "backbone alone start a training, see WEIGHTS"
        )
    body, classes = _body_of(path, shapes), shapes[SCORES][0]
    masks = "roi_heads.mask_predictor.conv5_mask.weight" in shapes
    config = from_values(
        {
            **TORCHVISION_VALUES,
            "BACKBONE": f"{body}_fpn",
            "DETECTOR.MASKS": masks,
            "DETECTOR.SECOND_GENERATION": "roi_heads.box_head.5.weight" in shapes,
        }
    )
    return build_detector(config, classes), config, classes


def _body_of(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> str:
    units = sum(bool(UNIT.fullmatch(name)) for name in shapes)
    body = BODIES.get(units, "")
    inputs = shapes.get("backbone.body.layer1.0.conv2.weight", (0, 0))[1]
    if body == "res101" and inputs == GROUP:
        body = "x101_32x8d"
    if f"{body}_fpn" not in BACKBONES:
        known = " and ".join(f"{units} ({name})" for units, name in BODIES.items())
        raise UserError(f"{path}: its third layer has {units} units; known networks have {known}")
    return body


def _tf_faster_rcnn_detector(prefix: Path, backbone: str) -> tuple[Detector, Config, int]:
    """The network of a checkpoint, empty, and how many classes it has with the background."""
    if backbone not in TF1_BACKBONES:
        known = ", ".join(TF1_BACKBONES)
        what = f"not {backbone}" if backbone else "it does not say which: give --net"
        raise UserError(f"{prefix}: a checkpoint of tf-faster-rcnn is one of {known}; {what}")
    shapes = open_checkpoint(prefix).get_variable_to_shape_map()
    places = [detector_name(name, backbone) for name in ("predictor/classes/bias", "rpn/classes/bias")]
    if not all(place in shapes for place in places):
        raise UserError(f"{prefix}: not a detector of {backbone}: {places[0]} is missing")
    classes, anchors = (shapes[place][0] for place in places)
    scales = TF_FASTER_RCNN_SCALES.get(anchors // 2)
    if scales is None:
        known = " and ".join(map(str, TF_FASTER_RCNN_SCALES))
        raise UserError(f"{prefix}: has {anchors // 2} anchors a cell; those of tf-faster-rcnn have {known}")
    config = from_values({**TF_FASTER_RCNN_VALUES, "BACKBONE": backbone, "ANCHOR_SCALES": scales})
    return build_detector(config, classes), config, classes
