"""Answers of a grounded model: in the three settings, alone and in a batch, with masks and refined."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.detector import predictions
from dsg.models.detector.outputs import Regions
from dsg.models.grounding.edge_masks import gaussian_kernels
from dsg.models.grounding.mask_predictor import MaskPredictor
from dsg.models.grounding.predictor import GroundedPredictor
from tests.models.grounding.small_graphs import SIZES, batch_of, config_of, model_of

KEYS = ("image", "image_size", "scale", "original_size", "gt_boxes", "gt_classes", "gt_valid")


def alone(batch: dict[str, tf.Tensor], number: int) -> dict[str, tf.Tensor]:
    """An image of a batch without its padding."""
    height, width = SIZES[number % 2]
    part = {key: batch[key][number : number + 1] for key in KEYS}
    return {**part, "image": part["image"][:, :height, :width]}


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("context", ["motif", "vctree", "imp", "dsg"])
@pytest.mark.parametrize("setting", ["predcls", "sgcls", "sgdet"])
def test_an_image_alone_says_what_it_says_in_a_batch(setting: str, context: str) -> None:
    config = config_of("GROUNDING.REFINE", "True", "GROUNDING.CONTEXT", context)
    model, batch = model_of(config), batch_of(config)
    together = GroundedPredictor(model, config, setting, attended=2)(batch)
    single = GroundedPredictor(model, config, setting, alone=True, attended=2)
    for number, expected in enumerate(together):
        (got,) = single(alone(batch, number))
        assert len(expected.graph.boxes) > 1 and len(expected.graph.pairs) > 1
        for name in ("labels", "pairs", "predicates"):
            np.testing.assert_array_equal(getattr(got.graph, name), getattr(expected.graph, name))
        for name in ("boxes", "scores", "triple_scores", "probabilities"):
            np.testing.assert_allclose(
                getattr(got.graph, name), getattr(expected.graph, name), rtol=1e-3, atol=1e-4
            )
        for name in ("masks", "refined", "attended"):
            np.testing.assert_allclose(getattr(got, name), getattr(expected, name), atol=1e-3)
        assert np.abs(got.refined - got.masks).max() > 1e-3


@pytest.mark.usefixtures("untraced")
def test_given_boxes_and_labels_are_those_of_the_graph() -> None:
    config = config_of()
    model, batch = model_of(config), batch_of(config)
    batch["scale"] = tf.constant([2.0, 0.5])
    images = GroundedPredictor(model, config, "predcls", guesses=True)(batch)
    first = model.detector(batch["image"], batch["image_size"], predictions.testing_proposals(config))
    for number, (said, count) in enumerate(zip(images, (4, 3))):
        boxes = batch["gt_boxes"][number, :count]
        np.testing.assert_allclose(said.graph.boxes, boxes / batch["scale"][number])
        labels = batch["gt_classes"][number, :count].numpy()
        np.testing.assert_array_equal(said.graph.labels, labels)
        assert said.graph.scores.tolist() == [1.0] * count
        assert sorted(map(tuple, said.graph.pairs.tolist())) == [
            (i, j) for i in range(count) for j in range(count) if i != j
        ]
        assert (np.diff(said.graph.triple_scores) <= 0).all() and said.refined is None
        logits = model.detector.mask_logits(first, Regions(boxes, tf.fill([count], number))).numpy()
        mixed = logits @ model.transfer.numpy()
        for row, label in enumerate(labels):
            np.testing.assert_allclose(said.masks[row], 1 / (1 + np.exp(-mixed[row, ..., label])), atol=1e-5)
            near = logits[row, ..., (0, 1, 0)[label]]
            np.testing.assert_allclose(said.nearest[row], 1 / (1 + np.exp(-near)), atol=1e-5)


@pytest.mark.usefixtures("untraced")
def test_attended_masks_are_blurred_by_the_gaussians_of_their_pair() -> None:
    config = config_of("GROUNDING.SETTING", "sgcls")
    model, batch = model_of(config), batch_of(config, (3,), ((),))
    (said,) = GroundedPredictor(model, config, "sgcls", alone=True, attended=2)(alone(batch, 0))
    first = model.detector(batch["image"], batch["image_size"], predictions.testing_proposals(config))
    boxes = Regions(batch["gt_boxes"][0], tf.zeros([3], tf.int32))
    scores = model.detector.scores(first, boxes).probabilities
    for row, (subject, object_) in enumerate(said.graph.pairs[:2]):
        shapes = model.graph.edge_mask.shapes(scores[subject][None], scores[object_][None])
        for role, node in enumerate((subject, object_)):
            kernel = gaussian_kernels(shapes)[0, role].numpy()
            padded = np.pad(said.masks[node], 3)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
            np.testing.assert_allclose(said.attended[row, role], (windows * kernel).sum((-2, -1)), atol=1e-5)


def test_a_picture_in_which_nothing_is_found_has_an_empty_graph() -> None:
    config = config_of("GROUNDING.REFINE", "True")
    model, batch = model_of(config), batch_of(config)
    predict = GroundedPredictor(model, config, "sgdet", attended=3)
    bias = model.detector.predictor.vg_cls.bias
    model.detector.predictor.vg_cls.kernel.assign(tf.zeros_like(model.detector.predictor.vg_cls.kernel))
    bias.assign([-9.0, -9.0, -9.0, 9.0])
    for said in predict(batch):
        assert len(said.graph.boxes) == len(said.graph.pairs) == len(said.masks) == len(said.attended) == 0
    # One box, and no pair.
    for said in GroundedPredictor(model, config, "predcls")(batch_of(config, (1, 1), ((), ()))):
        assert len(said.graph.boxes) == 1 and said.graph.pairs.shape == (0, 2)


@pytest.mark.usefixtures("untraced")
def test_without_masks_the_graph_does_not_see_them() -> None:
    config = config_of("GROUNDING.NODE_MASKS", "False", "GROUNDING.EDGE_MASK", "none")
    model, batch = model_of(config), batch_of(config)
    predict = GroundedPredictor(model, config, "predcls")
    before = predict(batch)
    model.detector.mask_head.masks.bias.assign([3.0, -3.0])
    after = predict(batch)
    for one, other in zip(before, after):
        np.testing.assert_array_equal(one.graph.triple_scores, other.graph.triple_scores)
        assert np.abs(one.masks - other.masks).max() > 0.1  # though they can be shown


@pytest.mark.usefixtures("untraced")
def test_refined_masks_are_looked_at_where_it_is_asked_for() -> None:
    options = ("GROUNDING.REFINE", "True", "GROUNDING.REFINE_AT_INFERENCE")
    plain, again = (config_of(*options, value) for value in ("False", "True"))
    batch = batch_of(plain)
    one, other = (
        GroundedPredictor(model_of(config), config, "predcls")(batch)[0] for config in (plain, again)
    )
    np.testing.assert_allclose(one.refined, other.refined, atol=1e-5)
    assert np.abs(one.graph.triple_scores - other.graph.triple_scores).max() > 1e-6


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("setting", ["predcls", "sgcls", "sgdet"])
def test_masks_of_the_masks_categories(setting: str) -> None:
    config = config_of("GROUNDING.REFINE", "True")
    model, batch = model_of(config), batch_of(config, (), (), mask_counts=(3, 2))
    together = MaskPredictor(model, config, setting)(batch)
    single = MaskPredictor(model, config, setting, alone=True)
    for number, expected in enumerate(together):
        (got,) = single(alone(batch, number))
        count = len(expected.plain.boxes)
        assert count and expected.plain.masks.shape == (count, 28, 28)
        np.testing.assert_array_equal(got.plain.classes, expected.plain.classes)
        np.testing.assert_allclose(got.refined.masks, expected.refined.masks, atol=1e-3)
        assert np.abs(expected.refined.masks - expected.plain.masks).max() > 1e-3
        if setting == "predcls":
            np.testing.assert_array_equal(expected.plain.classes - 1, batch["gt_classes"][number, :count])
            assert expected.plain.scores.tolist() == [1.0] * count
