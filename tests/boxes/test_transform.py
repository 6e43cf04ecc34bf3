"""Encode, decode, clip and union boxes: the release's values, round trips, and the NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.transform import BoxCoder, union_boxes
from dsg.boxes.transform_np import BoxCoderNp, union_boxes_np
from tests.golden import golden

CODER, TWIN = BoxCoder(), BoxCoderNp()
EXACT, EXACT_TWIN = BoxCoder(exact=True), BoxCoderNp(exact=True)


def random_boxes(rng, *shape, side=500.0):
    low = rng.uniform(0, side, (*shape, 2))
    return np.concatenate([low, low + rng.uniform(0, side / 2, (*shape, 2))], axis=-1).astype(np.float32)


def assert_close(found, expected, tolerance=1e-6):
    """Largest error relative to the reference's largest value, as the golden files' tolerances are meant."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("function", [CODER.encode, TWIN.encode])
def test_encode_golden(function):
    layers = golden("layers")
    found = function(layers["bbox_transform/ex"], layers["bbox_transform/gt"])
    assert_close(found, layers["bbox_transform/out"])


@pytest.mark.parametrize(("function", "key"), [(CODER.decode, "out_tf"), (TWIN.decode, "out_np")])
def test_decode_golden(function, key):
    layers = golden("layers")
    found = function(layers["bbox_transform_inv/boxes"], layers["bbox_transform_inv/deltas"])
    assert_close(found, layers[f"bbox_transform_inv/{key}"])


@pytest.mark.parametrize("function", [CODER.decode, TWIN.decode])
def test_decode_nothing(function):
    empty = golden("layers")["bbox_transform_inv/empty"]
    assert function(empty, np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize(("function", "key"), [(CODER.clip, "out_tf"), (TWIN.clip, "out_np")])
def test_clip_golden(function, key):
    layers = golden("layers")
    found = function(layers["clip_boxes/in"], layers["clip_boxes/im_info"][:2])
    np.testing.assert_array_equal(found, layers[f"clip_boxes/{key}"])


@pytest.mark.parametrize("function", [union_boxes, union_boxes_np])
def test_union_golden(function):
    layers = golden("layers")
    found = function(layers["crop/rois"][:, 1:])
    np.testing.assert_array_equal(found, layers["union_box/out_x1y1x2y2"])


@pytest.mark.parametrize("seed", range(5))
def test_round_trip(seed):
    rng = np.random.default_rng(seed)
    boxes, targets = random_boxes(rng, 3, 40), random_boxes(rng, 3, 40)
    decoded = CODER.decode(boxes, CODER.encode(boxes, targets)).numpy()
    # Decoding leaves out the -1 of inclusive widths: corners come back at x1, y1, x2 + 1, y2 + 1.
    np.testing.assert_allclose(decoded, targets + np.float32([0, 0, 1, 1]), atol=2e-3)
    np.testing.assert_allclose(EXACT.decode(boxes, CODER.encode(boxes, targets)), targets, atol=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_twins_agree_for_any_leading_dimensions(seed):
    rng = np.random.default_rng(seed)
    for shape in [(7,), (2, 7), (2, 3, 7)]:
        boxes, targets = random_boxes(rng, *shape), random_boxes(rng, *shape)
        deltas = rng.normal(0, 0.5, (*shape, 4)).astype(np.float32)
        size = rng.integers(100, 400, (*shape[:-1], 2)).astype(np.float32)
        np.testing.assert_allclose(
            CODER.encode(boxes, targets), TWIN.encode(boxes, targets), rtol=2e-6, atol=2e-6
        )
        for coder, twin in ((CODER, TWIN), (EXACT, EXACT_TWIN)):
            decoded = coder.decode(boxes, deltas)
            np.testing.assert_allclose(decoded, twin.decode(boxes, deltas), rtol=2e-6, atol=2e-3)
            np.testing.assert_array_equal(coder.clip(boxes, size), twin.clip(boxes, size))
        np.testing.assert_array_equal(union_boxes(boxes), union_boxes_np(boxes))


def test_clip_uses_each_image_own_size():
    boxes = np.float32([[[-5, -5, 900, 900]], [[-5, -5, 900, 900]]])
    found = CODER.clip(boxes, tf.constant([[10, 20], [30, 40]])).numpy()
    np.testing.assert_array_equal(found, [[[0, 0, 19, 9]], [[0, 0, 39, 29]]])
    exact = EXACT.clip(boxes, tf.constant([[10, 20], [30, 40]])).numpy()
    np.testing.assert_array_equal(exact, [[[0, 0, 20, 10]], [[0, 0, 40, 30]]])


@pytest.mark.parametrize("kind", [BoxCoder, BoxCoderNp])
def test_conventions_of_other_detectors(kind):
    """Widths without +1, deltas over deviations, growth limited: torchvision's."""
    coder = kind(inclusive=False, log_limit=float(np.log(1000 / 16)), stds=(0.1, 0.1, 0.2, 0.2))
    boxes, targets = np.float32([[10, 20, 30, 60]]), np.float32([[12, 24, 52, 64]])
    deltas = coder.encode(boxes, targets)
    np.testing.assert_allclose(deltas, [[6, 1, 5 * np.log(2), 0]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(coder.decode(boxes, deltas), targets, rtol=1e-6)
    huge = np.asarray(coder.decode(boxes, np.float32([[0, 0, 1000, 0]])))
    np.testing.assert_allclose(huge, [[20 - 625, 20, 20 + 625, 60]], rtol=1e-5)
    np.testing.assert_array_equal(coder.clip(huge, np.float32([50, 200])), [[0, 20, 200, 50]])


def test_identity():
    boxes = random_boxes(np.random.default_rng(0), 9)
    np.testing.assert_array_equal(CODER.encode(boxes, boxes), np.zeros((9, 4)))


@pytest.mark.parametrize("function", [CODER.decode, TWIN.decode])
def test_huge_deltas_stay_finite_and_cover_the_image(function):
    boxes = np.float32([[10, 10, 50, 60], [0, 0, 0, 0]])
    deltas = np.float32([[0, 0, 1000, 1000], [0, 0, 89, 89]])
    decoded = np.asarray(function(boxes, deltas))
    assert np.isfinite(decoded).all()
    np.testing.assert_array_equal(
        TWIN.clip(decoded, [100, 200]), np.tile(np.float32([0, 0, 199, 99]), (2, 1))
    )


@pytest.mark.parametrize("seed", range(3))
def test_union_contains_both_and_permutes(seed):
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, 6)
    union = union_boxes(boxes).numpy()
    np.testing.assert_array_equal(union, union.transpose(1, 0, 2))
    np.testing.assert_array_equal(np.diagonal(union).T, boxes)
    assert (union[..., :2] <= boxes[:, None, :2]).all() and (union[..., 2:] >= boxes[:, None, 2:]).all()
    order = rng.permutation(6)
    np.testing.assert_array_equal(union_boxes(boxes[order]), union[order][:, order])
