"""Detectors: `build_detector` from a configuration, the others from values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsg.boxes.transform import BoxCoder
from dsg.config import Config, check_chosen
from dsg.config.names import PYRAMIDS, SMALL
from dsg.models.detector.heads import (
    ConvolvedHead,
    MaskHead,
    Predictor,
    ResnetTail,
    SmallBoxHead,
    SmallMaskHead,
    TwoLayerHead,
)
from dsg.models.detector.model import Detector, PyramidMaps, SingleMap
from dsg.nets.backbones import BACKBONES
from dsg.nets.backbones.fpn import CHANNELS, Pyramid
from dsg.nets.backbones.mobilenet import MobileHead, MobileTrunk
from dsg.nets.backbones.resnet import SLIM, UNITS, ResnetTrunk
from dsg.nets.backbones.resnet_body import CHANNELS as BODY_CHANNELS
from dsg.nets.backbones.resnet_body import ResnetBody
from dsg.nets.backbones.vgg import VggHead, VggTrunk
from dsg.nets.initial import seed_initial_values
from dsg.nets.layers import normal
from dsg.nets.pyramid_rpn import PyramidRpn
from dsg.nets.rpn import RegionProposalNetwork

ANCHOR_SCALES, ANCHOR_RATIOS = (8.0, 16.0, 32.0), (0.5, 1.0, 2.0)
RPN_CHANNELS = 512


def build_detector(config: Config, classes: int) -> Detector:
    """The detector that `config` describes, with all its variables at their initial values (drawn from
    RNG_SEED).

    Args:
        config: BACKBONE, DETECTOR.* and what belongs to the backbone.
        classes: with the background.

    Raises:
        UserError: the anchors are `auto` still.
    """
    check_chosen(config)
    seed_initial_values(config.rng_seed)
    options, name = config.detector, config.backbone
    if name in PYRAMIDS:
        body = name[: -len("_fpn")]
        return pyramid_detector(
            *(body, classes),
            masks=options.masks,
            second_generation=options.second_generation,
            trained_blocks=options.trained_blocks,
        )
    if name in SMALL:
        return _small_detector(config, classes)
    fixed = config.mobilenet.fixed_layers if name == "mobile" else config.resnet.fixed_blocks
    model = single_map_detector(
        *(name, classes, config.rpn_channels),
        fixed_blocks=fixed,
        layout=config.resnet.layout,
        scales=config.anchor_scales,
        ratios=config.anchor_ratios,
        max_pool=config.resnet.max_pool or name not in UNITS,
        aligned=options.roi_mode == "aligned",
        masks=options.masks,
        exact=config.exact_boxes,
        truncated=config.train.truncated,
    )
    model.decays_biases = config.train.bias_decay
    return model


def _small_detector(config: Config, classes: int) -> Detector:
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
    predictor = Predictor(head.dim, classes, options.class_agnostic, config.train.truncated)
    mask_head = None
    if options.masks:
        mask_head = SmallMaskHead(
            *(trunk.channels, head.channels, options.head_convolutions, classes, options.class_agnostic)
        )
    model = Detector(first, box_head, predictor, mask_head)
    model.decays_biases = config.train.bias_decay
    return model


def single_map_detector(
    backbone: str,
    classes: int,
    rpn_channels: int = RPN_CHANNELS,
    *,
    fixed_blocks: int | None = None,
    layout: str = SLIM,
    scales: Sequence[float] = ANCHOR_SCALES,
    ratios: Sequence[float] = ANCHOR_RATIOS,
    max_pool: bool | None = None,
    aligned: bool = False,
    masks: bool = False,
    exact: bool = False,
    truncated: bool = False,
) -> Detector:
    """tf-faster-rcnn's detector.

    Args:
        backbone: res50, res101, res152, vgg16 or mobile.
        classes: with the background.
        rpn_channels: of the RPN's hidden map.
        fixed_blocks: of a ResNet, or fixed layers of MobileNet; None: as many as in the original.
        layout: of a ResNet's strides, see `dsg.nets.backbones.resnet`.
        scales: sides of the anchors in units of 16 pixels.
        ratios: heights of the anchors over their widths.
        max_pool: pool crops of twice the size; None: as the original does for this backbone.
        aligned: align crops, see `SingleMap`.
        masks: with a mask head, which the original does not have.
        exact: proposals end where their targets do, not a pixel later as the original's.
        truncated: draw initial values from a truncated normal.
    """
    trunk: Any
    head: Any
    if backbone in UNITS:
        trunk = ResnetTrunk(backbone, 1 if fixed_blocks is None else fixed_blocks, layout)
        head = ResnetTail()
    elif backbone == "vgg16":
        trunk, head = VggTrunk(), VggHead()
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
    first = SingleMap(trunk, rpn, max_pool=pooled, aligned=aligned)
    mask_head = MaskHead(trunk.channels, classes) if masks else None
    return Detector(first, head, Predictor(head.dim, classes, truncated=truncated), mask_head)


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
