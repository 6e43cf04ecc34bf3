"""The region proposal network: from the feature map to scored boxes, and from these to at most 32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dsg.boxes.anchors_tf import anchor_grid_tf
from dsg.boxes.nms import nms
from dsg.boxes.transform import BoxCoder
from dsg.nets.layers import Block, Conv, Initializer
from dsg.nets.masks import cells
from dsg.nets.outputs import Proposals, RpnOutputs

RELEASED = BoxCoder()


class RegionProposalNetwork(Block):
    """Feature map [B, h, w, C] -> `RpnOutputs`: for each anchor of each cell two logits and four deltas."""

    def __init__(
        self,
        cin: int,
        channels: int,
        *,
        stride: int,
        scales: Sequence[float],
        ratios: Sequence[float],
        init: Initializer,
        coder: BoxCoder = RELEASED,
    ) -> None:
        super().__init__()
        self._scales, self._ratios, self._stride, self._coder = scales, ratios, stride, coder
        self._anchors = len(scales) * len(ratios)
        self.conv = Conv(cin, channels, 3, relu=True, init=init)
        self.classes = Conv(channels, 2 * self._anchors, init=init)
        self.boxes = Conv(channels, 4 * self._anchors, init=init)

    def call(self, features: tf.Tensor, image_size: tf.Tensor) -> RpnOutputs:
        return self.read(self.conv(features), image_size)

    def read(self, hidden: tf.Tensor, image_size: tf.Tensor) -> RpnOutputs:
        """What the network says, from its hidden map [B, h, w, C] on."""
        shape = tf.shape(hidden)
        count, height, width = shape[0], shape[1], shape[2]
        # Channels hold all backgrounds, then all objects: anchor a pairs channel a with channel A + a.
        logits = tf.reshape(
            tf.cast(self.classes(hidden), tf.float32), [count, height, width, 2, self._anchors]
        )
        logits = tf.transpose(logits, [0, 1, 2, 4, 3])
        deltas = tf.reshape(tf.cast(self.boxes(hidden), tf.float32), [count, height, width, self._anchors, 4])
        anchors = anchor_grid_tf(height, width, self._stride, self._scales, self._ratios)
        boxes = self._coder.decode(anchors[None], tf.reshape(deltas, [count, -1, 4]))
        objectness = tf.nn.softmax(logits)[..., 1]
        own = cells(image_size, self._stride)[:, None, None]
        inside = (tf.range(height)[:, None] < own[..., 0]) & (tf.range(width) < own[..., 1])
        scores = tf.where(inside[..., None], objectness, -1.0)
        boxes = self._coder.clip(boxes, image_size)
        return RpnOutputs(hidden, logits, deltas, anchors, boxes, tf.reshape(scores, [count, -1]))


def propose(
    rpn: RpnOutputs, *, iou: float, post_nms: int, pre_nms: int, min_score: float, in_graph: bool = True
) -> Proposals:
    """The best boxes of each image after non-maximum suppression, padded to the largest number in the batch.

    At most `post_nms` boxes survive suppression; of these, boxes scoring below `min_score` are dropped, or
    below 0.01 less than the best score where that is smaller, so that there is always one. With `in_graph`
    TensorFlow's suppression runs (widths without +1, no limit before it); otherwise the compiled one (+1
    widths) on the `pre_nms` best boxes. No gradient flows into boxes.
    """
    # A network that diverged proposes something nevertheless, so that its losses can say so.
    boxes, scores = (tf.stop_gradient(_without_nan(found)) for found in (rpn.boxes, rpn.scores))

    def suppress(one: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image_boxes, image_scores = one
        if in_graph:
            # The op compares overlaps only, so x and y may change places.
            kept = tf.image.non_max_suppression(
                image_boxes, image_scores, post_nms, iou, score_threshold=-0.5
            )
        else:
            kept = tf.numpy_function(
                lambda b, s: _compiled_nms(b, s, iou, post_nms, pre_nms),
                [image_boxes, image_scores],
                tf.int32,
            )
            kept.set_shape([None])
        best = tf.gather(image_scores, kept)
        kept = tf.boolean_mask(kept, best >= tf.minimum(min_score, tf.reduce_max(best) - 0.01))
        count = tf.shape(kept)[0]
        return tf.pad(kept, [[0, post_nms - count]]), count

    signature = (tf.TensorSpec([post_nms], tf.int32), tf.TensorSpec([], tf.int32))
    indices, counts = tf.map_fn(suppress, (boxes, scores), fn_output_signature=signature)
    most = tf.reduce_max(counts)
    indices = indices[:, :most]
    return Proposals(
        tf.gather(boxes, indices, batch_dims=1),
        tf.gather(scores, indices, batch_dims=1),
        tf.sequence_mask(counts, most),
        indices,
    )


def ground_truth_proposals(boxes: tf.Tensor, valid: tf.Tensor) -> Proposals:
    """The ground-truth boxes instead of proposals (TRAIN.USE_GT)."""
    shape = tf.shape(boxes)[:2]
    return Proposals(boxes, tf.cast(valid, tf.float32), valid, tf.zeros(shape, tf.int32))


def _without_nan(x: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(x), 0.0, x)


def _compiled_nms(
    boxes: np.ndarray, scores: np.ndarray, iou: float, post_nms: int, pre_nms: int
) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= 0]
    if pre_nms > 0:
        order = order[:pre_nms]
    dets = np.concatenate([boxes, scores[:, None]], 1)[order]
    return order[nms(np.ascontiguousarray(dets, np.float32), iou, post_nms)].astype(np.int32)
