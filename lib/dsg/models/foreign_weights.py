"""Weights of other programs by our names: slim's and torchvision's ImageNet weights, archives of folded
kernels, and the detectors of tf-faster-rcnn and torchvision.

The names are those of our detector, which a DSG's correspond to (`name_in_detector`). Files come from
outside: nothing in them is executed, and what does not fit is answered with one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsg.checkpoints.published import COCO_NAMES
from dsg.checkpoints.tf1 import LoadReport, names_in_checkpoint, read_checkpoint
from dsg.checkpoints.tf1_detector_names import SCOPES, detector_name
from dsg.checkpoints.torchvision import (
    MEANS,
    epsilon_of,
    for_pixels_bgr,
    is_detector,
    is_second_generation,
    match_weights,
    read_state,
    torchvision_name,
)
from dsg.config import Config
from dsg.config.names import DETECTOR, GROUNDING, PYRAMIDS
from dsg.datasets.formats.voc import CLASSES as VOC_CLASSES
from dsg.errors import UserError, some_of
from dsg.models.weight_choice import body_of, kept_weights
from dsg.nets.backbones.resnet import SLIM, UNITS
from dsg.runtime.arrays import DAMAGE, read_arrays, reason_of
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT, WeightFile

Shapes = Mapping[str, Sequence[int]]
Values = dict[str, np.ndarray]
TRUNK, BOX_HEAD = "trunk/", "box_head/"
OTHER_PARTS = ("pyramid/", "rpn/", BOX_HEAD, "predictor/", "mask_head/")  # beside the trunk
FIRST_KERNELS = ("trunk/conv1/kernel", "trunk/conv1/0/kernel", "trunk/conv0/kernel")
JOINT = {
    "predictor/coco_cls/": "predictor/classes/",
    "predictor/coco_box/": "predictor/boxes/",
    "mask_branch/": "mask_head/",
}
"""What the joint detector of grounded graphs calls the parts that learn from the data set with masks."""
JOINT_NAMES = re.compile("^(" + "|".join(JOINT) + ")")
BODY_UNITS = re.compile(
    r"(^|\.)layer[123]\.\d+\."
)  # of torchvision's ResNets, in blocks that every trunk has
MOBILE_RANGE = 127.5  # its ImageNet weights expect pixels in -1..1
# tf-faster-rcnn's anchors; scales by the number of anchors a cell, in its settings for VOC and for COCO.
TF_FASTER_RCNN_RATIOS = (0.5, 1.0, 2.0)
TF_FASTER_RCNN_SCALES = {9: (8.0, 16.0, 32.0), 12: (4.0, 8.0, 16.0, 32.0)}
# The classes of detectors that name none, by their number.
CLASSES: dict[int, tuple[str, ...]] = {
    20: VOC_CLASSES[1:],
    80: tuple(name for name in COCO_NAMES[1:] if name != "N/A"),
    90: COCO_NAMES[1:],  # torchvision's number COCO's own numbers
}


class Foreign(NamedTuple):
    """What a file has for a network, by our detector's names."""

    values: Values
    report: LoadReport
    detector: bool = False  # a whole one, not ImageNet weights
    classes: int = 0  # of a detector, without the background; 0 where the network has no use for them


def name_in_detector(name: str) -> str:
    """The name in our detector of what a DSG calls `name`; the heads of entities and of relations start from
    the same one, but for relations a small net has another.

    Example:
        >>> name_in_detector("regions/entity/block4/units/0/conv1/kernel")
        'box_head/units/0/conv1/kernel'
        >>> name_in_detector("trunk/conv1/kernel")
        'trunk/conv1/kernel'
    """
    name = re.sub(r"^regions/((entity|relation)/(block4|box_head)/|entity/)", BOX_HEAD, name)
    return JOINT_NAMES.sub(lambda match: JOINT[match[0]], re.sub(r"^box_predictor/", "predictor/", name))


