"""The graph layer: golden values, the paper's equations in plain loops, and what permutations must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.nets.graph_layer import SUM_DIVISOR, GraphLayer
from dsg.parity.golden import open_golden
from dsg.parity.runs import gpi_methods
from tests.golden import FOLDER
from tests.models.dsg.cases import close

D, F = 5, 4
AGGREGATIONS = ("feature_attention", "neighbour_attention", "sum")
OPTIONS = (
    {},
    {"self_edge": False},
    {"rho_relation": True},
    {"rho_neighbours": False},
    {"self_edge": False, "rho_relation": True, "rho_neighbours": False},  # the paper
)
MODES = [(aggregation, options) for aggregation in AGGREGATIONS for options in OPTIONS]


def make_layer(aggregation: str, **options: Any) -> GraphLayer:
    tf.keras.utils.set_random_seed(4)
    layer = GraphLayer(D, F, aggregation=aggregation, hidden=6, phi=7, alpha=8, rho=9, **options)
    for name, variable in layer.named_variables().items():
        if name.endswith("bias"):
            variable.assign(np.random.default_rng(1).standard_normal(variable.shape) * 0.3)
    return layer


def make_input(count: int = 4, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Nodes [1, N, D] and an edge for every ordered pair [1, N, N, F]."""
    rng = np.random.default_rng(seed)
    nodes, edges = rng.standard_normal((1, count, D)), rng.standard_normal((1, count, count, F))
    return tf.constant(nodes, tf.float32), tf.constant(edges, tf.float32)


def run(layer: GraphLayer, nodes: tf.Tensor, edges: tf.Tensor, valid: Any = None) -> Any:
    """With all pairs packed."""
    batch, count = nodes.shape[:2]
    index = tf.reshape(tf.range(batch * count * count), [batch, count, count])
    exists = tf.ones([batch, count], tf.bool) if valid is None else tf.constant(valid)
    return layer(nodes, tf.reshape(edges, [-1, edges.shape[-1]]), index, exists)


@pytest.fixture(scope="module")
def golden_rows() -> Any:
    return gpi_methods.run(open_golden(FOLDER / "gpi_methods.npz"))


@pytest.mark.parametrize("method", list(gpi_methods.METHODS))
def test_golden(golden_rows: Any, method: str) -> None:
    rows = [row for row in golden_rows.rows if row.key.startswith(method)]
    assert len(rows) >= 10
    assert [row.key for row in rows if not row.ok] == []


def test_golden_leaves_nothing_out(golden_rows: Any) -> None:
    assert golden_rows.ok and not golden_rows.notes


def dense(layer: Any, x: np.ndarray) -> np.ndarray:
    return x @ np.asarray(layer.kernel, np.float64) + np.asarray(layer.bias, np.float64)


def mlp(block: Any, x: np.ndarray, relu_last: bool = False) -> np.ndarray:
    for number, layer in enumerate(block.layers):
        x = dense(layer, x)
        if number < len(block.layers) - 1 or relu_last:
            x = np.maximum(x, 0)
    return x


def softmax(rows: list[np.ndarray]) -> list[np.ndarray]:
    powers = np.exp(np.array(rows) - np.max(rows, axis=0))
    return list(powers / powers.sum(0))


def oracle(layer: GraphLayer, z: np.ndarray, e: np.ndarray, aggregation: str, **options: bool) -> Any:
    """Equations 1 and 2 of the paper, one pair at a time."""
    count = len(z)
    aggregated = []
    for i in range(count):
        others = [j for j in range(count) if options.get("self_edge", True) or j != i]
        inputs = [np.concatenate([z[j], z[i], e[i, j]]) for j in others]
        phi = [mlp(layer.neighbour_mlp, x, relu_last=True) for x in inputs]
        if aggregation == "sum":
            aggregated.append(np.sum(phi, 0) / SUM_DIVISOR)
        else:
            weights = softmax([mlp(layer.neighbour_attention, x) for x in inputs])
            aggregated.append(sum(w * p for w, p in zip(weights, phi)))
    inputs = [np.concatenate([z[i], aggregated[i]]) for i in range(count)]
    alpha = [mlp(layer.graph_mlp, x, relu_last=True) for x in inputs]
    if aggregation == "sum":
        g = np.sum(alpha, 0) / SUM_DIVISOR
    else:
        g = sum(w * a for w, a in zip(softmax([mlp(layer.graph_attention, x) for x in inputs]), alpha))
    parts = [
        [z[i], g, aggregated[i]] if options.get("rho_neighbours", True) else [z[i], g] for i in range(count)
    ]
    nodes = [mlp(layer.node_mlp, np.concatenate(part)) for part in parts]
    edges = None
    if options.get("rho_relation"):
        edges = [
            [mlp(layer.edge_mlp, np.concatenate([e[i, j], g])) for j in range(count)] for i in range(count)
        ]
    return np.array(aggregated), g, np.array(nodes), None if edges is None else np.array(edges)


