"""What an image gets does not depend on the images beside it, nor on the padding that joins them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.dsg.losses import training_losses
from dsg.nets.backbones.small import SmallTrunk
from dsg.pipeline.examples import Arrays
from tests.models.dsg.cases import close, golden_pass, random_arrays, shared_model, tensors, tiny_config

SIZES = ((64, 96, 4, 3), (80, 49, 2, 1))  # height, width, boxes, queries


def two_images(config: Any) -> list[Arrays]:
    keys = ("height", "width", "boxes", "queries")
    images = [random_arrays(config, seed, **dict(zip(keys, size))) for seed, size in enumerate(SIZES)]
    for arrays in images:
        # Boxes that proposals find, so that targets and losses are not all background.
        arrays["image"] = arrays["image"] * 0.5
    return images


def compare(model: Any, config: Any, images: list[Arrays], tolerance: float) -> None:
    together = tensors(*images)
    outputs = model(together, training=True)
    losses = training_losses(model, outputs, together, config)
    alone_losses = []
    for row, arrays in enumerate(images):
        batch = tensors(arrays)
        alone = model(batch, training=True)
        alone_losses.append(training_losses(model, alone, batch, config))
        height, width = alone.detection.trunk.features.shape[1:3]
        close(
            outputs.detection.trunk.features[row, :height, :width],
            alone.detection.trunk.features[0],
            tolerance,
        )
        outside = np.ones(outputs.detection.trunk.features.shape[1:3], bool)
        outside[:height, :width] = False
        assert not outputs.detection.trunk.features.numpy()[row][outside].any()
        close(outputs.detection.rpn.logits[row, :height, :width], alone.detection.rpn.logits[0], tolerance)
        close(outputs.detection.rpn.deltas[row, :height, :width], alone.detection.rpn.deltas[0], tolerance)
        valid = outputs.detection.proposals.valid.numpy()[row]
        close(outputs.detection.proposals.boxes[row][valid], alone.detection.proposals.boxes[0], tolerance)
        close(outputs.regions.proposals.nodes[row][valid], alone.regions.proposals.nodes[0], tolerance)
        if alone.heads.first_stage_box_deltas is not None:
            close(
                outputs.heads.first_stage_box_deltas[row][valid],
                alone.heads.first_stage_box_deltas[0],
                tolerance,
            )
        if alone.graph is not None:
            close(outputs.graph.nodes[row][valid], alone.graph.nodes[0], tolerance)
            close(outputs.graph.graph[row], alone.graph.graph[0], tolerance)
            predicates = outputs.heads.labels.predicates.numpy()[row][valid][:, valid]
            close(predicates, alone.heads.labels.predicates[0], tolerance)
            asked = len(arrays["queries"])
            close(
                outputs.heads.role_logits.numpy()[row, :asked][:, valid],
                alone.heads.role_logits[0],
                tolerance,
            )
    for name in losses:
        mean = np.mean([float(one[name]) for one in alone_losses])
        close(float(losses[name]), mean, tolerance)
    for field in (
        *outputs.detection.proposals,
        outputs.regions.proposals.nodes,
        outputs.heads.first_stage_role_logits,
    ):
        assert np.isfinite(np.asarray(field, np.float32)).all()


@pytest.mark.parametrize(
    ("net", "overrides"),
    [
        ("mini", ("FEATURE_STRIDE", "8")),
        ("mini", ("FEATURE_STRIDE", "16", "RR.MATCHING", "True", "GPI.SELF_EDGE", "False")),
        ("mini", ("RESNET.MAX_POOL", "True", "RELATION_POOLING_SIZE", "3", "GPI.RHO_RELATION", "True")),
        ("mini", ("USE_E2E_TF", "False", "GPI.AGGREGATION", "neighbour_attention")),
        ("res18", ("FEATURE_STRIDE", "8", "GPI.AGGREGATION", "sum")),
        ("res18", ("FEATURE_STRIDE", "16", "LOSS.LABELS", "mean", "RR.LOSS", "sum")),
        ("mini", ("VARIANT", "no_dsg")),
        ("mini", ("GPI.GEOMETRY", "6", "RR.QUERY_ATTENTION", "8", "REFINER_CHANNELS", "3")),
        ("mini", ("TRAIN.USE_GT", "True")),
    ],
)
def test_a_batch_of_two_sizes(net: str, overrides: tuple[str, ...]) -> None:
    config = tiny_config(*overrides, net=net)
    compare(shared_model(config), config, two_images(config), 2e-4)


def test_a_batch_of_two_sizes_with_bottlenecks() -> None:
    """The recipe's weights: norms with means and shifts that would light up the padding."""
    model = golden_pass("res50").model
    config = tiny_config(net="res50", tiny=())
    compare(model, config, two_images(config), 2e-4)


@pytest.mark.parametrize("net", ["mini", "res18"])
@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (17, 40), (1, 30)])
def test_small_trunks_of_any_size(net: str, stride: int, size: tuple[int, int]) -> None:
    trunk = SmallTrunk(net, stride)
    image = tf.random.stateless_normal([1, *size, 3], [1, 2])
    found = trunk(image)
    assert found.features.shape == (1, *(-(-side // stride) for side in size), trunk.channels)
    padded = tf.pad(image, [[0, 0], [0, 13], [0, 22], [0, 0]])
    beside = trunk(padded, tf.constant([size], tf.float32)).features
    height, width = found.features.shape[1:3]
    close(beside[:, :height, :width], found.features, 1e-4)


def test_queries_and_boxes_of_the_padding_weigh_nothing() -> None:
    config = tiny_config()
    model = shared_model(config)
    arrays = random_arrays(config, 3)
    batch = tensors(arrays)
    expected = training_losses(model, model(batch, training=True), batch, config)
    grown = dict(batch)
    junk = {"gt_boxes": 7.0, "gt_roles": 2, "gt_entities": 3, "gt_predicates": 2, "queries": 1}
    paddings = {
        "gt_boxes": [[0, 0], [0, 2], [0, 0]],
        "gt_valid": [[0, 0], [0, 2]],
        "gt_entities": [[0, 0], [0, 2]],
        "gt_predicates": [[0, 0], [0, 2], [0, 2]],
        "gt_roles": [[0, 0], [0, 3], [0, 2]],
        "queries": [[0, 0], [0, 3], [0, 0]],
        "query_valid": [[0, 0], [0, 3]],
    }
    for key, padding in paddings.items():
        grown[key] = tf.pad(batch[key], padding, constant_values=junk.get(key, False))
    found = training_losses(model, model(grown, training=True), grown, config)
    for name, value in expected.items():
        close(float(found[name]), float(value))