def read_foreign(file: WeightFile, shapes: Shapes, config: Config) -> Foreign:
    """What a file has for a network.

    ImageNet weights fill the trunk and, in a detector or with RESNET.INIT_HEADS, the head behind it.
    torchvision's are changed to pixels B, G, R in 0..255 less PIXEL_MEANS. Of a detector everything is read
    that the network has; values other than the trunk's may have other shapes.

    Args:
        file: no snapshot.
        shapes: of the network's variables, by our detector's names.
        config: BACKBONE, MODEL, PIXEL_MEANS and RESNET.* are read.

    Raises:
        UserError: the file is damaged or hostile, or of another network.
    """
    if file.kind == ARCHIVE:
        return _from_archive(file.path, shapes, config)
    foreign = (_from_checkpoint if file.kind == CHECKPOINT else _from_torch)(file.path, shapes, config)
    _check_whole(foreign, shapes)
    return foreign


def _heads(config: Config) -> bool:
    """Whether ImageNet weights fill the head behind the crops, too."""
    return config.model in (DETECTOR, GROUNDING) or config.resnet.init_heads


def _of_imagenet(shapes: Shapes, config: Config) -> Shapes:
    starts = (TRUNK, BOX_HEAD) if _heads(config) else (TRUNK,)
    return {name: shape for name, shape in shapes.items() if name.startswith(starts)}


def _from_checkpoint(path: Path, shapes: Shapes, config: Config) -> Foreign:
    net = config.backbone
    if body_of(config)[1] != SLIM and net not in SCOPES:
        kept = kept_weights(config)
        remedy = f"; {net} starts from {kept.files[0]}" if kept else ""
        if net in UNITS:
            remedy = f" with RESNET.LAYOUT torchvision{remedy}, or set RESNET.LAYOUT slim"
        raise UserError(f"{path}: a TensorFlow 1 checkpoint, which {net} cannot start from{remedy}")
    detector = any(name.endswith("rpn_conv/3x3/weights") for name in names_in_checkpoint(path))
    needed = shapes if detector else _of_imagenet(shapes, config)
    names = {name: detector_name(name, net) for name in needed}
    values, report = read_checkpoint(path, {name: other for name, other in names.items() if other})
    if not any(name.startswith(TRUNK) for name in values) or (report.missing and not detector):
        kind = "a detector" if detector else "an ImageNet checkpoint"
        raise UserError(
            f"{path}: lacks {names[report.missing[0]]}; it is not {kind} of {net} (it has "
            f"{some_of(report.unused or ['nothing'], 1)})"
        )
    if detector:
        return Foreign(values, report, True, _classes(values))
    return Foreign({name: _from_slim(name, value, config) for name, value in values.items()}, report)


def _from_slim(name: str, value: np.ndarray, config: Config) -> np.ndarray:
    """ImageNet weights of slim for pixels in B, G, R order; VGG's two last layers are convolutions there."""
    if name in FIRST_KERNELS:
        as_released = config.model not in (DETECTOR, GROUNDING) and config.backbone in UNITS
        value = value if as_released and not config.resnet.rgb_weights else value[:, :, ::-1]
        return value / np.float32(MOBILE_RANGE) if config.backbone == "mobile" else value
    dense = name in ("box_head/fc6/kernel", "box_head/fc7/kernel") and value.ndim == 4
    return value.reshape(-1, value.shape[-1]) if dense else value


def _from_torch(path: Path, shapes: Shapes, config: Config) -> Foreign:
    net = config.backbone
    if body_of(config)[1] == SLIM:
        raise UserError(
            f"{path}: torchvision's ResNets have their strides elsewhere; set RESNET.LAYOUT torchvision to "
            f"start {net} from it"
        )
    state = read_state(path)
    detector, second = is_detector(state), is_second_generation(state)
    if detector and net in PYRAMIDS and second != ("rpn/convs/1/kernel" in shapes):
        remedy = "start from fasterrcnn_resnet50_fpn"
        if config.model in (DETECTOR, GROUNDING):
            remedy = f"set DETECTOR.SECOND_GENERATION {second} to start {net} from it"
        which = "second generation (_v2)" if second else "first generation"
        raise UserError(f"{path}: a detector of torchvision's {which}; {remedy}")
    needed = shapes if detector else _of_imagenet(shapes, config)
    epsilon = epsilon_of(path.name, state)
    values, report = match_weights(state, needed, str(path), any_shape=OTHER_PARTS, epsilon=epsilon)
    for name in FIRST_KERNELS:
        if name in values:
            _adapt_pixels(values, name, config.pixel_means)
    return Foreign(values, report, detector, _classes(values))


