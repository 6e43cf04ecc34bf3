"""Detectors: `build_detector` from a configuration, the others from values."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.config import Config, check_chosen
from dsg.config.names import PYRAMIDS, SMALL
from dsg.models.detector.heads import MaskHead, Predictor, SmallMaskHead
from dsg.models.detector.model import Detector
from dsg.models.detector.parts import (
    ANCHOR_RATIOS,
    ANCHOR_SCALES,
    RPN_CHANNELS,
    Parts,
    parts_of,
    pyramid_parts,
    single_map_parts,
)
from dsg.nets.backbones.resnet import SLIM


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
    tf.keras.utils.set_random_seed(config.rng_seed)
    parts, options = parts_of(config), config.detector
    if config.backbone in PYRAMIDS:
        return _with_predictors(parts, classes, options.masks, normed=options.second_generation)
    truncated, agnostic = config.train.truncated, options.class_agnostic
    if config.backbone in SMALL:
        predictor = Predictor(parts.box_head.dim, classes, agnostic, truncated)
        width, convolutions = config.head.channels, options.head_convolutions
        mask_head = None
        if options.masks:
            mask_head = SmallMaskHead(parts.channels, width, convolutions, classes, agnostic)
        model = Detector(parts.first_stage, parts.box_head, predictor, mask_head)
    else:
        model = _with_predictors(parts, classes, options.masks, truncated=truncated)
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
    parts = single_map_parts(
        *(backbone, rpn_channels),
        fixed_blocks=fixed_blocks,
        layout=layout,
        scales=scales,
        ratios=ratios,
        max_pool=max_pool,
        aligned=aligned,
        exact=exact,
        truncated=truncated,
    )
    return _with_predictors(parts, classes, masks, truncated=truncated)


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
    parts = pyramid_parts(
        body,
        second_generation=second_generation,
        trained_blocks=trained_blocks,
        epsilon=epsilon,
        masked=masked,
    )
    return _with_predictors(parts, classes, masks, normed=second_generation)


def _with_predictors(
    parts: Parts, classes: int, masks: bool, *, normed: bool = False, truncated: bool = False
) -> Detector:
    predictor = Predictor(parts.box_head.dim, classes, truncated=truncated)
    mask_head = MaskHead(parts.channels, classes, normed=normed) if masks else None
    return Detector(parts.first_stage, parts.box_head, predictor, mask_head)
