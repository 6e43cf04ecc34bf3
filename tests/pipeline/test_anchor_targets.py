"""Anchor targets: the release's arrays, draws included, and what the release never met."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dsg.boxes.anchors import anchor_grid
from dsg.boxes.transform_np import BoxCoderNp
from dsg.pipeline.anchor_targets import anchor_targets
from tests.golden import golden
from tests.shared import needs_shared, shared_path

SCALES, RATIOS = [4, 8, 16, 32], [0.5, 1, 2]
OPTIONS = {
    "RPN_BATCHSIZE": "batch_size",
    "RPN_CLOBBER_POSITIVES": "clobber_positives",
    "RPN_POSITIVE_WEIGHT": "positive_weight",
}


def on_grid(labels, anchors=12):
    """The release's labels [1, 1, A * H, W] as [H, W, A]."""
    return labels.reshape(anchors, -1, labels.shape[3]).transpose(1, 2, 0)


def targets(gt_boxes, size=(300, 400), grid=(19, 25), seed=0, **options):
    anchors = anchor_grid(*grid, 16, SCALES, RATIOS)
    return anchor_targets(anchors, gt_boxes, size, grid, rng=np.random.RandomState(seed), **options)


def assert_golden(found, labels, deltas, inside, outside):
    np.testing.assert_array_equal(found.labels, on_grid(labels))
    shape = (*found.labels.shape, 4)
    np.testing.assert_allclose(found.deltas, deltas.reshape(shape), rtol=0, atol=1e-6 * np.abs(deltas).max())
    np.testing.assert_array_equal(np.repeat(found.inside[..., None], 4, -1), inside.reshape(shape))
    np.testing.assert_allclose(np.repeat(found.outside[..., None], 4, -1), outside.reshape(shape), rtol=1e-6)


@pytest.mark.parametrize("case", ["a", "fgcap", "clobber", "posweight"])
def test_golden(case):
    layers = golden("layers")
    stored = {
        key: layers[f"anchor_target/{case}/{key}"]
        for key in ("gt_boxes", "labels", "bbox_targets", "inside", "outside")
    }
    overrides = json.loads(str(layers[f"anchor_target/{case}/overrides"]))
    found = targets(
        stored["gt_boxes"],
        tuple(layers["anchor_target/im_info"][:2]),
        tuple(layers["anchor_target/hw"]),
        int(layers[f"anchor_target/{case}/seed"]),
        **{OPTIONS[key]: value for key, value in overrides.items()},
    )
    assert (found.labels.dtype, found.deltas.dtype) == (np.int8, np.float32)
    assert_golden(found, stored["labels"], stored["bbox_targets"], stored["inside"], stored["outside"])


