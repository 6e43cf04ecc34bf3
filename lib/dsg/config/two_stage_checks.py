"""Which options of the detector exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsg.config.names import PYRAMIDS, SMALL
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config.schema import Config

POOLING_SIZE = 7  # cells a side that the heads are made for


def check_detector(config: Config) -> None:
    """Refuse values that are valid one by one but not together in a detector.

    Raises:
        UserError: two options exclude each other.
    """
    net, options, train = config.net, config.detector, config.train
    if train.use_gt:
        raise UserError(
            "TRAIN.USE_GT replaces the proposals of dsg by the ground truth; for a detector set "
            "DETECTOR.ADD_GT True, which adds the ground truth to the proposals"
        )
    if options.class_agnostic and config.backbone not in SMALL:
        raise UserError(f"DETECTOR.CLASS_AGNOSTIC is for {' and '.join(SMALL)}, not for {net}")
    pyramid = config.backbone in PYRAMIDS
    if options.second_generation and not pyramid:
        raise UserError(f"DETECTOR.SECOND_GENERATION is for {', '.join(PYRAMIDS)}, not for {net}")
    if options.masks and not pyramid and not config.exact_boxes:
        raise UserError(
            f"DETECTOR.MASKS needs EXACT_BOXES True with {net}: the boxes of tf-faster-rcnn are a pixel too "
            "large for masks"
        )
    if config.test.mode == "top" and pyramid:
        raise UserError(f"TEST.MODE top is for detectors of one map, not for {net}")
    if config.pooling_size != POOLING_SIZE:
        raise UserError(f"POOLING_SIZE of a detector is {POOLING_SIZE}, not {config.pooling_size}")
    if train.bg_thresh_lo >= train.bg_thresh:
        raise UserError(
            f"TRAIN.BG_THRESH_LO {train.bg_thresh_lo} must be below TRAIN.BG_THRESH {train.bg_thresh}"
        )
