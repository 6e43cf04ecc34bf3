"""The region proposal network on a feature pyramid: from maps to scored boxes, and to the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.anchors import PYRAMID_RATIOS, PYRAMID_SIZES
from dsg.boxes.choice import large_enough, suppress_in_groups
from dsg.boxes.conventions import TORCHVISION_RPN
from dsg.boxes.pyramid_anchors import pyramid_anchors
from dsg.nets.backbones.fpn import STRIDES
from dsg.nets.images import by_image
from dsg.nets.layers import Block, Conv, normal
from dsg.nets.masks import cells, zero_padding
from dsg.nets.outputs import Proposals

SIZES, RATIOS = PYRAMID_SIZES, PYRAMID_RATIOS
SMALLEST_SIDE = 1e-3


class PyramidRpnOutputs(NamedTuple):
    """One entry an anchor, rows ordered (level, y, x, anchor)."""

    level_logits: list[tf.Tensor]  # [B, h, w, A] of each level
    level_deltas: list[tf.Tensor]  # [B, h, w, 4 A]
    anchors: tf.Tensor  # [N, 4]
    logits: tf.Tensor  # [B, N]
    deltas: tf.Tensor  # [B, N, 4]
    boxes: tf.Tensor  # [B, N, 4]: decoded, not clipped; no gradient flows into them
    inside: tf.Tensor | None  # bool [B, N]: not in the padding of the batch; None: all count


class PyramidRpn(Block):
    """Maps p2 to p6 -> `PyramidRpnOutputs`; all levels share the layers.

    Args:
        channels: of the maps.
        convolutions: 3x3, before the two outputs.
    """

    def __init__(self, channels: int, convolutions: int = 1) -> None:
        super().__init__()
        init = normal(0.01)
        self.convs = [Conv(channels, channels, 3, relu=True, init=init) for _ in range(convolutions)]
        self.objectness = Conv(channels, len(RATIOS), init=init)
        self.boxes = Conv(channels, 4 * len(RATIOS), init=init)

    def call(
        self,
        maps: Sequence[tf.Tensor],
        padded_size: tuple[tf.Tensor, tf.Tensor],
        image_size: tf.Tensor | None = None,
    ) -> PyramidRpnOutputs:
        """What the network says of a batch.

        Args:
            maps: [B, h, w, C] each.
            padded_size: (height, width) of the batch in pixels. Cells are as many whole pixels apart as it
                has for each, as in torchvision, which need not be a power of two: 416 over 7 cells are 59.
            image_size: float32 [B, 2], of each image before padding; then nothing depends on the padding, and
                cells are `STRIDES` apart. An image that is alone has none.
        """
        padding = None if image_size is None or image_size.shape[0] == 1 else image_size
        logits, deltas = [], []
        for x, stride in zip(maps, STRIDES):
            for conv in self.convs:
                x = zero_padding(conv(x), padding, stride)
            logits.append(tf.cast(self.objectness(x), tf.float32))
            deltas.append(tf.cast(self.boxes(x), tf.float32))
        grids = [(tf.shape(level)[1], tf.shape(level)[2]) for level in logits]
        distances = [(padded_size[0] // height, padded_size[1] // width) for height, width in grids]
        inside = None
        if image_size is not None:
            distances = [(stride, stride) for stride in STRIDES]
            inside = tf.concat([_inside(*rest) for rest in zip(logits, [image_size] * 5, STRIDES)], 1)
        anchors = pyramid_anchors(grids, distances, SIZES, [RATIOS] * len(maps))
        batch = tf.shape(maps[0])[0]
        flat_deltas = tf.concat([tf.reshape(level, [batch, -1, 4]) for level in deltas], 1)
        boxes = TORCHVISION_RPN.decode(anchors, tf.stop_gradient(flat_deltas))
        flat_logits = tf.concat([tf.reshape(level, [batch, -1]) for level in logits], 1)
        return PyramidRpnOutputs(logits, deltas, anchors, flat_logits, flat_deltas, boxes, inside)


def _inside(logits: tf.Tensor, image_size: tf.Tensor, stride: int) -> tf.Tensor:
    """Which anchors of a level [B, h, w, A] belong to a cell of the image itself: bool [B, h * w * A]."""
    own = cells(image_size, stride)[:, None, None]
    shape = tf.shape(logits)
    inside = (tf.range(shape[1])[:, None] < own[..., 0]) & (tf.range(shape[2]) < own[..., 1])
    return tf.reshape(tf.broadcast_to(inside[..., None], shape), [shape[0], -1])


class Candidates(NamedTuple):
    """What takes part in the suppression of an image's boxes."""

    rows: tf.Tensor  # int32 [K]: anchor of each, by level, best first
    levels: tf.Tensor  # int32 [K]
    large: tf.Tensor  # bool [K]: neither too small nor in the padding
    boxes: tf.Tensor  # [K, 4]: clipped to the image


