"""The map between our detector's variable names and those of tf-faster-rcnn's TensorFlow 1 checkpoints."""

from __future__ import annotations

import re

from dsg.checkpoints.tf1_names import NORM, SLIM, release_name, slim_net

SCOPES = {"vgg16": "vgg_16", "mobile": "MobilenetV1"}
LAYERS = {
    "rpn/conv": "rpn_conv/3x3",
    "rpn/classes": "rpn_cls_score",
    "rpn/boxes": "rpn_bbox_pred",
    "predictor/classes": "cls_score",
    "predictor/boxes": "bbox_pred",
    "box_head/fc6": "fc6",
    "box_head/fc7": "fc7",
}
MOBILE_TRUNK = 11  # separable convolutions in the trunk


def detector_name(name: str, net: str) -> str | None:
    """The name of our variable `name` in a checkpoint of tf-faster-rcnn, or None for one that it lacks.

    Example:
        >>> detector_name("trunk/conv3/1/kernel", "vgg16")
        'vgg_16/conv3/conv3_2/weights'
        >>> detector_name("box_head/blocks/0/depthwise/kernel", "mobile")
        'MobilenetV1/Conv2d_12_depthwise/depthwise_weights'
    """
    scope = SCOPES.get(net) or slim_net(net)
    path, _, leaf = name.rpartition("/")
    if path in LAYERS:
        return f"{scope}/{LAYERS[path]}/{SLIM[leaf]}"
    if net == "vgg16":
        block = re.fullmatch(r"trunk/conv(\d)/(\d)", path)
        return block and f"{scope}/conv{block[1]}/conv{block[1]}_{int(block[2]) + 1}/{SLIM[leaf]}"
    if net == "mobile":
        return _mobile(scope, path, leaf)
    block4 = re.fullmatch(r"box_head/(units/.*)", name)
    if block4:  # the tail of a unit's name is that of the trunk's
        unit = release_name(f"trunk/block4/{block4[1][len('units/') :]}", net)
        return unit
    return release_name(name, net) if name.startswith("trunk/") else None


def _mobile(scope: str, path: str, leaf: str) -> str | None:
    if path == "trunk/conv0":
        layer = "Conv2d_0"
    else:
        block = re.fullmatch(r"(trunk|box_head)/blocks/(\d+)/(depthwise|pointwise)", path)
        if block is None:
            return None
        number = int(block[2]) + 1 + (MOBILE_TRUNK if block[1] == "box_head" else 0)
        layer = f"Conv2d_{number}_{block[3]}"
    if leaf in NORM:
        return f"{scope}/{layer}/BatchNorm/{leaf}"
    return f"{scope}/{layer}/{'depthwise_' if layer.endswith('depthwise') else ''}weights"
