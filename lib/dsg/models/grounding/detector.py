"""What the joint detector says of boxes: for the graphs' categories and for the masks', from one box head.

Here the background is the last class, in the detector the first; box deltas have no background.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from dsg.boxes.choice import large_enough, suppress_in_groups
from dsg.boxes.conventions import TORCHVISION, decode_classes
from dsg.nets.layers import Block, Dense, normal

GRAPHS, MASKS = "vg", "coco"


class BoxScores(NamedTuple):
    """What a predictor says of regions."""

    logits: tf.Tensor  # [M, V + 1], the background last
    deltas: tf.Tensor  # [M, V, 4], in units of the coder

    @property
    def probabilities(self) -> tf.Tensor:
        """[M, V + 1]."""
        return tf.nn.softmax(self.logits)


class DualPredictor(Block):
    """Features [M, D] -> `BoxScores` of either data set's categories.

    Args:
        dim: D.
        graphs: categories of the graphs' data set, without the background.
        masks: categories of the masks' data set, without the background; 0: it is not learned.
    """

    def __init__(self, dim: int, graphs: int, masks: int) -> None:
        super().__init__()
        scores, deltas = normal(0.01), normal(0.001)
        self.vg_cls, self.vg_box = Dense(dim, graphs + 1, scores), Dense(dim, 4 * graphs, deltas)
        if masks:
            self.coco_cls, self.coco_box = Dense(dim, masks + 1, scores), Dense(dim, 4 * masks, deltas)

    def call(self, features: tf.Tensor, *, masks: bool = False) -> BoxScores:
        """`masks`: the categories of the masks' data set."""
        scores, deltas = (self.coco_cls, self.coco_box) if masks else (self.vg_cls, self.vg_box)
        boxes = tf.cast(deltas(features), tf.float32)
        return BoxScores(
            tf.cast(scores(features), tf.float32), tf.reshape(boxes, [-1, boxes.shape[1] // 4, 4])
        )


class DetectedBoxes(NamedTuple):
    """The boxes of an image that become nodes, best first."""

    boxes: tf.Tensor  # [N, 4]
    labels: tf.Tensor  # int32 [N]
    rows: tf.Tensor  # int32 [N]: the proposal of each
    scores: tf.Tensor  # [N]
    class_boxes: tf.Tensor  # [N, V, 4]: that proposal's box of every category


def detect_nodes(
    proposals: tf.Tensor,
    scores: BoxScores,
    image_size: tf.Tensor,
    *,
    threshold: float = 0.05,
    iou: float = 0.5,
    limit: int = 40,
) -> DetectedBoxes:
    """The detections of an image (SGDet).

    Args:
        proposals: [M, 4].
        scores: of the proposals.
        image_size: float32 [2]: height, width.
        threshold: score that a detection exceeds.
        iou: overlap above which a better detection of the same category drops another.
        limit: detections at most.
    """
    deltas = tf.reshape(scores.deltas, [tf.shape(proposals)[0], -1])
    boxes = decode_classes(TORCHVISION, proposals, deltas)
    flat = TORCHVISION.clip(tf.reshape(boxes, [-1, 4]), image_size)
    boxes = tf.reshape(flat, tf.shape(boxes))
    probabilities = scores.probabilities[:, :-1]
    places = tf.where((probabilities > threshold) & large_enough(boxes, 0.0))
    box, score = tf.gather_nd(boxes, places), tf.gather_nd(probabilities, places)
    kept = suppress_in_groups(box, score, tf.cast(places[:, 1], tf.int32), iou)[:limit]
    rows, labels = (tf.cast(tf.gather(places[:, axis], kept), tf.int32) for axis in range(2))
    return DetectedBoxes(tf.gather(box, kept), labels, rows, tf.gather(score, kept), tf.gather(boxes, rows))
