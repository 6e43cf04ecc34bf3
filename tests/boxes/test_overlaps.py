"""Overlaps: golden values and a naive oracle for the compiled, NumPy and TensorFlow versions."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.boxes import compiled
from dsg.boxes.overlaps import overlaps, overlaps_np
from dsg.boxes.overlaps_tf import overlaps_tf
from dsg.boxes.selfcheck import random_boxes
from tests.golden import golden

VERSIONS = [overlaps, overlaps_np, overlaps_tf]


def naive(boxes, query):
    """One pair at a time, in Python floats."""
    out = np.zeros((len(boxes), len(query)))
    for n, (ax1, ay1, ax2, ay2) in enumerate(boxes.astype(float)):
        for k, (bx1, by1, bx2, by2) in enumerate(query.astype(float)):
            width = min(ax2, bx2) - max(ax1, bx1) + 1
            height = min(ay2, by2) - max(ay1, by1) + 1
            if width > 0 and height > 0:
                area = (ax2 - ax1 + 1) * (ay2 - ay1 + 1) + (bx2 - bx1 + 1) * (by2 - by1 + 1)
                out[n, k] = width * height / (area - width * height)
    return out


def test_the_compiled_version_is_under_test():
    assert compiled.kernel("_overlaps") is not None, "build it: make"


@pytest.mark.parametrize("version", VERSIONS)
def test_golden(version):
    layers = golden("layers")
    found = np.asarray(version(layers["bbox_overlaps/boxes"], layers["bbox_overlaps/query"]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, layers["bbox_overlaps/out"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("version", [overlaps, overlaps_np])
def test_golden_in_double_precision_is_exact(version):
    layers = golden("layers")
    found = version(layers["bbox_overlaps/boxes"], layers["bbox_overlaps/query"], np.float64)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, layers["bbox_overlaps/out"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sizes", [(1, 1), (5, 3), (40, 8), (33, 31), (3, 100)])
def test_naive_oracle_with_degenerate_boxes(version, sizes):
    rng = np.random.default_rng(sum(sizes))
    boxes, query = random_boxes(rng, sizes[0]), random_boxes(rng, sizes[1])
    np.testing.assert_allclose(version(boxes, query), naive(boxes, query), rtol=0, atol=2e-6)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sizes", [(0, 0), (0, 3), (3, 0)])
def test_empty(version, sizes):
    found = version(np.zeros((sizes[0], 4), np.float32), np.zeros((sizes[1], 4), np.float32))
    assert tuple(found.shape) == sizes


@pytest.mark.parametrize("seed", range(4))
def test_symmetric_and_permuted(seed):
    rng = np.random.default_rng(seed)
    boxes, query = random_boxes(rng, 20), random_boxes(rng, 11)
    found = overlaps(boxes, query)
    np.testing.assert_allclose(overlaps(query, boxes), found.T, atol=1e-6)
    rows, columns = rng.permutation(20), rng.permutation(11)
    np.testing.assert_array_equal(overlaps(boxes[rows], query[columns]), found[rows][:, columns])
    assert ((found >= 0) & (found <= 1)).all()


def test_plus_one_convention():
    pixel = np.float32([[0, 0, 0, 0]])  # one pixel has area 1
    np.testing.assert_array_equal(overlaps(pixel, pixel), [[1]])
    np.testing.assert_array_equal(overlaps(pixel, np.float32([[1, 0, 1, 0]])), [[0]])
    np.testing.assert_allclose(
        overlaps(np.float32([[0, 0, 9, 9]]), np.float32([[5, 0, 14, 9]])), [[50 / 150]], rtol=1e-6
    )


def test_batched_tensorflow_twin():
    rng = np.random.default_rng(1)
    boxes = np.stack([random_boxes(rng, 6), random_boxes(rng, 6)])
    query = np.stack([random_boxes(rng, 4), random_boxes(rng, 4)])
    found = overlaps_tf(boxes, query).numpy()
    for image in range(2):
        np.testing.assert_allclose(found[image], overlaps(boxes[image], query[image]), atol=1e-6)


def test_other_layouts_are_read_too():
    rng = np.random.default_rng(2)
    boxes, query = random_boxes(rng, 10), random_boxes(rng, 4)
    expected = overlaps(boxes, query)
    np.testing.assert_array_equal(overlaps(np.asfortranarray(boxes), query.astype(np.float64)), expected)
    np.testing.assert_array_equal(overlaps(np.repeat(boxes, 2, axis=0)[::2], query), expected)
    frozen = boxes.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(overlaps(frozen, query), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.dtype("<f4"), np.dtype("float64"), float])
def test_the_type_may_be_named_in_every_way(dtype):
    rng = np.random.default_rng(3)
    boxes, query = random_boxes(rng, 9), random_boxes(rng, 4)
    found = overlaps(boxes, query, dtype)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, overlaps_np(boxes, query, dtype), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_of_every_length_are_those_of_numpy_to_the_bit(count, dtype):
    rng = np.random.default_rng(count)
    boxes, query = random_boxes(rng, count), random_boxes(rng, 13)
    np.testing.assert_array_equal(overlaps(boxes, query, dtype), overlaps_np(boxes, query, dtype))


def test_what_is_not_plain_float32_is_converted():
    rng = np.random.default_rng(4)
    boxes, query = np.round(random_boxes(rng, 10)), np.round(random_boxes(rng, 4))
    expected = overlaps(boxes, query)
    for other in (
        boxes.tolist(),
        boxes.astype(np.int16),
        boxes.astype(">f4"),
        np.repeat(boxes, 2, 1)[:, ::2],
    ):
        np.testing.assert_array_equal(overlaps(other, query), expected)
    np.testing.assert_array_equal(overlaps(boxes[3:4], query[::-1]), expected[3:4, ::-1])
    moved = np.frombuffer(b"x" + boxes.tobytes(), np.float32, 40, 1).reshape(10, 4)
    assert not moved.flags.aligned
    np.testing.assert_array_equal(overlaps(moved, query), expected)
    packed = np.zeros(10, [("box", np.float32, 4), ("score", np.float32)])
    packed["box"] = boxes
    np.testing.assert_array_equal(overlaps(packed["box"], query), expected)


@pytest.mark.parametrize("version", [overlaps, overlaps_np])
def test_wrong_arguments(version):
    with pytest.raises(ValueError, match=r"query must be \[\*, 4\], not \[3, 5\]"):
        version(np.zeros((2, 4)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"boxes must be \[\*, 4\], not \[4\]"):
        version(np.zeros(4, np.float32), np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match="int32"):
        version(np.zeros((2, 4)), np.zeros((3, 4)), np.int32)
