"""Options of the detector: its trunk, anchors and proposals, and what these learn from."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.names import with_stride
from dsg.config.option import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Range, option


@dataclass(frozen=True)
class DetectorOptions:
    """Feature map, anchors, and crops."""

    pixel_means: tuple[float, ...] = option(
        (102.9801, 115.9465, 122.7717), "Subtracted from the B, G and R values.", within=Range(0, 255)
    )
    feature_stride: int = option(
        16, f"Pixels per cell of the feature map (8: {with_stride(8)} only).", (8, 16)
    )
    anchor_scales: tuple[float, ...] = option(
        (4.0, 8.0, 16.0, 32.0),
        "Anchor sides, in units of FEATURE_STRIDE. Training chooses four that fit its boxes (auto), or N "
        "(auto:N).",
        within=POSITIVE,
        auto=True,
    )
    anchor_ratios: tuple[float, ...] = option(
        (0.5, 1.0, 2.0),
        "Anchor heights divided by their widths. Training chooses three that fit its boxes (auto), or N "
        "(auto:N).",
        within=POSITIVE,
        auto=True,
    )
    rpn_channels: int = option(512, "Channels of the region proposal network.", within=COUNT)
    pooling_size: int = option(
        7, "Cells per side of an entity's crop (on a feature pyramid always 7).", within=COUNT
    )
    exact_boxes: bool = option(
        False,
        "Refined boxes end at the right pixel, and mirrored boxes lie on their objects. The release's "
        "refined boxes are a pixel too wide and too high and its mirrored boxes a pixel too far left, which "
        "matters for small objects.",
    )
    use_e2e_tf: bool = option(
        True,
        "Non-maximum suppression of proposals by TensorFlow (True) or by the compiled operation (False; not "
        "on a feature pyramid).",
    )


@dataclass(frozen=True)
class TargetOptions:
    """TRAIN.*: what the proposals and the region proposal network learn from."""

    fg_thresh: float = option(
        0.5, "Lowest IoU at which a proposal takes the label of a ground-truth box.", within=SHARE
    )
    bg_thresh: float = option(
        0.3,
        "IoU below which a proposal is background; between the two thresholds it is not used.",
        within=SHARE,
    )
    assign: str = option(
        "released",
        "Subject and object labels require FG_THRESH (released), or only the best overlap (paper).",
        ("released", "paper"),
    )
    bbox_normalize_stds: tuple[float, ...] = option(
        (0.1, 0.1, 0.2, 0.2),
        "Standard deviations by which the four deltas of the refiner, or of a detector's second stage, are "
        "divided.",
        within=POSITIVE,
    )
    rpn_batchsize: int = option(
        256, "Anchors per image from which the region proposal network learns.", within=COUNT
    )
    rpn_fg_fraction: float = option(0.5, "Largest share of positive anchors among them.", within=SHARE)
    rpn_positive_overlap: float = option(0.8, "Lowest IoU at which an anchor is positive.", within=SHARE)
    rpn_negative_overlap: float = option(0.3, "IoU below which an anchor is negative.", within=SHARE)
    rpn_clobber_positives: bool = option(
        False, "An anchor that is both positive and negative becomes negative."
    )
    rpn_positive_weight: float = option(
        -1.0,
        "Weight share of positive anchors in the box loss (-1: all anchors weigh the same).",
        within=Range(-1, 1),
    )
    rpn_nms_thresh: float = option(
        0.5,
        "IoU threshold of non-maximum suppression, in training and testing as in the release.",
        within=SHARE,
    )
    rpn_pre_nms_top_n: int = option(
        12000,
        "Proposals before suppression; on a single map only with USE_E2E_TF False, as in the release, on a "
        "feature pyramid of each level (0: all).",
        within=NOT_NEGATIVE,
    )
    rpn_post_nms_top_n: int = option(
        32, "Proposals after suppression, in training and testing.", within=COUNT
    )
    rpn_nms_min_score: float = option(
        0.8,
        "Proposals that score below this, or below the best minus 0.01 if that is less, are dropped.",
        within=SHARE,
    )


@dataclass(frozen=True)
class ResnetConfig:
    """The ResNet trunk and the two copies of its fourth block."""

    fixed_blocks: int = option(
        1, "Number of blocks after conv1 that, like conv1, are never trained.", (0, 1, 2, 3)
    )
    layout: str = option(
        "slim",
        "Where res50, res101 and res152 have their strides: as slim's ResNet v1 (slim), or as torchvision's, "
        "which reads its ImageNet weights (torchvision).",
        ("slim", "torchvision"),
    )
    max_pool: bool = option(
        False,
        "Crop at twice the size and max-pool; RELATION_POOLING_SIZE 1 then means POOLING_SIZE, as in the "
        "release.",
    )
    rgb_weights: bool = option(
        False, "Reverse conv1's input channels when loading ImageNet weights (release: no)."
    )
    init_heads: bool = option(
        False, "Start both copies of block 4 from ImageNet (release: from random weights)."
    )