def _classes(values: Values) -> int:
    return max(len(values.get("predictor/classes/bias", ())) - 1, 0)


def _adapt_pixels(values: Values, name: str, means: Sequence[float]) -> None:
    """The first layer for pixels B, G, R in 0..255 less `means`, from one for torchvision's. What other means
    add to a convolution goes into its bias, or is subtracted from the mean of its normalisation.
    """
    values[name] = for_pixels_bgr(values[name])
    published = 255.0 * np.array(MEANS[::-1])
    shift = np.einsum("hwio,i->o", values[name].astype(np.float64), np.array(means) - published)
    path = name[: name.rindex("/") + 1]
    for leaf, sign in (("moving_mean", -1), ("bias", 1)):
        if f"{path}{leaf}" in values:
            values[f"{path}{leaf}"] = (values[f"{path}{leaf}"] + sign * shift).astype(np.float32)


def _from_archive(path: Path, shapes: Shapes, config: Config) -> Foreign:
    """ResNet-18's conv1 and blocks 1 to 3 from an archive of folded kernels [kh, kw, in, out] and biases."""
    if config.backbone != "res18":
        kept = kept_weights(config)
        reason = f"{config.backbone} has no ImageNet weights; give a snapshot as WEIGHTS, or leave it out"
        if kept:
            reason = f"{config.backbone} starts from {kept.files[0]}, not from an archive of arrays"
        raise UserError(f"{path}: is not a snapshot: {reason}")
    try:
        arrays = read_arrays(path)
    except DAMAGE as error:
        raise UserError(
            f"{path}: not a readable archive of weights ({reason_of(error)}); fetch it again"
        ) from error
    report, values = LoadReport(str(path)), {}
    for name, shape in shapes.items():
        key = torchvision_name(name) if name.startswith(TRUNK) else None
        if key is None:
            continue
        if key not in arrays:
            raise UserError(f"{path}: lacks {key}; it is not a ResNet-18 trunk")
        value = arrays.pop(key)
        if value.shape != tuple(shape) or value.dtype != np.float32:
            raise UserError(
                f"{path}: {key} is {value.dtype} {list(value.shape)}, "
                f"the model's {name} float32 {list(shape)}"
            )
        values[name] = value
    _adapt_pixels(values, FIRST_KERNELS[0], config.pixel_means)
    report.unused = sorted(arrays)
    return Foreign(values, report)


def _check_whole(foreign: Foreign, shapes: Shapes) -> None:
    """Refuse a file that has a part of the network incompletely, or not its trunk.

    Raises:
        UserError: see above.
    """
    report, values = foreign.report, foreign.values
    for part in (TRUNK, *OTHER_PARTS):
        lacking = [name for name in report.missing if name.startswith(part)]
        if lacking and (part == TRUNK or any(name.startswith(part) for name in report.matched)):
            raise UserError(
                f"{report.source}: lacks {len(lacking)} of the model's weights, such as {lacking[0]}; it is "
                "damaged or of another network"
            )
    surplus = [name for name in report.unused if BODY_UNITS.search(name)]
    if surplus:
        raise UserError(f"{report.source}: has {surplus[0]}, which this network lacks; another network")
    for name, value in values.items():
        if name.startswith(TRUNK) and value.shape != tuple(shapes[name]):
            raise UserError(
                f"{report.source}: {name} is {list(value.shape)} there, {list(shapes[name])} here; another "
                "network"
            )