def candidates(
    rpn: PyramidRpnOutputs, image: tf.Tensor | int, image_size: tf.Tensor, count: int
) -> Candidates:
    """The `count` best anchors of each level of one image of the batch."""
    rows, levels, start = [], [], 0
    logits = rpn.logits[image]
    if rpn.inside is not None:
        logits = tf.where(rpn.inside[image], logits, logits.dtype.min)
    for number, level in enumerate(rpn.level_logits):
        own = tf.reduce_prod(tf.shape(level)[1:])
        best = tf.math.top_k(logits[start : start + own], tf.minimum(count, own)).indices
        rows.append(best + start)
        levels.append(tf.fill(tf.shape(best), number))
        start = start + own
    row = tf.concat(rows, 0)
    # decoded here: few of all anchors are needed, and nothing else may ask for their boxes
    boxes = TORCHVISION_RPN.decode(tf.gather(rpn.anchors, row), tf.gather(rpn.deltas[image], row))
    # as a batch of one: the limits of a single image, spread over its boxes, are not translated to ONNX
    boxes = TORCHVISION_RPN.clip(tf.stop_gradient(boxes)[None], image_size[None])[0]
    large = large_enough(boxes, SMALLEST_SIDE)
    if rpn.inside is not None:
        large &= tf.gather(rpn.inside[image], row)
    return Candidates(row, tf.concat(levels, 0), large, boxes)


def propose_from_pyramid(
    rpn: PyramidRpnOutputs, image_size: tf.Tensor, *, pre_nms: int, post_nms: int, iou: float
) -> Proposals:
    """The best boxes of each image, suppressed level by level, padded to the largest number in the batch.

    Args:
        rpn: of the batch.
        image_size: float32 [B, 2]: height, width of each image before padding.
        pre_nms: boxes of each level that take part.
        post_nms: boxes of all levels that are kept, by score.
        iou: overlap above which a better box drops another.
    """

    def propose(image: tf.Tensor | int) -> tuple[tf.Tensor, ...]:
        best = candidates(rpn, image, image_size[image], pre_nms)
        row, levels, boxes = (tf.boolean_mask(x, best.large) for x in (best.rows, best.levels, best.boxes))
        scores = tf.sigmoid(tf.gather(rpn.logits[image], row))
        kept = suppress_in_groups(boxes, scores, levels, iou, post_nms)
        count = tf.shape(kept)[0]
        padding = [[0, post_nms - count]]
        return (
            tf.pad(tf.gather(row, kept), padding),
            tf.pad(tf.gather(boxes, kept), [*padding, [0, 0]]),
            tf.pad(tf.gather(scores, kept), padding),
            count,
        )

    signature = (
        tf.TensorSpec([post_nms], tf.int32),
        tf.TensorSpec([post_nms, 4], tf.float32),
        tf.TensorSpec([post_nms], tf.float32),
        tf.TensorSpec([], tf.int32),
    )
    rows, boxes, scores, counts = by_image(propose, image_size, signature)
    most = tf.reduce_max(counts)
    return Proposals(boxes[:, :most], scores[:, :most], tf.sequence_mask(counts, most), rows[:, :most])
