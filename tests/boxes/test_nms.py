"""NMS: golden values, a naive oracle, and the versions compared where their conventions agree."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes import compiled
from dsg.boxes.nms import float32_at_least, nms, nms_np
from dsg.boxes.selfcheck import random_boxes
from tests.boxes.test_overlaps import naive
from tests.golden import golden

VERSIONS = [nms, nms_np]


def tf_nms(dets, threshold, max_output):
    return tf.image.non_max_suppression(dets[:, [1, 0, 3, 2]], dets[:, 4], max_output, threshold).numpy()


def random_dets(rng, count, side=100.0):
    return np.column_stack([random_boxes(rng, count, side), rng.permutation(count)]).astype(np.float32)


def oracle(dets, threshold):
    """Suppression as the textbook says it: strike out what the best remaining box overlaps."""
    overlap = naive(dets[:, :4], dets[:, :4])
    kept, alive = [], np.ones(len(dets), bool)
    for best in np.argsort(-dets[:, 4], kind="stable"):
        if alive[best]:
            kept.append(best)
            alive &= overlap[best] < threshold
    return kept


def test_the_compiled_version_is_under_test():
    assert compiled.kernel("_nms") is not None, "build it: make"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", range(3))
def test_golden(version, case):
    layers = golden("layers")
    key = f"cpu_nms/{case}"
    order = layers.get(f"{key}/order")
    found = version(layers[f"{key}/dets"], float(layers[f"{key}/thresh"]), order=order)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, layers[f"{key}/keep"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", range(2))
@pytest.mark.parametrize("max_output", [0, 1, 7, 32, 1000])
def test_golden_stopped_early(version, case, max_output):
    layers = golden("layers")
    key = f"cpu_nms/{case}"
    found = version(layers[f"{key}/dets"], float(layers[f"{key}/thresh"]), max_output)
    np.testing.assert_array_equal(found, layers[f"{key}/keep"][:max_output])


@pytest.mark.parametrize("case", range(2))
def test_tensorflow_golden(case):
    layers = golden("layers")
    found = tf_nms(layers[f"cpu_nms/{case}/dets"], float(layers[f"cpu_nms/{case}/thresh"]), 32)
    np.testing.assert_array_equal(found, layers[f"tf_nms/{case}/keep_max32"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_the_two_conventions_golden(version, threshold):
    layers = golden("layers")
    dets = layers["nms_plus_one/dets"]
    np.testing.assert_array_equal(version(dets, threshold), layers[f"nms_plus_one/cpu_keep_{threshold}"])
    np.testing.assert_array_equal(tf_nms(dets, threshold, 80), layers[f"nms_plus_one/tf_keep_{threshold}"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [1, 2, 9, 60, 150])
@pytest.mark.parametrize("threshold", [0.2, 0.45, 0.8])
def test_naive_oracle(version, count, threshold):
    dets = random_dets(np.random.default_rng(count), count)
    np.testing.assert_array_equal(version(dets, threshold), oracle(dets, threshold))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_tensorflow_where_boxes_are_large(seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 5000, (80, 2))
    dets = np.column_stack([low, low + rng.uniform(2000, 5000, (80, 2)), rng.permutation(80)]).astype(
        np.float32
    )
    np.testing.assert_array_equal(nms(dets, 0.5, 32), tf_nms(dets, 0.5, 32))


@pytest.mark.parametrize("seed", range(4))
def test_permuting_the_boxes_permutes_the_answer(seed):
    rng = np.random.default_rng(seed)
    dets = random_dets(rng, 70)
    order = rng.permutation(70)
    for max_output in (None, 5):
        np.testing.assert_array_equal(order[nms(dets[order], 0.4, max_output)], nms(dets, 0.4, max_output))


@pytest.mark.parametrize("seed", range(3))
def test_heap_and_sort_break_ties_alike(seed):
    rng = np.random.default_rng(seed)
    dets = np.column_stack([random_boxes(rng, 300), rng.integers(0, 4, 300)]).astype(np.float32)
    everything = nms(dets, 0.5)
    for max_output in (1, 10, len(everything), 300):
        np.testing.assert_array_equal(nms(dets, 0.5, max_output), everything[:max_output])


@pytest.mark.parametrize("version", VERSIONS)
def test_threshold_is_inclusive_and_compared_in_double_precision(version):
    dets = np.float32(
        [[0, 0, 9, 9, 2], [0, 0, 9, 6, 1]]
    )  # overlap 0.7; as float32 it is below the float64 0.7
    assert list(version(dets, 0.7)) == [0, 1]
    assert list(version(dets, float(np.float32(0.7)))) == [0]
    assert list(version(np.float32([[0, 0, 9, 9, 2], [0, 0, 9, 4, 1]]), 0.5)) == [0]
    assert float32_at_least(0.5) == 0.5 and float32_at_least(0.7) > 0.7


@pytest.mark.parametrize("version", VERSIONS)
def test_edges(version):
    assert version(np.zeros((0, 5)), 0.5).shape == (0,)
    assert version(np.zeros((0, 5)), 0.5, 32).dtype == np.int32
    same = np.tile(np.float32([5, 5, 20, 20, 1]), (50, 1))
    assert list(version(same, 0.5)) == [0]
    assert list(version(same, 1.1, 3)) == [0, 1, 2]
    nan = np.float32([[0, 0, 9, 9, np.nan], [50, 50, 60, 60, 0.1], [80, 80, 90, 90, 0.7]])
    assert list(version(nan, 0.5)) == [2, 1, 0] and list(version(nan, 0.5, 3)) == [2, 1, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_order_names_the_candidates(version):
    dets = random_dets(np.random.default_rng(0), 30)
    order = np.arange(10)[::-1]
    assert set(version(dets, 0.9, order=order)) <= set(order)
    assert version(dets, 0.9, 1, order=order)[0] == 9
    np.testing.assert_array_equal(order, np.arange(10)[::-1])


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_arguments(version):
    with pytest.raises(ValueError, match=r"dets must be \[\*, 5\], not \[3, 4\]"):
        version(np.zeros((3, 4)), 0.5)
    with pytest.raises(ValueError, match="outside the 3 boxes"):
        version(np.zeros((3, 5)), 0.5, order=np.array([0, 3]))
    with pytest.raises(ValueError, match="outside the 3 boxes"):
        version(np.zeros((3, 5)), 0.5, order=np.array([-1]))
    with pytest.raises(ValueError, match="outside the 3 boxes"):
        version(np.zeros((3, 5)), 0.5, order=np.array([0, np.nan]))


@pytest.mark.parametrize("version", VERSIONS)
def test_numbers_out_of_the_middle_of_a_file(version):
    """They begin between two addresses of numbers."""
    dets = random_dets(np.random.default_rng(5), 20).astype(np.float32)
    moved = np.frombuffer(b"x" + dets.tobytes(), np.float32, dets.size, 1).reshape(dets.shape)
    assert not moved.flags.aligned
    assert list(version(moved, 0.4)) == list(version(dets, 0.4))


def test_arguments_are_left_alone():
    dets = random_dets(np.random.default_rng(3), 40)
    order = np.argsort(-dets[:, 4]).astype(np.int32)
    before = dets.copy(), order.copy()
    nms(dets, 0.3, 5, order=order)
    nms(dets, 0.3, 5)
    np.testing.assert_array_equal(dets, before[0])
    np.testing.assert_array_equal(order, before[1])
