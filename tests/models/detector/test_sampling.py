"""What the detectors are trained on, beyond the golden cases: few boxes, no objects, repeats."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.boxes.transform_np import BoxCoderNp
from dsg.models.detector.sampling import sample_regions as sample_classic
from dsg.models.detector.targets import SamplingSettings, Truth, sample_anchors, sample_regions

SETTINGS = SamplingSettings(anchors=8, regions=6)
ANCHORS = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [30, 30, 34, 34]], np.float32)
NOTHING = Truth(tf.zeros([0, 4]), tf.zeros([0], tf.int32))


def truth(*boxes: list[float]) -> Truth:
    return Truth(tf.constant(boxes, tf.float32), tf.range(3, 3 + len(boxes)))


def test_anchors_of_an_image_without_objects_are_background() -> None:
    sample = sample_anchors(tf.constant(ANCHORS), NOTHING, SETTINGS)
    assert sample.labels.numpy().tolist() == [0, 0, 0, 0]
    assert len(sample.sample.positive) == 0 and sample.deltas.shape == (0, 4)


def test_the_best_anchor_of_an_object_is_positive_at_any_overlap() -> None:
    sample = sample_anchors(tf.constant(ANCHORS), truth([28, 28, 40, 40], [0, 0, 10, 10]), SETTINGS)
    assert sample.labels.numpy().tolist() == [1, 1, 0, 1]
    assert sample.matches.numpy().tolist() == [1, 1, -1, 0]
    assert np.allclose(sample.deltas[0], 0, atol=1e-6)  # the anchor that is the object


def test_the_ground_truth_is_among_the_regions() -> None:
    objects = truth([0, 0, 10, 10], [50, 50, 70, 70])
    sample = sample_regions(tf.constant(ANCHORS[2:]), objects, SETTINGS, tf.range)
    # a quarter of six at most are objects: the first by the order of draws
    assert sample.rows.numpy().tolist() == [0, 1, 2] and sample.labels.numpy().tolist() == [0, 0, 3]
    assert np.allclose(sample.deltas[2], 0, atol=1e-6)


def test_regions_of_an_image_without_objects() -> None:
    sample = sample_regions(tf.constant(ANCHORS), NOTHING, SETTINGS)
    assert len(sample.rows) == 4 and not sample.labels.numpy().any() and not sample.deltas.numpy().any()


GT, CLASSES = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32), np.array([4, 9])


def test_classic_regions_are_always_as_many_as_asked_for() -> None:
    sampled = sample_classic(ANCHORS, GT, CLASSES, count=40, rng=np.random.RandomState(0))
    assert len(sampled.rows) == 40
    # three of four are objects, of which no more than there are, without repeats
    assert sorted(sampled.rows[:3].tolist()) == [0, 1, 2] and set(sampled.rows[3:]) == {3}
    assert set(sampled.labels[:3]) == {4, 9} and not sampled.labels[3:].any() and not sampled.deltas[3:].any()


def test_classic_regions_of_objects_or_background_alone() -> None:
    rng = np.random.RandomState(0)
    objects = sample_classic(ANCHORS[:3], GT, CLASSES, count=10, rng=rng)
    assert objects.labels.all() and len(set(objects.rows)) <= 3
    nothing = sample_classic(ANCHORS, np.zeros((0, 4), np.float32), np.zeros(0), count=10, rng=rng)
    assert not nothing.labels.any() and len(nothing.rows) == 10
    between = sample_classic(ANCHORS[3:], GT, CLASSES, count=10, bg_thresholds=(0.1, 0.5), rng=rng)
    assert not between.labels.any() and set(between.rows) == {0}


def test_classic_regions_know_their_objects() -> None:
    sampled = sample_classic(ANCHORS, GT, CLASSES, count=8, fg_fraction=0.5, rng=np.random.RandomState(1))
    objects = sampled.labels > 0
    assert (CLASSES[sampled.matches[objects]] == sampled.labels[objects]).all() and objects.sum() == 3
    assert not sampled.matches[~objects].any()


def test_classic_deltas_are_divided_by_the_deviations() -> None:
    shifted = np.array([[1, 0, 11, 10]], np.float32)
    sampled = sample_classic(shifted, GT, CLASSES, count=1, fg_fraction=1.0, rng=np.random.RandomState(0))
    assert np.allclose(sampled.deltas, [[-1 / 11 / 0.1, 0, 0, 0]])


def test_overlaps_are_those_of_the_coder() -> None:
    half = np.array([[0, 0, 5, 10], [50, 50, 60, 60]], np.float32)  # 0.5 of the first; 0.545 by last pixels
    expected = {True: 66 / 121, False: 0.5}
    for inclusive, overlap in expected.items():
        coder = BoxCoderNp(inclusive=inclusive)
        sampled = sample_classic(half, GT, CLASSES, count=2, coder=coder, rng=np.random.RandomState(0))
        assert np.allclose(sampled.overlaps, [overlap, 1])