def _forward(forward):
    labels = forward["anchor_target/rpn_labels"]
    grid = (labels.shape[2] // 12, labels.shape[3])
    anchors = anchor_grid(*grid, 16, SCALES, RATIOS)
    np.random.seed(int(forward["input/np_random_seed"]))
    found = anchor_targets(
        anchors, forward["input/gt_boxes"], tuple(forward["input/im_info"][:2]), grid, rng=np.random
    )
    np.testing.assert_array_equal(found.labels, on_grid(labels))
    if "anchor_target/rpn_bbox_targets" in forward:
        rest = ("rpn_bbox_targets", "rpn_bbox_inside_weights", "rpn_bbox_outside_weights")
        assert_golden(found, labels, *(forward[f"anchor_target/{key}"] for key in rest))


@pytest.mark.parametrize("name", ["forward_res101_generated", "forward_res50_generated"])
def test_forward_golden(name):
    _forward(golden(name))


@needs_shared("reference")
@pytest.mark.parametrize("name", ["forward_res101_300", "forward_res101_600", "forward_res50_300"])
def test_forward_golden_of_photographs(name):
    path = shared_path("reference", f"{name}.npz")
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    with np.load(path, allow_pickle=False) as forward:
        _forward({key: forward[key] for key in forward.files if key.startswith(("input/", "anchor_target/"))})


GT = np.float32([[30, 40, 120, 150], [200, 100, 320, 250], [5, 5, 60, 60]])


def test_padding_of_the_batch_changes_nothing_and_is_ignored():
    alone = targets(GT, seed=5)
    padded = targets(GT, grid=(30, 40), seed=5)
    for field, value in zip(alone._fields, padded):
        np.testing.assert_array_equal(value[:19, :25], getattr(alone, field))
    outside = np.ones((30, 40), bool)
    outside[:19, :25] = False
    assert (padded.labels[outside] == -1).all()
    assert not padded.outside[outside].any() and not padded.deltas[outside].any()


@pytest.mark.parametrize("seed", range(3))
def test_counts_weights_and_decoding(seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 250, (6, 2))
    gt = np.column_stack([low, low + rng.uniform(20, 120, (6, 2))]).astype(np.float32)
    found = targets(gt, batch_size=64, positive_overlap=0.5, seed=seed)
    foreground, background = found.labels == 1, found.labels == 0
    assert 0 < foreground.sum() <= 32 and foreground.sum() + background.sum() == 64
    np.testing.assert_array_equal(found.inside, foreground)
    np.testing.assert_array_equal(found.outside > 0, foreground | background)
    np.testing.assert_allclose(found.outside.sum(), 1, rtol=1e-5)
    anchors = anchor_grid(19, 25, 16, SCALES, RATIOS).reshape(19, 25, 12, 4)
    decoded = BoxCoderNp().decode(anchors[foreground], found.deltas[foreground]) - np.float32([0, 0, 1, 1])
    assert np.abs(decoded[:, None] - gt).max(-1).min(-1).max() < 1e-2  # each is one of the boxes


def test_same_seed_same_draw_and_new_generators_are_welcome():
    first, again, other = targets(GT, seed=1), targets(GT, seed=1), targets(GT, seed=2)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()
    anchors = anchor_grid(19, 25, 16, SCALES, RATIOS)
    found = anchor_targets(anchors, GT, (300, 400), (19, 25), rng=np.random.default_rng(0))
    assert (found.labels >= 0).sum() == 256


def test_exact_boxes_overlap_without_another_pixel():
    anchors = np.float32([[16, 16, 31, 31], [40, 40, 55, 55]])  # of whole pixels: 16 a side
    gt = np.float32([[16, 16, 26, 26], [40, 40, 56, 56]])  # edges: 100 of 256 pixels, and all of them
    for exact in (True, False):
        found = anchor_targets(
            *(anchors, gt, (64, 64), (1, 1)),
            positive_overlap=0.4,
            negative_overlap=0.4,
            clobber_positives=True,  # otherwise the best anchor of a box is foreground
            exact=exact,
            rng=np.random.RandomState(0),
        )
        assert found.labels.ravel().tolist() == [int(not exact), 1]


def test_no_ground_truth():
    found = targets(np.zeros((0, 4), np.float32))
    assert (found.labels == 0).sum() == 256 and not (found.labels == 1).any()
    assert not found.deltas.any() and not found.inside.any()
    np.testing.assert_allclose(found.outside.sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("gt", [GT, GT[:0]])
@pytest.mark.parametrize("positive_weight", [-1.0, 0.5])
def test_no_anchor_inside_the_image(gt, positive_weight):
    found = targets(gt, size=(30, 30), grid=(2, 2), positive_weight=positive_weight)
    assert (found.labels == -1).all()
    assert not found.outside.any() and np.isfinite(found.deltas).all()


def test_a_box_that_no_anchor_touches():
    corner = np.float32([[0, 0, 3, 3]])
    touched = targets(corner, grid=(19, 25), size=(300, 400), match_untouched=False)
    assert not (touched.labels == 1).any()
    released = targets(corner, grid=(19, 25), size=(300, 400))
    assert (released.labels == 1).sum() == 128  # every anchor inside the image reaches the best overlap, 0


def test_border_admits_more_anchors():
    assert (targets(GT, allowed_border=1000, batch_size=10**6).labels >= 0).sum() > (
        targets(GT, batch_size=10**6).labels >= 0
    ).sum()
