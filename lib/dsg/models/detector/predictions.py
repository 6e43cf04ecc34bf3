"""What a detector says of an image: class by class, as torchvision and as tf-faster-rcnn choose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.boxes.choice import large_enough, suppress_in_groups
from dsg.boxes.conventions import STDS, TORCHVISION, decode_classes
from dsg.boxes.nms import nms
from dsg.boxes.transform_np import BoxCoderNp
from dsg.models.detector.outputs import Detections, FirstStage, RegionOutputs

SMALLEST_SIDE = 1e-2


def detections(
    first: FirstStage, regions: RegionOutputs, *, threshold: float, iou: float = 0.5, limit: int = 100
) -> Detections:
    """The detections of a batch whose regions are all its proposals, as torchvision chooses them.

    Args:
        first: the first stage.
        regions: of `outputs.packed(first.proposals)`.
        threshold: score that a detection exceeds.
        iou: overlap above which a better detection of the same class drops another.
        limit: detections an image.
    """
    counts = tf.reduce_sum(tf.cast(first.proposals.valid, tf.int32), 1)
    starts = tf.cumsum(counts, exclusive=True)
    scores = tf.nn.softmax(regions.class_logits)
    classes = scores.shape[1]

    def choose(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        own = slice(starts[image], starts[image] + counts[image])
        proposals = first.proposals.boxes[image, : counts[image]]
        boxes = decode_classes(TORCHVISION, proposals, regions.box_deltas[own])
        boxes = tf.reshape(
            TORCHVISION.clip(tf.reshape(boxes, [-1, 4]), first.image_size[image]), [-1, classes, 4]
        )
        places = tf.where((scores[own] > threshold) & large_enough(boxes, SMALLEST_SIDE))
        places = tf.boolean_mask(places, places[:, 1] > 0)  # no background
        box, score = tf.gather_nd(boxes, places), tf.gather_nd(scores[own], places)
        kept = suppress_in_groups(box, score, tf.cast(places[:, 1], tf.int32), iou)[:limit]
        count = tf.shape(kept)[0]
        rest = [[0, limit - count]]
        row, number = (tf.cast(tf.gather(places[:, axis], kept), tf.int32) for axis in range(2))
        return (
            tf.pad(tf.gather(box, kept), [*rest, [0, 0]]),
            tf.pad(number, rest),
            tf.pad(tf.gather(score, kept), rest),
            tf.pad(row, rest),
            count,
        )

    signature = (
        tf.TensorSpec([limit, 4], tf.float32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([limit], tf.float32),
        tf.TensorSpec([limit], tf.int32),
        tf.TensorSpec([], tf.int32),
    )
    images = tf.range(tf.shape(counts)[0])
    box, number, score, row, found = tf.map_fn(choose, images, fn_output_signature=signature)
    most = tf.reduce_max(found)
    valid = tf.sequence_mask(found, most)
    return Detections(box[:, :most], number[:, :most], score[:, :most], row[:, :most], valid)


def class_masks(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The mask of each region's class from logits [M, m, m, C]: probabilities [M, m, m]."""
    return tf.sigmoid(tf.gather(tf.transpose(logits, [0, 3, 1, 2]), classes, batch_dims=1))


class ImageDetections(NamedTuple):
    """What tf-faster-rcnn finds in an image, classes ascending, best first."""

    boxes: np.ndarray  # float32 [D, 4], pixels of the original image
    classes: np.ndarray  # int [D], from 1
    scores: np.ndarray  # float32 [D]
    proposals: np.ndarray  # int [D]


def boxes_in_image(
    proposals: np.ndarray, deltas: np.ndarray, scale: float, height: int, width: int
) -> np.ndarray:
    """Boxes of every class in the original image: float32 [N, C, 4].

    As there, proposals are divided by the image's scale before they are moved, and corners are cut on their
    own side only: a box may stay outside or inverted.

    Args:
        proposals: float32 [N, 4], pixels of the network's input.
        deltas: float32 [N, 4 C], raw.
        scale: of the network's input to the image.
        height: of the image.
        width: of the image.
    """
    image_boxes = (proposals / np.float32(scale)).astype(np.float32)
    boxes = BoxCoderNp(stds=STDS).decode(image_boxes[:, None], deltas.reshape(len(deltas), -1, 4))
    low = np.maximum(boxes[..., :2], 0)
    high = np.minimum(boxes[..., 2:], np.array([width - 1, height - 1], np.float32))
    return np.concatenate([low, high], -1).astype(np.float32)


def image_detections(
    boxes: np.ndarray, scores: np.ndarray, *, threshold: float = 0.0, iou: float = 0.3, limit: int = 100
) -> ImageDetections:
    """The detections of an image by tf-faster-rcnn's rules: suppression from `iou` on, +1 widths; then all
    that score at least as much as the one at `limit`.

    Args:
        boxes: float32 [N, C, 4].
        scores: float32 [N, C]; class 0, the background, is left out.
        threshold: score that a detection exceeds.
        iou: overlap from which a better detection of the same class drops another.
        limit: detections, more where scores tie; 0: no limit.
    """
    parts = []
    for number in range(1, scores.shape[1]):
        rows = np.flatnonzero(scores[:, number] > threshold)
        dets = np.concatenate([boxes[rows, number], scores[rows, number, None]], 1).astype(np.float32)
        kept = nms(dets, iou)
        parts.append((dets[kept], np.full(len(kept), number), rows[kept]))
    dets, classes, rows = (np.concatenate(column) for column in zip(*parts))
    if 0 < limit < len(dets):
        enough = dets[:, 4] >= np.sort(dets[:, 4])[-limit]
        dets, classes, rows = dets[enough], classes[enough], rows[enough]
    return ImageDetections(dets[:, :4], classes, dets[:, 4], rows)
