"""From scores and boxes to detections, by hand."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.detector.model import best_proposals
from dsg.models.detector.outputs import FirstStage, RegionOutputs
from dsg.models.detector.predictions import boxes_in_image, class_masks, detections, image_detections
from dsg.nets.outputs import Proposals, RpnOutputs


def stage(boxes: list, valid: list) -> FirstStage:
    proposals = Proposals(tf.constant(boxes, tf.float32), tf.zeros([0]), tf.constant(valid), tf.zeros([0]))
    return FirstStage(tf.constant([[100.0, 100.0]] * len(boxes)), [], None, proposals)


def regions(scores: list) -> RegionOutputs:
    logits = tf.math.log(tf.constant(scores, tf.float32))
    return RegionOutputs(tf.zeros([0]), tf.zeros([0]), logits, tf.zeros([len(scores), 4 * len(scores[0])]))


def test_detections_are_suppressed_class_by_class_and_image_by_image() -> None:
    box, near, far = [10, 10, 30, 30], [11, 10, 31, 30], [60, 60, 120, 80]
    first = stage([[box, near, far], [box, [0, 0, 0, 0], [0, 0, 0, 0]]], [[True] * 3, [True, False, False]])
    outputs = regions([[0.1, 0.6, 0.3], [0.0999, 0.5, 0.4001], [0.2, 0.799, 0.001], [0.5, 0.25, 0.25]])
    found = detections(first, outputs, threshold=0.26)
    assert found.valid.numpy().tolist() == [[True] * 3, [False] * 3]
    assert found.classes[0].numpy().tolist() == [1, 1, 2]
    assert found.proposals[0].numpy().tolist() == [2, 0, 1]
    assert np.allclose(found.scores[0], [0.799, 0.6, 0.4001], atol=1e-4)
    assert np.allclose(found.boxes[0, 0], [60, 60, 100, 80])  # cut to the image
    assert detections(first, outputs, threshold=0.26, limit=2).boxes.shape[1] == 2


def test_no_detection_at_all() -> None:
    found = detections(stage([[[0, 0, 9, 9]]], [[True]]), regions([[0.9, 0.1]]), threshold=0.5)
    assert found.boxes.shape == (1, 0, 4)


def test_a_mask_is_that_of_its_class() -> None:
    logits = np.zeros((2, 3, 3, 4), np.float32)
    logits[0, :, :, 2], logits[1, 0, 0, 3] = 100, -100
    masks = class_masks(tf.constant(logits), tf.constant([2, 3])).numpy()
    assert masks[0].min() > 0.99 and masks[1, 0, 0] < 0.01 and masks[1, 1, 1] == 0.5


def test_classic_boxes_are_cut_on_their_own_side_only() -> None:
    deltas = np.zeros((1, 8), np.float32)
    deltas[0, 4] = 100.0  # ten widths to the right
    boxes = boxes_in_image(np.array([[20, 20, 59, 59]], np.float32), deltas, 2.0, 50, 40)
    assert np.allclose(boxes[0, 0], [10, 10, 30.5, 30.5])
    assert np.allclose(boxes[0, 1], [215, 10, 39, 30.5])  # outside and inverted, as there


def test_classic_detections_keep_ties_at_the_limit() -> None:
    boxes = np.array([[[0, 0, 0, 0], [20.0 * n, 0, 20 * n + 9, 9]] for n in range(4)], np.float32)
    scores = np.array([[0, 0.9], [0, 0.5], [0, 0.5], [0, 0.1]], np.float32)
    found = image_detections(boxes, scores, limit=2)
    assert found.proposals.tolist() == [0, 1, 2] and found.classes.tolist() == [1, 1, 1]
    assert len(image_detections(boxes, scores, limit=0).scores) == 4
    assert len(image_detections(boxes, scores, threshold=0.5).scores) == 1


def test_the_best_proposals_without_suppression() -> None:
    boxes = tf.reshape(tf.range(12.0), [1, 3, 4])
    nothing = tf.zeros([0])
    rpn = RpnOutputs(nothing, nothing, nothing, nothing, boxes, tf.constant([[0.2, 0.9, -1.0]]))
    best = best_proposals(rpn, 4)
    assert best.indices.numpy().tolist() == [[1, 0, 2, 1]]
    assert best.valid.numpy().tolist() == [[True, True, False, True]]
