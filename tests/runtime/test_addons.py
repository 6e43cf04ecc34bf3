"""What comes from tensorflow-addons, against its definition; and what is said where the package is absent."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from dsg.errors import UserError
from dsg.nets.graph_layer import _aggregate
from dsg.runtime import addons
from tests.models.dsg.cases import close, random_batch, tiny_config, tiny_model
from tests.nets.test_graph_layer import make_input, make_layer, run

HAS_ADDONS = importlib.util.find_spec("tensorflow_addons") is not None
with_addons = pytest.mark.skipif(
    not HAS_ADDONS, reason="tensorflow-addons does not exist for this TensorFlow"
)


def nearest_on_simplex(logits: np.ndarray) -> np.ndarray:
    """Of one vector: what is left above the threshold that makes the sum 1, found by halving."""
    low, high = logits.min() - 1.0, logits.max()
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.maximum(logits - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(logits - low, 0)


@with_addons
def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    logits = np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32) * 2
    expected = np.apply_along_axis(nearest_on_simplex, 2, logits)
    close(addons.sparsemax(tf.constant(logits), 2), expected, 1e-5)


@with_addons
def test_sparse_attention_ignores_what_does_not_exist() -> None:
    rng = np.random.default_rng(1)
    logits, values = (
        rng.standard_normal((2, 1, 4, 3)).astype(np.float32)[:, None],
        rng.standard_normal((2, 1, 1, 4, 3)),
    )
    exists = np.array([[[True, True, False, True]]])[..., None]
    logits[:, :, :, 2] = 50  # the greatest, where there is nothing
    weights, total = _aggregate(tf.constant(values, tf.float32), tf.constant(logits), exists, 3, "sparsemax")
    kept = np.apply_along_axis(nearest_on_simplex, 3, np.delete(logits, 2, 3))
    close(np.delete(weights.numpy(), 2, 3), kept, 1e-5)
    assert not weights.numpy()[:, :, :, 2].any()
    close(total, (kept * np.delete(values, 2, 3)).sum(3), 1e-5)


@with_addons
@pytest.mark.parametrize("aggregation", ["feature_attention", "neighbour_attention"])
@pytest.mark.parametrize("rho_relation", [False, True])
def test_permuting_nodes_permutes_the_result_of_sparse_attention(
    aggregation: str, rho_relation: bool
) -> None:
    layer = make_layer(aggregation, attention="sparsemax", rho_relation=rho_relation)
    nodes, edges = make_input(count=6)
    order = np.random.default_rng(2).permutation(6)
    plain = run(layer, nodes, edges)
    turned = run(layer, tf.gather(nodes, order, axis=1), tf.constant(edges.numpy()[:, order][:, :, order]))
    close(turned.nodes, plain.nodes.numpy()[:, order])
    close(turned.graph, plain.graph)
    assert (plain.edges is not None) == rho_relation
    if rho_relation:
        close(turned.edges, plain.edges.numpy()[:, order][:, :, order])


@with_addons
def test_giou_of_known_boxes() -> None:
    boxes = tf.constant([[0.0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 1, 1]])
    truth = tf.constant([[0.0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 3, 1]])
    close(addons.giou_loss(boxes, truth), [0, 1 - 1 / 3, 1 + 1 / 3], 1e-5)


@with_addons
def test_a_model_learns_with_them() -> None:
    config = tiny_config("GPI.ATTENTION", "sparsemax", "LOSS.BOX_KIND", "giou", "TRAIN.FG_THRESH", "0.01")
    from dsg.models.dsg.losses import training_losses

    model, batch = tiny_model(config), random_batch(config, 0, 1)
    with tf.GradientTape() as tape:
        losses = training_losses(model, model(batch, training=True), batch, config)
    parts = model.parts
    refiner, attention = (
        parts["box_refiner"].linear.kernel,
        parts["gpi"].neighbour_attention.layers[-1].kernel,
    )
    for gradient in tape.gradient(losses["total"], [refiner, attention]):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.skipif(HAS_ADDONS, reason="tensorflow-addons is installed here")
def test_absent_it_is_asked_for_in_one_line() -> None:
    with pytest.raises(UserError, match="GPI.ATTENTION sparsemax needs tensorflow-addons.*2.15"):
        tiny_model(tiny_config("GPI.ATTENTION", "sparsemax"))
