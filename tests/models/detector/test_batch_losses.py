"""The losses of a batch in a graph: images with and without objects, what is trained, what is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import Config
from dsg.models.detector.batch_losses import batch_losses, filled, sampling_settings
from dsg.models.detector.build import build_detector
from dsg.models.detector.losses import decay_loss
from dsg.models.detector.model import ProposalSettings
from dsg.models.detector.single_map_training import sample_batch
from dsg.models.detector.targets import SamplingSettings, Truth, sample_anchors, sample_regions
from dsg.pipeline.examples import rpn_targets
from dsg.pipeline.instance_batches import instance_spec
from tests.models.detector.small_runs import config_of

SMALL = ["TRAIN.BATCH_SIZE", "16", "TRAIN.RPN_POST_NMS_TOP_N", "20", "TRAIN.RPN_PRE_NMS_TOP_N", "50"]
SMALL += ["TRAIN.RPN_BATCHSIZE", "32", "RPN_CHANNELS", "16", "TRAIN.IMS_PER_BATCH", "2"]


def batch_of(config: Config) -> dict[str, tf.Tensor]:
    """Noise of 64 x 96 pixels: two objects in the first image, none in the second."""
    rng, boxes = np.random.default_rng(0), np.array([[8, 8, 40, 48], [50, 4, 90, 30]], np.float32)
    size = (64, 96)
    valid = np.array([[True, True], [False, False]])
    arrays: dict[str, Any] = {
        "image": rng.standard_normal((2, *size, 3)).astype(np.float32) * 40,
        "image_size": np.array([size, size], np.float32),
        "scale": np.ones(2, np.float32),
        "index": np.array([4, 9], np.int32),
        "gt_boxes": boxes * valid[..., None],
        "gt_classes": (np.array([[1, 3]]) * valid).astype(np.int32),
        "gt_valid": valid,
    }
    if config.detector.masks:
        arrays["gt_masks"] = np.zeros((2, 2, *size), np.uint8)
        arrays["gt_masks"][0, 0, 8:48, 8:40] = arrays["gt_masks"][0, 1, 4:30, 50:90] = 1
    if not config.backbone.endswith("_fpn"):
        targets = [rpn_targets(own, size, config, rng) for own in (boxes, boxes[:0])]
        arrays["rpn_labels"] = np.stack([each.labels for each in targets]).astype(np.int32)
        arrays["rpn_deltas"] = np.stack([each.deltas for each in targets])
        arrays["rpn_weights"] = np.stack([each.outside for each in targets])
    return {key: tf.constant(value) for key, value in arrays.items()}


def traced(model: Any, config: Config, batch: Mapping[str, tf.Tensor]) -> Any:
    """Losses, and norms of gradients, of a batch of which the graph does not know how many images and objects
    it has.
    """
    variables = model.named_variables()
    names = model.trainable_names()
    spec = {key: value for key, value in instance_spec(config).items() if key in batch}

    @tf.function(input_signature=[spec], autograph=False)
    def step(batch: Mapping[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        with tf.GradientTape() as tape:
            losses = batch_losses(model, batch, config)
        gradients = tape.gradient(losses["total"], [variables[name] for name in names])
        norms = {n: tf.norm(g) for n, g in zip(names, map(_dense, gradients)) if g is not None}
        return losses, norms

    return step


def _dense(gradient: Any) -> Any:
    return None if gradient is None else tf.convert_to_tensor(gradient)


NETS = {
    "mini": [],
    "mobile": ["ANCHOR_SCALES", "[2.0, 4.0]"],
    "res50_fpn": ["DETECTOR.MASKS", "True"],
}


@pytest.mark.parametrize("net", NETS)
def test_losses_with_and_without_objects(net: str) -> None:
    config = config_of(net, [*SMALL, *NETS[net]], tiny=net == "mini")
    model, batch = build_detector(config, 5), batch_of(config)
    step = traced(model, config, batch)
    losses, norms = step(batch)
    assert all(np.isfinite(value) for value in losses.values())
    weights = {name: getattr(config.loss, name) for name in losses if name != "total"}
    expected = sum(weight * float(losses[name]) for name, weight in weights.items())
    assert float(losses["total"]) == pytest.approx(expected, rel=1e-5)
    decay = decay_loss(model, config.train.weight_decay, config.mobilenet.weight_decay)
    assert float(losses["regularization"]) == pytest.approx(float(decay), rel=1e-5)
    assert ("mask" in losses) == config.detector.masks
    # everything that is trained has a gradient; below fixed blocks there is none
    assert set(norms) == set(model.trainable_names()) and all(np.isfinite(list(map(float, norms.values()))))
    fixed = {"mobile": "trunk/conv0/", "res50_fpn": "trunk/block1/"}
    assert not any(name.startswith(fixed.get(net, "nothing")) for name in norms)
    # repeated, all is as before: draws follow from what is computed
    again, _ = step(batch)
    assert float(again["region_class"]) == pytest.approx(float(losses["region_class"]), rel=1e-5)
    # an image without objects, alone and as the rest of an epoch
    alone, _ = step({key: value[1:] for key, value in batch.items()})
    assert all(np.isfinite(value) for value in alone.values()) and float(alone["box"]) == 0
    assert float(alone["rpn_box"]) == 0 and float(alone.get("mask", 0.0)) == 0


def test_the_ground_truth_joins_the_proposals_where_it_is_asked_to() -> None:
    for add in (False, True):
        config = config_of("mini", [*SMALL, "DETECTOR.ADD_GT", str(add), "DETECTOR.MASKS", "False"])
        model, batch = build_detector(config, 5), batch_of(config)
        first = model(batch["image"], batch["image_size"], ProposalSettings(50, 4))
        sample = sample_batch(first, batch, config)
        assert sample.boxes.shape[0] == 32 and sample.image.numpy().tolist() == [0] * 16 + [1] * 16
        own = (sample.boxes.numpy()[:16, None] == batch["gt_boxes"][0].numpy()).all(-1)
        assert own.any() == add
        if add:
            row, match = np.argwhere(own)[0]
            assert sample.matches[row] == match and sample.labels[row] == batch["gt_classes"][0, match]
            assert np.allclose(sample.deltas[row], 0, atol=1e-6)


@pytest.mark.parametrize(("exact", "longer"), [("True", 0.0), ("False", 1.0)])
def test_proposals_that_say_their_targets_are_the_objects(exact: str, longer: float) -> None:
    config = config_of("mini", [*SMALL, "EXACT_BOXES", exact, "DETECTOR.MASKS", "False"])
    model, batch = build_detector(config, 5), batch_of(config)
    labels, deltas = (batch[key].numpy()[0] for key in ("rpn_labels", "rpn_deltas"))
    y, x, anchor = np.argwhere(labels == 1)[0]
    kernel, bias = (model.named_variables()[f"rpn/boxes/{leaf}"] for leaf in ("kernel", "bias"))
    kernel.assign(tf.zeros_like(kernel))
    bias.assign(np.tile(deltas[y, x, anchor], labels.shape[-1]))
    boxes = model(batch["image"], batch["image_size"], ProposalSettings(50, 4)).rpn.boxes[0]
    box = tf.reshape(boxes, [*labels.shape, 4])[y, x, anchor]
    expected = batch["gt_boxes"][0] + [0.0, 0.0, longer, longer]
    assert np.abs(expected - box).max(1).min() < 1e-3


def test_regions_of_a_pyramid_are_written_in_the_units_of_the_options() -> None:
    deltas = []
    for stds in ("[0.1, 0.1, 0.2, 0.2]", "[0.05, 0.2, 0.2, 0.4]"):
        config = config_of("res50_fpn", ["TRAIN.BBOX_NORMALIZE_STDS", stds], tiny=False)
        truth = Truth(tf.constant([[10.0, 20.0, 50.0, 60.0]]), tf.constant([2]))
        proposals = tf.constant([[12.0, 16.0, 56.0, 62.0]])
        deltas.append(sample_regions(proposals, truth, sampling_settings(config), tf.range).deltas[0])
    np.testing.assert_allclose(deltas[1], deltas[0] * [2.0, 0.5, 1.0, 0.5], rtol=1e-5)


def test_an_anchor_of_the_padding_is_no_object_s_best() -> None:
    truth = Truth(tf.constant([[90.0, 90.0, 99.0, 99.0]]), tf.constant([1]))
    anchors = tf.constant([[80.0, 80, 96, 96], [0, 0, 20, 20], [90, 90, 100, 100]])
    inside = tf.constant([True, True, False])
    sample = sample_anchors(anchors, truth, SamplingSettings(), tf.range, inside)
    assert sample.labels.numpy().tolist() == [1, 0, -1]


def test_another_seed_draws_other_regions() -> None:
    rows = []
    for seed in ("1", "1", "2"):
        config = config_of("mini", [*SMALL, "TRAIN.BATCH_SIZE", "4", "DETECTOR.MASKS", "False"])
        model, batch = build_detector(config, 5), batch_of(config)
        first = model(batch["image"], batch["image_size"], ProposalSettings(50, 20))
        changed = config_of("mini", [*SMALL, "TRAIN.BATCH_SIZE", "4", "RNG_SEED", seed])
        rows.append(sample_batch(first, batch, changed).boxes.numpy())
    assert np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[0], rows[2])


def test_the_rest_of_an_epoch_is_filled_with_its_last_image() -> None:
    batch = {"index": tf.constant([4, 9]), "scale": tf.constant([1.0, 2.0])}
    whole = filled(batch, 3)  # type: ignore[arg-type]
    assert whole["index"].numpy().tolist() == [4, 9, 9] and whole["scale"].numpy().tolist() == [1, 2, 2]
    assert filled(batch, 2) is batch  # type: ignore[arg-type, comparison-overlap]
