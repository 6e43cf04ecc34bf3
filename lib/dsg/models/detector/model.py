"""The two-stage detector: images -> maps -> proposals -> regions -> classes, boxes and masks.

Two first stages share what follows: `SingleMap`, one map as in tf-faster-rcnn, and `PyramidMaps`,
a feature pyramid as in torchvision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.models.detector.heads import MASK_POOLED, POOLED
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions
from dsg.nets.layers import Block, Weight, Weighted
from dsg.nets.masks import repeat_own_border
from dsg.nets.outputs import Proposals, RpnOutputs
from dsg.nets.pyramid_roi import CROPPED, crop_pyramid, pyramid_roi_align, pyramid_scales
from dsg.nets.pyramid_rpn import propose_from_pyramid
from dsg.nets.roi import crop
from dsg.nets.roi_align import roi_align
from dsg.nets.rpn import propose


class ProposalSettings(NamedTuple):
    """Which boxes the first stage hands on."""

    pre_nms: int  # that take part in suppression; on a single map all do
    post_nms: int  # at most so many
    iou: float = 0.7  # above which a better box drops another
    top: bool = False  # on a single map, TEST.MODE top: the `post_nms` best without suppression
    in_graph: bool = True  # on a single map, USE_E2E_TF: see `dsg.nets.rpn.propose`


class SingleMap(Block):
    """The first stage on one map.

    Args:
        trunk: images -> `TrunkFeatures`.
        rpn: its features -> `RpnOutputs`.
        stride: pixels from a cell to the next.
        max_pool: crops are pooled from twice as many samples.
        aligned: crops are aligned, as those of a pyramid; otherwise they are tf-faster-rcnn's.
    """

    def __init__(
        self, trunk: Any, rpn: Any, *, max_pool: bool = False, stride: int = 16, aligned: bool = False
    ) -> None:
        super().__init__()
        self.trunk, self.rpn = trunk, rpn
        self._max_pool, self._stride, self._aligned = max_pool, stride, aligned

    def call(self, images: tf.Tensor, image_size: tf.Tensor, settings: ProposalSettings) -> FirstStage:
        padding = None if image_size.shape[0] == 1 else image_size  # alone, an image has none
        features = self.trunk(images, padding).features
        rpn = self.rpn(features, image_size)
        if settings.top:
            return FirstStage(image_size, [features], rpn, best_proposals(rpn, settings.post_nms))
        proposals = propose(
            rpn,
            iou=settings.iou,
            post_nms=settings.post_nms,
            pre_nms=settings.pre_nms,
            min_score=-1.0,  # all that suppression leaves
            in_graph=settings.in_graph,
        )
        return FirstStage(image_size, [features], rpn, proposals)

    def crops(self, first: FirstStage, regions: Regions, size: int) -> tf.Tensor:
        """[M, size, size, C]."""
        features, padded = first.maps[0], first.image_size.shape[0] != 1
        if self._aligned:
            if padded:
                features = repeat_own_border(features, first.image_size, self._stride)
            return roi_align(features, regions.boxes, regions.image, size, 1.0 / self._stride)
        return crop(
            *(features, regions.boxes, regions.image, size),
            image_size=first.image_size,
            stride=self._stride,
            max_pool=self._max_pool,
            padded=padded,
        )


def best_proposals(rpn: RpnOutputs, count: int) -> Proposals:
    """The `count` best boxes of each image, however much they overlap; repeated where there are fewer."""
    scores, rows = tf.math.top_k(rpn.scores, tf.minimum(count, tf.shape(rpn.scores)[1]))
    repeats = tf.range(count) % tf.shape(rows)[1]
    scores, rows = tf.gather(scores, repeats, axis=1), tf.gather(rows, repeats, axis=1)
    # anchors of the padding score -1
    return Proposals(tf.gather(rpn.boxes, rows, batch_dims=1), scores, scores >= 0, rows)


class PyramidMaps(Block):
    """The first stage on a feature pyramid, and aligned crops of the level that suits a box.

    `masked`: nothing depends on the padding of a batch, and an image that is alone in its batch must have
    none. Without it, as in torchvision, the layers see the padding, and a smaller image gives slightly other
    results than alone.
    """

    def __init__(self, trunk: Any, pyramid: Any, rpn: Any, *, masked: bool = True) -> None:
        super().__init__()
        self.trunk, self.pyramid, self.rpn = trunk, pyramid, rpn
        self._masked = masked

    def call(self, images: tf.Tensor, image_size: tf.Tensor, settings: ProposalSettings) -> FirstStage:
        padding = image_size if self._masked and image_size.shape[0] != 1 else None
        maps = self.pyramid(self.trunk(images, padding), padding)
        shape = tf.shape(images)
        rpn = self.rpn(maps, (shape[1], shape[2]), image_size if self._masked else None)
        proposals = propose_from_pyramid(
            rpn, image_size, pre_nms=settings.pre_nms, post_nms=settings.post_nms, iou=settings.iou
        )
        return FirstStage(image_size, maps, rpn, proposals)

    def crops(self, first: FirstStage, regions: Regions, size: int) -> tf.Tensor:
        """[M, size, size, C]."""
        if self._masked:
            regions_of = (first.maps, regions.boxes, regions.image, size)
            padded = first.image_size.shape[0] != 1
            return crop_pyramid(*regions_of, image_size=first.image_size, padded=padded)
        maps = first.maps[:CROPPED]
        tallest = tf.reduce_max(first.image_size[:, 0])
        scales = pyramid_scales([tf.shape(level)[1] for level in maps], tallest)
        return pyramid_roi_align(maps, regions.boxes, regions.image, size, scales)


class Detector(Weighted, tf.keras.Model):
    """First stage, second stage and, where there is a mask head, masks.

    Args:
        first_stage: `SingleMap` or `PyramidMaps`.
        box_head: crops [M, 7, 7, C] -> features.
        predictor: features -> class logits and box deltas.
        mask_head: crops [M, 14, 14, C] -> mask logits, or None.
    """

    def __init__(self, first_stage: Any, box_head: Any, predictor: Any, mask_head: Any = None) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.first_stage, self.box_head = first_stage, box_head
        self.predictor, self.mask_head = predictor, mask_head

    def call(self, images: tf.Tensor, image_size: tf.Tensor, settings: ProposalSettings) -> FirstStage:
        """Maps and proposals of images float32 [B, H, W, 3]; `image_size` [B, 2] is that before padding."""
        first = self.first_stage(images, image_size, settings)
        boxes = tf.stop_gradient(first.proposals.boxes)
        return first._replace(proposals=Proposals(boxes, *first.proposals[1:]))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def classify(self, first: FirstStage, regions: Regions, training: bool = False) -> RegionOutputs:
        """Classes and boxes of regions."""
        crops = self.first_stage.crops(first, regions, POOLED)
        features = self.box_head(crops, training)
        return RegionOutputs(crops, features, *self.predictor(features))

    def mask_logits(self, first: FirstStage, regions: Regions) -> tf.Tensor:
        """A mask for each class: float32 [M, 28, 28, C]."""
        # One more than there are: of no region, convolutions may return no map.
        padded = Regions(tf.pad(regions.boxes, [[0, 1], [0, 0]]), tf.pad(regions.image, [[0, 1]]))
        return self.mask_head(self.first_stage.crops(first, padded, MASK_POOLED))[:-1]

    def fold(self) -> None:
        """Fold normalisation into kernels once, as `DSG.fold`: the model then only answers."""
        for part in (self.first_stage, self.box_head, self.predictor, self.mask_head):
            if part is not None:
                part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """Every weight by its stable name, in the order of the data flow."""
        weights = self.first_stage.named_weights(prefix)
        parts = {"box_head": self.box_head, "predictor": self.predictor, "mask_head": self.mask_head}
        for name, part in parts.items():
            if part is not None:
                weights.update(part.named_weights(f"{prefix}{name}/"))
        return weights
