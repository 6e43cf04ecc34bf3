"""A trained detector as one function from an image's pixels to boxes, classes, scores and masks, ready to be
traced: what `dsg.models.detector.trained.TrainedDetector.detect` finds, padded to a fixed number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.apps.export.preprocess import last_edges, network_input, network_scale
from dsg.boxes.choice import suppress_in_groups
from dsg.boxes.conventions import decode_classes
from dsg.config import Config
from dsg.models.detector.conventions import has_exact_boxes, region_coder
from dsg.models.detector.outputs import FirstStage, RegionOutputs, Regions, packed
from dsg.models.detector.predictions import class_masks, detections, testing_proposals
from dsg.models.detector.trained import TrainedDetector
from dsg.nets.kernels import products

SIGNATURE = (tf.TensorSpec([None, None, 3], tf.uint8, name="image"),)
Detecting = Callable[[tf.Tensor], "dict[str, tf.Tensor]"]


class Found(NamedTuple):
    """The detections of an image, best first."""

    boxes: tf.Tensor  # float32 [D, 4]
    classes: tf.Tensor  # int32 [D]
    scores: tf.Tensor  # float32 [D]


def detecting(trained: TrainedDetector, *, direct: bool = False) -> Detecting:
    """The function of `SIGNATURE` to the outputs below; L is TEST.MAX_PER_IMAGE.

    `image` is in R, G, B order, of any size. Boxes are x1 y1 x2 y2 in its pixels, no +1.

    count int32 []: how many rows hold a detection, best first; the others are zeros. boxes float32 [L, 4];
    classes int32 [L], from 1: class k is `vocabulary.objects[k - 1]`; scores float32 [L], above
    TEST.SCORE_THRESHOLD; and where the detector has masks, masks float32 [L, 28, 28]: the probability of the
    mask in each cell of its box.

    Args:
        trained: the detector, folded, whose suppression runs inside the graph.
        direct: convolutions that a GPU or another runtime has kernels for, instead of Winograd's.
    """
    model, config = trained.model, trained.config
    limits = config.test.scales[0], config.test.max_size
    choose = _as_torchvision if has_exact_boxes(config) else _as_tf_faster_rcnn
    most = config.test.max_per_image

    def detect(image: tf.Tensor) -> dict[str, tf.Tensor]:
        blob, count = network_input(image[:, :, ::-1], *limits, config.pixel_means)
        size = tf.cast(count, tf.float32)[None]
        scale = tf.cast(network_scale(tf.shape(image)[:2], *limits), tf.float32)
        with products.native() if direct else contextlib.nullcontext():
            images = tf.cast(blob[None], config.test.precision)
            first = model(images, size, testing_proposals(config))
            regions = model.classify(first, packed(first.proposals))
            edges = last_edges(image)
            found = choose(first, regions, edges, scale, config)
            cut = found._replace(boxes=tf.minimum(found.boxes, edges))  # as `TrainedDetector.detect` does
            outputs = {"count": tf.shape(found.scores)[0], **cut._asdict()}
            if model.mask_head is not None:
                outputs["masks"] = _masks(trained, first, found._replace(boxes=found.boxes * scale))
        padded = {
            name: _padded(value, most) if value.shape.rank else value for name, value in outputs.items()
        }
        # A name of its own for each output, whatever operation it comes from.
        return {name: tf.identity(value, name=name) for name, value in padded.items()}

    return detect


def _as_torchvision(
    first: FirstStage, regions: RegionOutputs, edges: tf.Tensor, scale: tf.Tensor, config: Config
) -> Found:
    test = config.test
    found = detections(
        *(first, regions),
        threshold=test.score_threshold,
        iou=test.nms,
        limit=test.max_per_image,
        coder=region_coder(config),
    )
    return Found(found.boxes[0] / scale, found.classes[0], found.scores[0])


def _as_tf_faster_rcnn(
    first: FirstStage, regions: RegionOutputs, edges: tf.Tensor, scale: tf.Tensor, config: Config
) -> Found:
    """`predictions.boxes_in_image` and `predictions.image_detections`, with TensorFlow's suppression."""
    test = config.test
    proposals = tf.boolean_mask(first.proposals.boxes[0], first.proposals.valid[0]) / scale
    boxes = decode_classes(region_coder(config), proposals, regions.box_deltas)
    boxes = tf.concat([tf.maximum(boxes[..., :2], 0.0), tf.minimum(boxes[..., 2:], edges[2:] - 1.0)], -1)
    scores = tf.transpose(tf.nn.softmax(regions.class_logits))[1:]  # class after class, no background
    boxes = tf.transpose(boxes, [1, 0, 2])[1:]
    places = tf.where(scores > test.score_threshold)
    box, score = tf.gather_nd(boxes, places), tf.gather_nd(scores, places)
    classes = tf.cast(places[:, 0], tf.int32) + 1
    # Widths count both edges. A box that the image's border has turned inside out meets no other one.
    outer = tf.concat([box[:, :2], box[:, 2:] + 1.0], -1)
    outer *= tf.cast(tf.reduce_all(outer[:, 2:] > outer[:, :2], -1, keepdims=True), tf.float32)
    # The original drops a box from this overlap on, TensorFlow above it.
    below = float(np.nextafter(np.float32(test.nms), np.float32(0)))
    kept = suppress_in_groups(outer, score, classes, below, test.max_per_image)
    return Found(tf.gather(box, kept), tf.gather(classes, kept), tf.gather(score, kept))


def _masks(trained: TrainedDetector, first: FirstStage, found: Found) -> tf.Tensor:
    """The masks of detections in pixels of the network's input: float32 [D, 28, 28].

    One box more is looked at, whose mask is cut off: some runtimes can do nothing with no boxes.
    """
    boxes = tf.concat([found.boxes, [[0.0, 0.0, 1.0, 1.0]]], 0)
    classes = tf.concat([found.classes, [1]], 0)
    logits = trained.model.mask_logits(first, Regions(boxes, tf.zeros_like(classes)))
    return class_masks(logits, classes)[:-1]


def _padded(values: tf.Tensor, rows: int) -> tf.Tensor:
    """[D, ...] -> [rows, ...], zeros behind."""
    rest = rows - tf.shape(values)[0]
    padded = tf.pad(values, [[0, rest], *[[0, 0]] * (values.shape.rank - 1)])
    return tf.ensure_shape(padded, [rows, *values.shape[1:]])
