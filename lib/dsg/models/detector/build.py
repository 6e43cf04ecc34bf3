"""Detectors by the name of their backbone, from values."""

from __future__ import annotations

from typing import Any

from dsg.boxes.conventions import TF_FASTER_RCNN_RPN
from dsg.models.detector.heads import ConvolvedHead, MaskHead, Predictor, ResnetTail, TwoLayerHead
from dsg.models.detector.model import Detector, PyramidMaps, SingleMap
from dsg.nets.backbones.fpn import CHANNELS, Pyramid
from dsg.nets.backbones.mobilenet import MobileHead, MobileTrunk
from dsg.nets.backbones.resnet import UNITS, ResnetTrunk
from dsg.nets.backbones.resnet_body import CHANNELS as BODY_CHANNELS
from dsg.nets.backbones.resnet_body import ResnetBody
from dsg.nets.backbones.vgg import VggHead, VggTrunk
from dsg.nets.layers import normal
from dsg.nets.pyramid_rpn import PyramidRpn
from dsg.nets.rpn import RegionProposalNetwork

ANCHOR_SCALES, ANCHOR_RATIOS = (8.0, 16.0, 32.0), (0.5, 1.0, 2.0)
RPN_CHANNELS = 512


def single_map_detector(backbone: str, classes: int, rpn_channels: int = RPN_CHANNELS) -> Detector:
    """tf-faster-rcnn's detector.

    Args:
        backbone: res50, res101, res152, vgg16 or mobile.
        classes: with the background.
        rpn_channels: of the RPN's hidden map.
    """
    trunk: Any
    head: Any
    if backbone in UNITS:
        trunk, head = ResnetTrunk(backbone), ResnetTail()
    elif backbone == "vgg16":
        trunk, head = VggTrunk(), VggHead()
    elif backbone == "mobile":
        trunk, head = MobileTrunk(), MobileHead()
    else:
        raise ValueError(f"no backbone {backbone!r}")
    rpn = RegionProposalNetwork(
        *(trunk.channels, rpn_channels),
        stride=16,
        scales=ANCHOR_SCALES,
        ratios=ANCHOR_RATIOS,
        init=normal(0.01),
        coder=TF_FASTER_RCNN_RPN,
    )
    # the ResNets sample 7x7 points at once
    first = SingleMap(trunk, rpn, max_pool=backbone not in UNITS)
    return Detector(first, head, Predictor(head.dim, classes))


def pyramid_detector(
    body: str,
    classes: int,
    *,
    masks: bool = False,
    second_generation: bool = False,
    trained_blocks: int = 3,
    epsilon: float = 1e-5,
    masked: bool = True,
) -> Detector:
    """torchvision's detector.

    Args:
        body: res50, res101, res152 or x101_32x8d.
        classes: with the background.
        masks: with a mask head.
        second_generation: torchvision's `_v2`: normalised pyramid and heads, two convolutions in the RPN.
        trained_blocks: of the body, from the last on.
        epsilon: of the body's normalisation, see `dsg.checkpoints.published`.
        masked: nothing depends on the padding of a batch, see `PyramidMaps`.
    """
    first = PyramidMaps(
        ResnetBody(body, trained_blocks, epsilon),
        Pyramid(BODY_CHANNELS, normed=second_generation),
        PyramidRpn(CHANNELS, 2 if second_generation else 1),
        masked=masked,
    )
    head = (ConvolvedHead if second_generation else TwoLayerHead)(CHANNELS)
    mask_head = MaskHead(CHANNELS, classes, normed=second_generation) if masks else None
    return Detector(first, head, Predictor(head.dim, classes), mask_head)
