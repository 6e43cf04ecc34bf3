"""Options that only the detector as a system reads: `DETECTOR.*`, `MOBILENET.*`, and its part of `TRAIN.*`
and `TEST.*`. The defaults are tf-faster-rcnn's.
"""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import COUNT, NOT_NEGATIVE, SHARE, option


@dataclass(frozen=True)
class DetectorConfig:
    """The detector as a system."""

    masks: bool = option(
        False, "Also learn and predict a mask for each object; the data set must have masks."
    )
    roi_mode: str = option(
        "crop",
        "Crops of the map: bilinear samples as in tf-faster-rcnn, or RoIAlign (aligned). Feature pyramids "
        "always align.",
        ("crop", "aligned"),
    )
    add_gt: bool = option(
        False, "Add the ground-truth boxes to the proposals from which regions are drawn (pyramids: always)."
    )
    class_agnostic: bool = option(
        False,
        "One box and one mask a region, whatever its class, instead of one for each class; only for mini and "
        "res18.",
    )
    head_convolutions: int = option(
        2, "Convolutions of the box head and of the mask head of mini and res18.", within=NOT_NEGATIVE
    )
    trained_blocks: int = option(
        3, "Trained blocks of a pyramid's ResNet, from the last: 5 is all.", (0, 1, 2, 3, 4, 5)
    )
    second_generation: bool = option(
        False,
        "Pyramids as torchvision's of 2022 (_v2): normalised, with two convolutions before the proposals and "
        "four before the boxes.",
    )
    metric: str = option(
        "coco",
        "What the best snapshot is chosen by: COCO's average precision (of boxes and, if there are masks, of "
        "masks; needs pycocotools), or VOC's.",
        ("coco", "voc"),
    )


@dataclass(frozen=True)
class MobilenetConfig:
    """MobileNet-v1, a backbone of the detector."""

    fixed_layers: int = option(5, "Number of the first layers that are never trained.", tuple(range(13)))
    weight_decay: float = option(
        0.00004, "Weight decay of its own convolutions, in place of TRAIN.WEIGHT_DECAY.", within=NOT_NEGATIVE
    )


@dataclass(frozen=True)
class RegionOptions:
    """TRAIN.*: what the detector's second stage learns from."""

    batch_size: int = option(256, "Regions of an image that the second stage learns from.", within=COUNT)
    fg_fraction: float = option(0.25, "Largest share of objects among them.", within=SHARE)
    bg_thresh_lo: float = option(
        0.0, "IoU from which a region is background, if it is below BG_THRESH.", within=SHARE
    )


@dataclass(frozen=True)
class DetectionOptions:
    """TEST.*: how the detector proposes and chooses."""

    mode: str = option(
        "nms",
        "Proposals: the best after suppression (nms), or the RPN_TOP_N best of all (top; not for pyramids).",
        ("nms", "top"),
    )
    nms: float = option(
        0.3, "IoU from which a better detection of the same class drops another.", within=SHARE
    )
    score_threshold: float = option(0.0, "Score that a detection exceeds.", within=SHARE)
    max_per_image: int = option(100, "Detections an image.", within=COUNT)
    rpn_nms_thresh: float = option(0.7, "IoU threshold of the suppression of proposals.", within=SHARE)
    rpn_pre_nms_top_n: int = option(
        6000,
        "Proposals before suppression, on each level of a pyramid; on a single map only with USE_E2E_TF "
        "False.",
        within=COUNT,
    )
    rpn_post_nms_top_n: int = option(300, "Proposals after suppression.", within=COUNT)
    rpn_top_n: int = option(5000, "With MODE top: proposals.", within=COUNT)
