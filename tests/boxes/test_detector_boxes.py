"""Anchors, matches, samples, suppression and pasting of torchvision's detectors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.anchors import cell_anchors
from dsg.boxes.choice import large_enough, suppress, suppress_in_groups
from dsg.boxes.matching import BELOW, BETWEEN, draw, iou, match
from dsg.boxes.paste import expand, paste_masks
from dsg.boxes.pyramid_anchors import pyramid_anchors
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


def permutation(count: tf.Tensor) -> tf.Tensor:
    """The order that the golden samplers used."""
    order = tf.numpy_function(
        lambda n: np.random.RandomState(int(n)).permutation(int(n)).astype(np.int32), [count], tf.int32
    )
    order.set_shape([None])
    return order


@pytest.mark.parametrize("case", ["fpn/0", "fpn/1", "fpn/2", "fpn/3", "many/0", "mobilenet/0"])
def test_anchors(case: str) -> None:
    kind = case.split("/")[0]
    sizes, ratios = (json.loads(str(UNITS[f"anchors/{kind}/{what}"])) for what in ("sizes", "ratios"))
    for level, (side, ratio) in enumerate(zip(sizes, ratios)):
        assert np.array_equal(cell_anchors(side, ratio), UNITS[f"anchors/{kind}/cell{level}"])
    key = f"anchors/{case}"
    anchors = pyramid_anchors(UNITS[f"{key}/grids"].tolist(), UNITS[f"{key}/strides"].tolist(), sizes, ratios)
    if f"{key}/anchors" in UNITS:
        assert np.array_equal(anchors, UNITS[f"{key}/anchors"])
    else:
        assert tuple(anchors.shape) == tuple(UNITS[f"{key}/anchors.shape"])
        step = int(UNITS[f"{key}/anchors.sub_steps"][0])
        assert np.array_equal(anchors[::step], UNITS[f"{key}/anchors.sub"])
        assert np.isclose(np.mean(anchors, dtype=np.float64), UNITS[f"{key}/anchors.mean"], rtol=1e-7)


def test_anchors_of_a_batch_whose_size_is_known_when_it_runs() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def anchors(image: tf.Tensor) -> tf.Tensor:
        size = tf.shape(image)
        return pyramid_anchors([(size[1] // 8, size[2] // 8)], [(8, 8)], [[32]], [[1.0]])

    assert tuple(anchors(tf.zeros([1, 64, 96, 3])).shape) == (96, 4)


def test_overlaps() -> None:
    assert error(iou(UNITS["iou/a"], UNITS["iou/b"]), np.nan_to_num(UNITS["iou/iou"])) < 1e-6


@pytest.mark.parametrize(
    "case", ["plain", "rpn", "rpn_off", "lowq_ties", "lowq_zero_row", "thresholds_exact"]
)
def test_matches(case: str) -> None:
    high, low, keep_best = UNITS[f"matcher/{case}/settings"]
    matches = match(UNITS[f"matcher/{case}/quality"], float(high), float(low), bool(keep_best))
    assert np.array_equal(matches, UNITS[f"matcher/{case}/matches"])


def test_matches_by_hand() -> None:
    overlaps = tf.constant([[0.1, 0.6, 0.4, 0.0], [0.2, 0.6, 0.35, 0.0]])
    assert match(overlaps, 0.5, 0.3).numpy().tolist() == [BELOW, 0, BETWEEN, BELOW]
    assert match(overlaps, 0.7, 0.3, keep_best=True).numpy().tolist() == [BELOW, 0, BETWEEN, BELOW]


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_samples(case: str) -> None:
    count, share = UNITS[f"sampler/{case}/settings"]
    sample = draw(UNITS["sampler/labels"], int(count), round(float(share), 6), permutation)
    assert np.array_equal(sample.positive, UNITS[f"sampler/{case}/pos"])
    assert np.array_equal(sample.negative, UNITS[f"sampler/{case}/neg"])
    assert np.array_equal(sample.rows, np.sort([*sample.positive.numpy(), *sample.negative.numpy()]))


def test_a_random_sample_differs_and_keeps_its_numbers() -> None:
    labels = tf.constant([1] * 50 + [0] * 50 + [-1] * 50)
    one, two = (draw(labels, 40, 0.25) for _ in range(2))
    assert len(one.positive) == 10 and len(one.negative) == 30
    assert not np.array_equal(one.rows, two.rows) and tf.reduce_max(one.rows) < 100


@pytest.mark.parametrize("case", ["0", "1", "2", "3", "degenerate"])
def test_suppression(case: str) -> None:
    key = f"nms/{case}"
    kept = suppress(UNITS[f"{key}/boxes"], UNITS[f"{key}/scores"], float(UNITS[f"{key}/threshold"]))
    assert np.array_equal(kept, UNITS[f"{key}/keep"])


@pytest.mark.parametrize("case", [0, 1, 2])
def test_suppression_in_groups(case: int) -> None:
    key = f"batched_nms/{case}"
    kept = suppress_in_groups(
        *(UNITS[f"{key}/boxes"], UNITS[f"{key}/scores"], UNITS[f"{key}/idxs"]),
        float(UNITS[f"{key}/threshold"]),
    )
    assert np.array_equal(kept, UNITS[f"{key}/keep"])


def test_suppression_of_nothing() -> None:
    none = tf.zeros([0, 4]), tf.zeros([0]), tf.zeros([0], tf.int32)
    assert suppress(*none[:2], 0.5).shape == suppress_in_groups(*none, 0.5).shape == (0,)


def test_small_boxes() -> None:
    kept = np.flatnonzero(large_enough(UNITS["small/boxes"], float(UNITS["small/min_size"])))
    assert np.array_equal(kept, UNITS["small/keep"])


def test_pasted_masks() -> None:
    masks, boxes = UNITS["paste/masks"][:, 0], UNITS["paste/boxes"]
    height, width = UNITS["paste/size"]
    assert error(expand(boxes, 28), UNITS["paste/expanded"]) < 1e-6
    assert error(paste_masks(masks, boxes, height, width), UNITS["paste/pasted"][:, 0]) < 1e-5


def test_a_mask_pasted_outside_or_of_one_pixel() -> None:
    masks = np.full((3, 28, 28), 0.75, np.float32)
    boxes = np.array([[100, 100, 120, 120], [3.2, 4.2, 3.4, 4.4], [0, 0, 300, 300]], np.float32)
    pasted = paste_masks(masks, boxes, 40, 50)
    assert not pasted[0].any() and np.flatnonzero(pasted[1]).tolist() == [4 * 50 + 3]
    assert pasted[1].max() == 0.75 and pasted[2].min() > 0.1
