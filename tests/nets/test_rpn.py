"""The region proposal network's channels, and proposals on both roads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.nms import nms
from dsg.boxes.transform import BoxCoder
from dsg.config import load_config
from dsg.nets.outputs import Proposals, RpnOutputs
from dsg.nets.rpn import RegionProposalNetwork, ground_truth_proposals, propose
from dsg.parity.golden import open_golden
from dsg.parity.runs.proposal_layers import rpn_outputs
from tests.golden import FOLDER, golden
from tests.models.dsg.cases import close

RELEASE = {"iou": 0.5, "post_nms": 32, "pre_nms": 12000, "min_score": 0.8}


def make_rpn(**options: Any) -> RegionProposalNetwork:
    settings = {"stride": 16, "scales": (1.0, 2.0), "ratios": (0.5, 1.0, 2.0), "init": "glorot_uniform"}
    return RegionProposalNetwork(5, 8, **{**settings, **options})


def test_backgrounds_before_objects_golden() -> None:
    """With an identity in place of the last convolution, its channels are the stored scores."""
    layers = golden("layers")
    score, expected = layers["rpn_softmax/score"], layers["rpn_softmax/prob"]
    rpn = make_rpn(scales=(4.0, 8.0, 16.0, 32.0))
    rpn.conv = lambda features: features
    rpn.classes = lambda hidden: hidden
    rpn.boxes = lambda hidden: tf.concat([hidden, hidden], -1)
    height, width = score.shape[1:3]
    found = rpn(tf.constant(score), tf.constant([[height * 16.0, width * 16.0]]))
    close(found.scores[0], expected[0, ..., 12:].reshape(-1), 1e-6)
    close(tf.nn.softmax(found.logits)[..., 0], expected[..., :12], 1e-6)


def test_exact_boxes_of_anchors_without_corrections_are_the_anchors() -> None:
    features = tf.zeros([1, 6, 9, 5])
    boxes = {}
    for exact in (False, True):
        rpn = make_rpn(coder=BoxCoder(exact=exact))
        rpn.boxes = lambda hidden: tf.zeros([*hidden.shape[:3], 24])
        outputs = rpn(features, tf.constant([[96.0, 144.0]]))
        boxes[exact] = outputs.boxes[0]
    close(boxes[True], BoxCoder(exact=True).clip(outputs.anchors, tf.constant([96, 144])), 1e-6)
    close(boxes[False], BoxCoder().clip(outputs.anchors + [0.0, 0.0, 1.0, 1.0], tf.constant([96, 144])), 1e-6)


@pytest.mark.parametrize("in_graph", [True, False])
def test_proposal_layer_golden(in_graph: bool) -> None:
    layers, path = golden("layers"), "tf" if in_graph else "py"
    found = propose(
        rpn_outputs(open_golden(FOLDER / "layers.npz"), load_config(), 1.0), in_graph=in_graph, **RELEASE
    )
    close(found.boxes[0], layers[f"proposal_layer/TRAIN/{path}_rois"][:, 1:], 1e-6)
    close(found.scores[0][:, None], layers[f"proposal_layer/TRAIN/{path}_scores"], 1e-6)


def test_low_scores_golden() -> None:
    layers = golden("layers")
    factor = float(layers["proposal_layer/low/score_factor"])
    rpn = rpn_outputs(open_golden(FOLDER / "layers.npz"), load_config(), factor)
    found = propose(rpn, **RELEASE)
    close(found.boxes[0], layers["proposal_layer/low/tf_rois"][:, 1:], 1e-6)
    close(found.scores[0][:, None], layers["proposal_layer/low/tf_scores"], 1e-6)


def random_outputs(seed: int, count: int = 80, images: int = 1, whole: bool = False) -> RpnOutputs:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 80, (images, count, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 60, (images, count, 2))], -1)
    scores = rng.permutation(images * count).reshape(images, count) / (images * count)
    boxes = np.round(boxes) if whole else boxes
    made = (tf.constant(value, tf.float32) for value in (boxes, scores))
    return RpnOutputs(None, None, None, None, *made)


def expected_without_graph(rpn: RpnOutputs, **options: Any) -> list[int]:
    """The compiled suppression, then the score filter, in plain NumPy."""
    boxes, scores = rpn.boxes.numpy()[0], rpn.scores.numpy()[0]
    order = np.argsort(-scores)[: options["pre_nms"]]
    kept = order[nms(np.column_stack([boxes, scores])[order], options["iou"], options["post_nms"])]
    least = min(options["min_score"], scores[kept].max() - 0.01)
    return [int(one) for one in kept if scores[one] >= least]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pre_nms", [12000, 20])
def test_the_compiled_road(seed: int, pre_nms: int) -> None:
    options = {"iou": 0.4, "post_nms": 12, "pre_nms": pre_nms, "min_score": 0.7}
    rpn = random_outputs(seed)
    found = propose(rpn, in_graph=False, **options)
    expected = expected_without_graph(rpn, **options)
    assert found.indices[0].numpy().tolist() == expected
    np.testing.assert_array_equal(found.boxes[0], rpn.boxes.numpy()[0, expected])


def test_both_roads_agree_where_no_overlap_is_near_the_threshold() -> None:
    boxes = np.concatenate([np.full((30, 2), 100.0), np.full((30, 2), 300.0)], -1)
    boxes += np.repeat(np.arange(10), 3)[:, None] * 250 + np.tile([0, 4, 8], 10)[:, None]
    scores = np.random.default_rng(0).permutation(30) / 30
    made = (tf.constant(value[None], tf.float32) for value in (boxes, scores))
    rpn = RpnOutputs(None, None, None, None, *made)
    options = {"iou": 0.5, "post_nms": 32, "pre_nms": 0, "min_score": -1.0}
    first, second = (propose(rpn, in_graph=road, **options) for road in (True, False))
    assert len(first.indices[0]) == 10
    np.testing.assert_array_equal(first.indices, second.indices)


@pytest.mark.parametrize("in_graph", [True, False])
def test_a_batch_gives_each_image_what_it_gets_alone(in_graph: bool) -> None:
    options = {"iou": 0.3, "post_nms": 10, "pre_nms": 50, "min_score": 0.8, "in_graph": in_graph}
    rpn = random_outputs(3, images=3)
    together = propose(rpn, **options)
    counts = []
    for image in range(3):
        part = RpnOutputs(None, None, None, None, rpn.boxes[image : image + 1], rpn.scores[image : image + 1])
        alone = propose(part, **options)
        counts.append(alone.indices.shape[1])
        valid = together.valid.numpy()[image]
        np.testing.assert_array_equal(together.indices.numpy()[image, valid], alone.indices[0])
        np.testing.assert_array_equal(together.boxes.numpy()[image, valid], alone.boxes[0])
    assert together.indices.shape[1] == max(counts) and len(set(counts)) > 1


@pytest.mark.parametrize("in_graph", [True, False])
def test_there_is_always_a_proposal_and_no_padding_among_them(in_graph: bool) -> None:
    rpn = random_outputs(1, count=20)
    scores = tf.concat([rpn.scores[:, :4] * 1e-3, tf.fill([1, 16], -1.0)], 1)
    found = propose(rpn._replace(scores=scores), in_graph=in_graph, **RELEASE)
    assert found.valid.numpy().all() and 1 <= found.indices.shape[1] <= 4
    assert found.indices.numpy().max() < 4


@pytest.mark.parametrize("in_graph", [True, False])
def test_a_diverged_network_still_proposes_finite_boxes(in_graph: bool) -> None:
    rpn = random_outputs(1)
    broken = rpn._replace(boxes=rpn.boxes * np.nan, scores=rpn.scores * np.nan)
    found = propose(broken, in_graph=in_graph, **RELEASE)
    assert found.indices.shape[1] >= 1 and np.isfinite(found.boxes).all()


def test_no_gradient_flows_into_proposals() -> None:
    rpn = random_outputs(2)
    with tf.GradientTape() as tape:
        tape.watch([rpn.boxes, rpn.scores])
        found = propose(rpn, **RELEASE)
        total = tf.reduce_sum(found.boxes) + tf.reduce_sum(found.scores)
    assert tape.gradient(total, [rpn.boxes, rpn.scores]) == [None, None]


def test_anchors_of_the_padding_score_minus_one() -> None:
    rpn = make_rpn()
    found = rpn(tf.ones([2, 4, 6, 5]), tf.constant([[64.0, 96.0], [40.0, 50.0]]))
    scores = found.scores.numpy().reshape(2, 4, 6, 6)
    own = np.zeros((4, 6), bool)
    own[:3, :4] = True  # 40 and 50 pixels are 2.5 and 3.1 cells
    assert (scores[0] >= 0).all() and (scores[1][own] >= 0).all() and (scores[1][~own] == -1).all()
    boxes = found.boxes.numpy()
    assert boxes.min() >= 0 and boxes[1, :, 2].max() <= 49 and boxes[1, :, 3].max() <= 39


def test_proposals_from_the_ground_truth() -> None:
    boxes, valid = tf.ones([2, 3, 4]), tf.constant([[True, True, False], [True, False, False]])
    found = ground_truth_proposals(boxes, valid)
    assert isinstance(found, Proposals) and found.indices.shape == (2, 3)
    np.testing.assert_array_equal(found.scores, tf.cast(valid, tf.float32))
