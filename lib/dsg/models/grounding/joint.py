"""The joint detector: one trunk, region proposals and box head for two data sets, and what each learns.

The graphs' data set has boxes, the masks' boxes and masks. Where that one is not learned from, as in the
baseline, its predictor and the mask head are not there.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.config import Config, check_chosen
from dsg.config.names import PYRAMIDS, SMALL
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.models.detector.heads import MASK_POOLED, POOLED, MaskHead, SmallMaskHead
from dsg.models.detector.model import ProposalSettings
from dsg.models.detector.outputs import FirstStage, Regions
from dsg.models.detector.parts import Parts, parts_of
from dsg.models.grounding.detector import BoxScores, DualPredictor
from dsg.models.grounding.features import Maps
from dsg.nets.backbones.fpn import STRIDES
from dsg.nets.layers import Block, Weight, Weighted, normal
from dsg.nets.masks import repeat_own_border, zero_padding
from dsg.nets.outputs import Proposals
from dsg.nets.pyramid_roi import CROPPED

MASK_BRANCH = "mask_branch/"
"""How names of the mask head's weights begin: it has no background, unlike that of other detectors."""


class JointDetector(Weighted, tf.Module):
    """Images -> maps, proposals; regions -> scores and boxes of either data set's categories, masks.

    Args:
        parts: first stage and box head.
        predictor: of both data sets.
        mask_head: crops [n, 14, 14, C] -> mask logits [n, 28, 28, M], or None.
        strides: pixels between two cells of each map that is cropped.
    """

    def __init__(
        self, parts: Parts, predictor: DualPredictor, mask_head: Any, strides: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.first_stage, self.box_head, self.channels = parts
        self.predictor, self.mask_head, self.strides = predictor, mask_head, strides

    def __call__(self, images: tf.Tensor, image_size: tf.Tensor, settings: ProposalSettings) -> FirstStage:
        """Maps and proposals of images float32 [B, H, W, 3]; `image_size` [B, 2] is that before padding."""
        first = self.first_stage(images, image_size, settings)
        boxes = tf.stop_gradient(first.proposals.boxes)
        return first._replace(proposals=Proposals(boxes, *first.proposals[1:]))

    def scores(
        self, first: FirstStage, regions: Regions, masks: bool = False, training: bool = False
    ) -> BoxScores:
        """Scores and box deltas of n regions; `masks`: of the categories of the masks' data set."""
        return self.predictor(self.features(first, regions, training), masks=masks)

    def features(self, first: FirstStage, regions: Regions, training: bool = False) -> tf.Tensor:
        """What the predictors read: [n, D]."""
        return self.box_head(self.crops(first, regions), training)

    def crops(self, first: FirstStage, regions: Regions) -> tf.Tensor:
        """What the box head reads: [n, 7, 7, C]."""
        return self.first_stage.crops(first, regions, POOLED)

    def mask_logits(self, first: FirstStage, regions: Regions) -> tf.Tensor:
        """A mask of each category of the masks' data set: float32 [n, 28, 28, M]."""
        # One more than there are: of no region, convolutions may return no map.
        padded = Regions(tf.pad(regions.boxes, [[0, 1], [0, 0]]), tf.pad(regions.image, [[0, 1]]))
        return self.mask_head(self.first_stage.crops(first, padded, MASK_POOLED))[:-1]

    def maps(self, first: FirstStage, reducer: Block | None = None) -> Maps:
        """The maps that graphs are read from; `reducer` changes their width. In a batch, crops do not depend
        on what lies beside an image.
        """
        size = first.image_size if first.image_size.shape[0] != 1 else None
        levels = []
        for level, stride in zip(first.maps, self.strides):
            if reducer is not None:
                level = reducer(zero_padding(level, size, stride))
            levels.append(level if size is None else repeat_own_border(level, size, stride))
        return Maps(levels, [1.0 / stride for stride in self.strides])

    def fold(self) -> None:
        """Fold normalisation into kernels once, as `Detector.fold`."""
        for part in (self.first_stage, self.box_head, self.predictor, self.mask_head):
            if part is not None:
                part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """Every weight by its stable name, in the order of the data flow."""
        weights = self.first_stage.named_weights(prefix)
        parts: dict[str, Block | None] = {
            "box_head/": self.box_head,
            "predictor/": self.predictor,
            MASK_BRANCH: self.mask_head,
        }
        for name, part in parts.items():
            if part is not None:
                weights.update(part.named_weights(f"{prefix}{name}"))
        return weights


def build_joint_detector(config: Config, vocabulary: Vocabulary) -> JointDetector:
    """The detector that `config` describes, at its initial values, drawn from RNG_SEED.

    Args:
        config: BACKBONE, DETECTOR.*, GROUNDING.* and what belongs to the backbone.
        vocabulary: the graphs' categories, and those of masks, which GROUNDING.JOINT False does not learn.

    Raises:
        UserError: EXACT_BOXES is missing, or the anchors are `auto` still.
    """
    if config.backbone not in PYRAMIDS and not config.exact_boxes:
        raise UserError(f"{config.net} needs EXACT_BOXES True: pairs and masks have boxes of exact edges")
    check_chosen(config)
    tf.keras.utils.set_random_seed(config.rng_seed)
    parts = parts_of(config, fixed_blocks=0)
    masks = len(vocabulary.mask_objects) if config.grounding.joint else 0
    predictor = DualPredictor(parts.box_head.dim, len(vocabulary.objects), masks)
    strides: tuple[int, ...] = (config.feature_stride,)
    if config.backbone in PYRAMIDS:
        strides = STRIDES[:CROPPED]
    mask_head = _mask_head(config, parts.channels, masks) if masks else None
    return JointDetector(parts, predictor, mask_head, strides)


def _mask_head(config: Config, channels: int, masks: int) -> Block:
    if config.backbone in SMALL:
        convolutions = config.detector.head_convolutions
        return SmallMaskHead(channels, config.head.channels, convolutions, masks, agnostic=False)
    return MaskHead(channels, masks, convs=config.grounding.mask_convs, last=normal(0.001))
