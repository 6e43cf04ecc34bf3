"""RoIAlign, its gradient, and that of a pyramid."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.pyramid_roi import box_levels, pyramid_roi_align, pyramid_scales
from dsg.nets.roi_align import adaptive_roi_align, dense_roi_align, roi_align
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


def channels_last(x: np.ndarray) -> tf.Tensor:
    return tf.constant(x.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("case", range(10))
def test_crops_and_their_gradient(case: int) -> None:
    key = f"roi_align/{case}"
    rois, (rows, columns) = UNITS["roi_align/rois"], UNITS[f"{key}/output_size"].tolist()
    points, aligned = int(UNITS[f"{key}/sampling_ratio"]), bool(UNITS[f"{key}/aligned"])
    scale = float(UNITS[f"{key}/spatial_scale"])
    boxes, image = tf.constant(rois[:, 1:]), tf.constant(rois[:, 0].astype(np.int32))
    features = channels_last(UNITS["roi_align/x"])
    with tf.GradientTape() as tape:
        tape.watch(features)
        if points > 0 and rows == columns:
            crops = roi_align(features, boxes, image, rows, scale, points=points, aligned=aligned)
        else:
            crops = dense_roi_align(
                features, boxes, image, (rows, columns), scale, points=max(points, 0), aligned=aligned
            )
    y = UNITS[f"{key}/y"]
    assert error(crops, y.transpose(0, 2, 3, 1)) < 1e-5
    upstream = np.random.Generator(np.random.PCG64(int(UNITS[f"{key}/dy_seed"]))).standard_normal(y.shape)
    gradient = tape.gradient(crops, features, channels_last(upstream.astype(np.float32)))
    assert error(gradient, UNITS[f"{key}/dx"].transpose(0, 2, 3, 1)) < 1e-5


def oracle(features: np.ndarray, box: np.ndarray, size: int, points: int) -> np.ndarray:
    """RoIAlign by its definition, one box on one map, scale 1, not aligned."""
    height, width = features.shape[:2]

    def value(y: float, x: float) -> np.ndarray:
        if not (-1 <= y <= height and -1 <= x <= width):
            return np.zeros(features.shape[2])
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        t, left = int(y), int(x)
        b, r = min(t + 1, height - 1), min(left + 1, width - 1)
        v, u = y - t, x - left
        top = features[t, left] * (1 - u) + features[t, r] * u
        return top * (1 - v) + (features[b, left] * (1 - u) + features[b, r] * u) * v

    sides = np.maximum(box[2:] - box[:2], 1)
    step = sides / size / points
    crop = np.zeros((size, size, features.shape[2]))
    for i in range(size * points):
        for j in range(size * points):
            y, x = box[1] + (i + 0.5) * step[1], box[0] + (j + 0.5) * step[0]
            crop[i // points, j // points] += value(y, x) / points**2
    return crop


def test_crops_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((1, 9, 12, 3)).astype(np.float32)
    boxes = np.array([[1.2, 0.7, 9.1, 8.3], [-3, -2, 2, 4], [10, 7, 14.1, 12], [4, 4, 4, 4]], np.float32)
    crops = roi_align(features, boxes, tf.zeros(4, tf.int32), 5, 1.0, points=3)
    for crop, box in zip(crops.numpy(), boxes):
        assert np.allclose(crop, oracle(features[0], box, 5, 3), atol=1e-5)


def test_half_precision_keeps_its_type_and_no_boxes_give_no_crops() -> None:
    features = tf.zeros([1, 8, 8, 4], tf.bfloat16)
    crops = roi_align(features, tf.zeros([0, 4]), tf.zeros([0], tf.int32), 7, 0.25)
    assert crops.dtype == tf.bfloat16 and crops.shape == (0, 7, 7, 4)


def test_levels_and_crops_of_a_pyramid() -> None:
    boxes = np.concatenate([UNITS["ms_roi_align/boxes0"], UNITS["ms_roi_align/boxes1"]])
    image = tf.constant([0] * len(UNITS["ms_roi_align/boxes0"]) + [1] * len(UNITS["ms_roi_align/boxes1"]))
    maps = [channels_last(UNITS[f"ms_roi_align/p{level}"]) for level in range(2, 6)]
    tallest = int(UNITS["ms_roi_align/image_shapes"][:, 0].max())
    scales = pyramid_scales([m.shape[1] for m in maps], tallest)
    assert np.array_equal(scales, UNITS["ms_roi_align/scales"])
    assert np.array_equal(box_levels(boxes, scales), UNITS["ms_roi_align/levels"])
    crops = pyramid_roi_align(maps, boxes, image, 7, scales)
    assert error(crops, UNITS["ms_roi_align/y7"].transpose(0, 2, 3, 1)) < 1e-5
    crops = pyramid_roi_align(maps, boxes, image, 14, scales).numpy().transpose(0, 3, 1, 2)
    step = UNITS["ms_roi_align/y14.sub_steps"]
    assert error(crops[:: step[0]], UNITS["ms_roi_align/y14.sub"]) < 1e-5
    assert np.allclose(crops.mean((1, 2, 3)), UNITS["ms_roi_align/y14.row_mean"], atol=1e-5)


def test_scales_of_small_images() -> None:
    for height, width, *rest in UNITS["ms_roi_align/inferred"]:
        padded = -(-int(height) // 32) * 32
        scales = pyramid_scales([padded // stride for stride in (4, 8, 16, 32)], int(height))
        assert np.allclose(scales, rest[:4]), (height, width)
        levels = box_levels(tf.constant([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1e6, 1e6]]), scales)
        assert levels.numpy().tolist() == [0, int(rest[5] - rest[4])]


def test_adaptive_samples_are_one_for_each_cell_and_so_is_their_gradient() -> None:
    """Against two products of matrices a box, in a traced function."""
    rng = np.random.default_rng(3)
    features = tf.constant(rng.normal(size=(2, 12, 15, 3)), tf.float32)
    boxes = tf.constant([[0, 0, 90, 20], [30, 10, 118, 95], [5, 5, 9, 60], [-10, 40, 60, 110]], tf.float32)
    image = tf.constant([0, 1, 1, 0])
    upstream = tf.constant(rng.normal(size=(4, 4, 4, 3)), tf.float32)

    def gradient(crop) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(features)
            crops = crop()
            loss = tf.reduce_sum(crops * upstream)
        return crops, tape.gradient(loss, features)

    def grouped() -> tf.Tensor:
        return adaptive_roi_align(features, boxes, image, 4, 1 / 8)

    def dense() -> tf.Tensor:
        return dense_roi_align(features, boxes, image, (4, 4), 1 / 8, aligned=True)

    for got, expected in zip(tf.function(lambda: gradient(grouped))(), gradient(dense)):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_no_shape_is_turned_around_by_a_negative_stride() -> None:
    """TensorFlow's graph optimizer fails on that, says so for every function, and leaves it as it is."""
    signature = [
        tf.TensorSpec([None, None, None, 3]),
        tf.TensorSpec([None, 4]),
        tf.TensorSpec([None], tf.int32),
    ]
    crop = tf.function(lambda *inputs: adaptive_roi_align(*inputs, 5, 0.5), input_signature=signature)
    slices = [op for op in crop.get_concrete_function().graph.get_operations() if op.type == "StridedSlice"]
    strides = [tf.get_static_value(op.inputs[3]) for op in slices if op.inputs[0].shape.rank == 1]
    assert strides and all((stride > 0).all() for stride in strides)