@pytest.mark.parametrize(("aggregation", "options"), MODES)
def test_equations(aggregation: str, options: dict[str, bool]) -> None:
    layer = make_layer(aggregation, **options)
    nodes, edges = make_input()
    found = run(layer, nodes, edges)
    expected = oracle(
        layer, nodes[0].numpy().astype(float), edges[0].numpy().astype(float), aggregation, **options
    )
    for ours, theirs in zip((found.aggregated[0], found.graph[0], found.nodes[0]), expected):
        close(ours, theirs)
    assert (found.edges is None) == (expected[3] is None)
    if expected[3] is not None:
        close(found.edges[0], expected[3])


@pytest.mark.parametrize(("aggregation", "options"), MODES)
def test_permuting_nodes_permutes_the_result(aggregation: str, options: dict[str, bool]) -> None:
    layer = make_layer(aggregation, **options)
    nodes, edges = make_input(count=6)
    order = np.random.default_rng(2).permutation(6)
    plain = run(layer, nodes, edges)
    turned = run(
        layer, tf.gather(nodes, order, axis=1), tf.gather(tf.gather(edges, order, axis=1), order, axis=2)
    )
    close(turned.nodes, tf.gather(plain.nodes, order, axis=1))
    close(turned.graph, plain.graph)
    if plain.edges is not None:
        close(turned.edges, tf.gather(tf.gather(plain.edges, order, axis=1), order, axis=2))


@pytest.mark.parametrize(("aggregation", "options"), MODES)
def test_nodes_that_are_padding_are_not_heard(aggregation: str, options: dict[str, bool]) -> None:
    layer = make_layer(aggregation, **options)
    nodes, edges = make_input(count=6)
    alone = run(layer, nodes[:, :4], edges[:, :4, :4])
    padded = run(layer, nodes, edges, valid=[[True] * 4 + [False] * 2])
    close(padded.nodes[:, :4], alone.nodes)
    close(padded.graph, alone.graph)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_lonely_node_without_self_edge_hears_nothing(aggregation: str) -> None:
    found = run(make_layer(aggregation, self_edge=False), *make_input(count=1))
    assert np.abs(found.aggregated).max() == 0
    assert np.isfinite(found.nodes).all()


@pytest.mark.parametrize("aggregation", AGGREGATIONS[:2])
def test_weights_are_shares(aggregation: str) -> None:
    found = run(make_layer(aggregation, self_edge=False), *make_input())
    close(
        tf.reduce_sum(found.phi_weights, 2),
        np.ones(found.phi_weights.shape[:2] + found.phi_weights.shape[3:]),
    )
    close(tf.reduce_sum(found.alpha_weights, 1), np.ones([1, found.alpha_weights.shape[2]]))
    assert np.abs(tf.linalg.diag_part(found.phi_weights[0, ..., 0])).max() == 0


def test_pairs_packed_once_serve_both_directions() -> None:
    layer = make_layer("feature_attention")
    nodes, edges = make_input()
    symmetric = (edges + tf.transpose(edges, [0, 2, 1, 3])) / 2
    rows = {}
    for i in range(4):
        for j in range(i, 4):
            rows[i, j] = rows[j, i] = len(set(rows.values()))
    packed = tf.stack([symmetric[0, i, j] for i, j in sorted(rows, key=rows.get) if i <= j])  # type: ignore[arg-type]
    index = tf.constant([[[rows[i, j] for j in range(4)] for i in range(4)]])
    found = layer(nodes, packed, index, tf.ones([1, 4], tf.bool))
    close(found.nodes, run(layer, nodes, symmetric).nodes)


def test_the_unused_gate_is_held_and_not_read() -> None:
    layer = make_layer("feature_attention", unused_gate=True)
    nodes, edges = make_input()
    before = run(layer, nodes, edges).nodes.numpy()
    gate = [value for name, value in layer.named_variables().items() if name.startswith("forget_gate/")]
    assert len(gate) == 6
    for variable in gate:
        variable.assign(variable + 1)
    np.testing.assert_array_equal(run(layer, nodes, edges).nodes, before)


def test_images_of_a_batch_do_not_hear_each_other() -> None:
    layer = make_layer("feature_attention", rho_relation=True)
    (first, first_edges), (second, second_edges) = make_input(seed=1), make_input(seed=2)
    both = run(layer, tf.concat([first, second], 0), tf.concat([first_edges, second_edges], 0))
    close(both.nodes[:1], run(layer, first, first_edges).nodes)
    close(both.edges[1:], run(layer, second, second_edges).edges)
