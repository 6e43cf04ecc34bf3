"""Which convention of boxes a detector follows: tf-faster-rcnn's, or torchvision's exact edges."""

from __future__ import annotations

from typing import TypeVar

from dsg.boxes.conventions import TF_FASTER_RCNN, TORCHVISION
from dsg.boxes.transform import BoxCoder
from dsg.boxes.transform_np import BoxCoderNp
from dsg.config import Config
from dsg.config.names import PYRAMIDS

ORIGINAL = BoxCoderNp(stds=TF_FASTER_RCNN.stds)
"""tf-faster-rcnn's boxes of regions, for arrays."""
C = TypeVar("C", bound=BoxCoderNp)


def has_exact_boxes(config: Config) -> bool:
    """Whether boxes end at the edges of objects: on pyramids always, on a single map with EXACT_BOXES."""
    return config.backbone in PYRAMIDS or config.exact_boxes


def region_coder(config: Config, kind: type[C] = BoxCoder) -> C:  # type: ignore[assignment]
    """How the second stage writes the boxes of regions: with TRAIN.BBOX_NORMALIZE_STDS for units.

    Args:
        config: of a detector.
        kind: for tensors or, `BoxCoderNp`, for arrays.
    """
    like = TORCHVISION if has_exact_boxes(config) else TF_FASTER_RCNN
    return kind(inclusive=like.inclusive, log_limit=like.log_limit, stds=config.train.bbox_normalize_stds)
