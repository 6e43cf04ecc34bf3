"""What systems with a two-stage detector build alike: the first stage, and the head that reads crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dsg.boxes.transform import BoxCoder
from dsg.config import Config
from dsg.config.names import PYRAMIDS, SMALL
from dsg.models.detector.heads import ConvolvedHead, ResnetTail, SmallBoxHead, TwoLayerHead
from dsg.models.detector.model import PyramidMaps, SingleMap
from dsg.nets.backbones import BACKBONES
from dsg.nets.backbones.fpn import CHANNELS, Pyramid
from dsg.nets.backbones.mobilenet import MobileHead, MobileTrunk
from dsg.nets.backbones.resnet import SLIM, UNITS, ResnetTrunk
from dsg.nets.backbones.resnet_body import CHANNELS as BODY_CHANNELS
from dsg.nets.backbones.resnet_body import ResnetBody
from dsg.nets.backbones.vgg import VggHead, VggTrunk
from dsg.nets.layers import normal
from dsg.nets.pyramid_rpn import PyramidRpn
from dsg.nets.rpn import RegionProposalNetwork

ANCHOR_SCALES, ANCHOR_RATIOS = (8.0, 16.0, 32.0), (0.5, 1.0, 2.0)
RPN_CHANNELS = 512


class Parts(NamedTuple):
    """A detector before its predictors."""

    first_stage: Any  # `SingleMap` or `PyramidMaps`
    box_head: Any  # crops [M, 7, 7, C] -> features of width `box_head.dim`
    channels: int  # C of the maps that are cropped


def parts_of(config: Config, fixed_blocks: int | None = None) -> Parts:
    """The parts that `config` describes.

    Args:
        config: BACKBONE, DETECTOR.* and what belongs to the backbone.
        fixed_blocks: blocks of vgg16 that are never trained; None: tf-faster-rcnn's two.
    """
    options, name = config.detector, config.backbone
    if name in PYRAMIDS:
        return pyramid_parts(
            name[: -len("_fpn")],
            second_generation=options.second_generation,
            trained_blocks=options.trained_blocks,
        )
    if name in SMALL:
        return _small_parts(config)
    if name != "vgg16":
        fixed_blocks = config.mobilenet.fixed_layers if name == "mobile" else config.resnet.fixed_blocks
    return single_map_parts(
        *(name, config.rpn_channels),
        fixed_blocks=fixed_blocks,
        layout=config.resnet.layout,
        scales=config.anchor_scales,
        ratios=config.anchor_ratios,
        max_pool=config.resnet.max_pool or name not in UNITS,
        aligned=options.roi_mode == "aligned",
        exact=config.exact_boxes,
        truncated=config.train.truncated,
    )


def _small_parts(config: Config) -> Parts:
    """mini and res18: heads that learn from random weights."""
    options, head = config.detector, config.head
    trunk = BACKBONES[config.backbone].trunk(config.feature_stride, config.resnet.fixed_blocks)
    rpn = RegionProposalNetwork(
        *(trunk.channels, config.rpn_channels),
        stride=config.feature_stride,
        scales=config.anchor_scales,
        ratios=config.anchor_ratios,
        init=normal(0.01, config.train.truncated),
        coder=BoxCoder(exact=config.exact_boxes),
    )
    first = SingleMap(
        *(trunk, rpn),
        max_pool=config.resnet.max_pool,
        stride=config.feature_stride,
        aligned=options.roi_mode == "aligned",
    )
    box_head = SmallBoxHead(trunk.channels, head.channels, head.dim, options.head_convolutions)
    return Parts(first, box_head, trunk.channels)


def single_map_parts(
    backbone: str,
    rpn_channels: int = RPN_CHANNELS,
    *,
    fixed_blocks: int | None = None,
    layout: str = SLIM,
    scales: Sequence[float] = ANCHOR_SCALES,
    ratios: Sequence[float] = ANCHOR_RATIOS,
    max_pool: bool | None = None,
    aligned: bool = False,
    exact: bool = False,
    truncated: bool = False,
) -> Parts:
    """tf-faster-rcnn's; arguments as of `dsg.models.detector.build.single_map_detector`."""
    trunk: Any
    head: Any
    if backbone in UNITS:
        trunk = ResnetTrunk(backbone, 1 if fixed_blocks is None else fixed_blocks, layout)
        head = ResnetTail()
    elif backbone == "vgg16":
        trunk, head = VggTrunk(2 if fixed_blocks is None else fixed_blocks), VggHead()
    elif backbone == "mobile":
        trunk, head = MobileTrunk(5 if fixed_blocks is None else fixed_blocks), MobileHead()
    else:
        raise ValueError(f"no backbone {backbone!r}")
    rpn = RegionProposalNetwork(
        *(trunk.channels, rpn_channels),
        stride=16,
        scales=scales,
        ratios=ratios,
        init=normal(0.01, truncated),
        coder=BoxCoder(exact=exact),
    )
    # the ResNets sample 7x7 points at once
    pooled = backbone not in UNITS if max_pool is None else max_pool
    return Parts(SingleMap(trunk, rpn, max_pool=pooled, aligned=aligned), head, trunk.channels)


def pyramid_parts(
    body: str,
    *,
    second_generation: bool = False,
    trained_blocks: int = 3,
    epsilon: float = 1e-5,
    masked: bool = True,
) -> Parts:
    """torchvision's; arguments as of `dsg.models.detector.build.pyramid_detector`."""
    first = PyramidMaps(
        ResnetBody(body, trained_blocks, epsilon),
        Pyramid(BODY_CHANNELS, normed=second_generation),
        PyramidRpn(CHANNELS, 2 if second_generation else 1),
        masked=masked,
    )
    head = (ConvolvedHead if second_generation else TwoLayerHead)(CHANNELS)
    return Parts(first, head, CHANNELS)
