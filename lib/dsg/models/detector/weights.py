"""Weights from elsewhere for a detector: whole detectors of tf-faster-rcnn and torchvision, and ImageNet's.

All or nothing: a model is filled when a file has everything that is asked of it, and is as it was otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1 import BOOKKEEPING, READ_ERRORS, LoadReport, open_checkpoint
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.checkpoints.torchvision import for_pixels_bgr, read_torchvision
from dsg.errors import UserError
from dsg.models.detector.model import Detector

PREDICTOR = ("predictor/", "mask_head/masks/")
"""What depends on the number of classes."""
FIRST_KERNELS = ("trunk/conv1/kernel", "trunk/conv1/0/kernel", "trunk/conv0/kernel")
MOBILE_RANGE = 127.5  # its ImageNet weights expect pixels in -1..1

Change = Callable[[str, np.ndarray], np.ndarray]


def load_tf_faster_rcnn(model: Detector, prefix: str | Path, backbone: str) -> LoadReport:
    """Fills a detector with a checkpoint that tf-faster-rcnn trained, as it is.

    Raises:
        UserError: the file does not exist or is damaged, or a variable is missing or has another shape.
    """
    return _load_tf1(model, prefix, backbone, lambda name: True, lambda name, value: value)


def load_imagenet_tf1(model: Detector, prefix: str | Path, backbone: str) -> LoadReport:
    """Fills trunk and box head with slim's ImageNet weights.

    The first kernel's input channels are reversed, because images come as B, G, R; MobileNet's is also scaled
    to pixels. VGG's two last layers are convolutions there, [7, 7, 512, 4096] and [1, 1, 4096, 4096].

    Raises:
        UserError: see `load_tf_faster_rcnn`.
    """

    def change(name: str, value: np.ndarray) -> np.ndarray:
        if name in FIRST_KERNELS:
            value = value[:, :, ::-1]
            return value / np.float32(MOBILE_RANGE) if backbone == "mobile" else value
        dense = name in ("box_head/fc6/kernel", "box_head/fc7/kernel") and value.ndim == 4
        return value.reshape(-1, value.shape[-1]) if dense else value

    return _load_tf1(model, prefix, backbone, lambda name: name.startswith(("trunk/", "box_head/")), change)


def load_torchvision(
    model: Detector, path: str | Path, *, own_classes: bool = False, pixels_bgr: bool = False
) -> LoadReport:
    """Fills a detector, or its body alone, with weights that torchvision publishes.

    Args:
        model: a pyramid detector.
        path: the `.pth` file of a detector, or of a ResNet.
        own_classes: leave what depends on the classes as it is.
        pixels_bgr: images come as B, G, R in 0..255 with means subtracted, not as torchvision's.

    Raises:
        UserError: the file is damaged or hostile, or lacks a part of a detector or of the body.
    """
    variables = model.named_variables()
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    values, report = read_torchvision(path, wanted, skip=PREDICTOR if own_classes else ())
    is_detector = any(name.startswith("rpn/") for name in report.matched)  # a ResNet has the body alone
    missing = [name for name in report.missing if is_detector or name.startswith("trunk/")]
    if missing:
        raise UserError(f"{path}: lacks {len(missing)} of the model's weights, such as {missing[0]}")
    if pixels_bgr and "trunk/conv1/kernel" in values:
        values["trunk/conv1/kernel"] = for_pixels_bgr(values["trunk/conv1/kernel"])
    for name, value in values.items():
        variables[name].assign(value)
    return report


def _load_tf1(
    model: Detector, prefix: str | Path, backbone: str, asked: Callable[[str], bool], change: Change
) -> LoadReport:
    reader = open_checkpoint(prefix)
    there = reader.get_variable_to_shape_map()
    report, used = LoadReport(str(prefix)), set()
    values: list[tuple[tf.Variable, np.ndarray]] = []
    for name, variable in model.named_variables().items():
        if not asked(name):
            continue
        theirs = detector_name(name, backbone)
        if theirs is None or theirs not in there:
            raise UserError(
                f"{prefix}: lacks {theirs}; it is not a checkpoint of {backbone} with these classes"
            )
        value = change(name, _value(reader, theirs, prefix))
        if value.shape != tuple(variable.shape):
            raise UserError(
                f"{prefix}: {theirs} is {list(there[theirs])}, the model's {name} {list(variable.shape)}; "
                "another network or number of classes"
            )
        values.append((variable, value))
        used.add(theirs)
        report.matched.append(name)
    for variable, value in values:
        variable.assign(value)
    rest: Sequence[str] = sorted(set(there) - used)
    report.unused = [name for name in rest if not BOOKKEEPING.search(name)]
    report.bookkeeping = len(rest) - len(report.unused)
    return report


def _value(reader: Any, name: str, prefix: str | Path) -> np.ndarray:
    try:
        value = reader.get_tensor(name)
    except READ_ERRORS as error:
        raise UserError(f"{prefix}: {name} cannot be read, the file is damaged or cut short") from error
    if value.dtype.kind != "f":
        raise UserError(f"{prefix}: {name} holds {value.dtype}, not floating point numbers")
    return value
