"""What the joint detector says of boxes: for the graphs' categories and for the masks', from one box head.

Here the background is the last class, in the detector the first; box deltas have no background.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.boxes.choice import large_enough, suppress_in_groups
from dsg.boxes.conventions import TORCHVISION, decode_classes
from dsg.boxes.transform import BoxCoder
from dsg.models.detector.outputs import Regions
from dsg.models.grounding.boxes import BoxList
from dsg.nets.images import by_image
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
    coder: BoxCoder = TORCHVISION,
) -> DetectedBoxes:
    """The detections of an image (SGDet).

    Args:
        proposals: [M, 4].
        scores: of the proposals.
        image_size: float32 [2]: height, width.
        threshold: score that a detection exceeds.
        iou: overlap above which a better detection of the same category drops another.
        limit: detections at most.
        coder: of the boxes.
    """
    deltas = tf.reshape(scores.deltas, [tf.shape(proposals)[0], 4 * scores.deltas.shape[1]])
    boxes = decode_classes(coder, proposals, deltas)
    flat = coder.clip(tf.reshape(boxes, [-1, 4]), image_size)
    boxes = tf.reshape(flat, tf.shape(boxes))
    probabilities = scores.probabilities[:, :-1]
    places = tf.where((probabilities > threshold) & large_enough(boxes, 0.0))
    box, score = tf.gather_nd(boxes, places), tf.gather_nd(probabilities, places)
    kept = suppress_in_groups(box, score, tf.cast(places[:, 1], tf.int32), iou)[:limit]
    rows, labels = (tf.cast(tf.gather(places[:, axis], kept), tf.int32) for axis in range(2))
    return DetectedBoxes(tf.gather(box, kept), labels, rows, tf.gather(score, kept), tf.gather(boxes, rows))


class DetectedNodes(NamedTuple):
    """`DetectedBoxes` of a batch, image after image."""

    boxes: BoxList
    labels: tf.Tensor  # int32 [N]
    rows: tf.Tensor  # int32 [N]: the region of each
    scores: tf.Tensor  # [N]
    class_boxes: tf.Tensor  # [N, V, 4]


def nodes_of_images(
    regions: Regions,
    scores: BoxScores,
    image_size: tf.Tensor,
    *,
    limit: int = 40,
    **options: Any,
) -> DetectedNodes:
    """`detect_nodes` of every image; an image may have none.

    Args:
        regions: proposals, image after image.
        scores: of the regions.
        image_size: float32 [B, 2].
        limit: detections of an image at most.
        options: of `detect_nodes`.
    """
    counts = tf.math.bincount(regions.image, minlength=tf.shape(image_size)[0], dtype=tf.int32)
    starts, categories = tf.cumsum(counts, exclusive=True), scores.deltas.shape[1]

    def choose(image: tf.Tensor | int) -> tuple[tf.Tensor, ...]:
        own = slice(starts[image], starts[image] + counts[image])
        found = detect_nodes(
            *(regions.boxes[own], BoxScores(scores.logits[own], scores.deltas[own]), image_size[image]),
            limit=limit,
            **options,
        )
        rest = [0, limit - tf.shape(found.labels)[0]]
        values = found._replace(rows=found.rows + starts[image])
        padded = [tf.pad(value, [rest, *[[0, 0]] * (len(value.shape) - 1)]) for value in values]
        return (*padded, tf.shape(found.labels)[0])

    signature = (
        tf.TensorSpec([limit, 4], tf.float32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([limit], tf.float32),
        tf.TensorSpec([limit, categories, 4], tf.float32),
        tf.TensorSpec([], tf.int32),
    )
    *padded, kept = by_image(choose, image_size, signature)
    places = tf.where(tf.sequence_mask(kept, limit))
    boxes, labels, rows, best, class_boxes = (tf.gather_nd(values, places) for values in padded)
    listed = BoxList(boxes, tf.cast(places[:, 0], tf.int32), image_size)
    return DetectedNodes(listed, labels, rows, best, class_boxes)
