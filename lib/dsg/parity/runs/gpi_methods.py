"""The graph layer alone, for each of the release's aggregation methods, with its label heads.

Relation features in the file are not symmetric, so all N * N pairs are packed, and not only those with i <=
j.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import release_name
from dsg.errors import UserError
from dsg.models.dsg.classifiers import GraphLabels, GroundTruthLabels
from dsg.nets.graph_layer import GraphLayer
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.recipe import recipe_value

METHODS = {
    "FeatureAttention": "feature_attention",
    "NeighbourAttention": "neighbour_attention",
    "SimpleSum": "sum",
}
WIDEST = 100_000  # entries along an axis of a variable
FEATURES, WEIGHTS = Tolerance("relative", 3e-5), Tolerance("relative", 1e-4)


class GraphParts(NamedTuple):
    """The layers that the file is about, with the recipe's weights."""

    graph: GraphLayer
    labels: GraphLabels
    gt_labels: GroundTruthLabels

    def named_variables(self) -> dict[str, tf.Variable]:
        """Our names of all variables."""
        found: dict[str, tf.Variable] = {}
        for name, part in zip(("gpi", "labels", "gt_labels"), self):
            found.update(part.named_variables(f"{name}/"))
        return found


def run(golden: Golden, *_: Any) -> Checks:
    """All methods in the file."""
    checks = Checks(golden)
    checks.given("in/.*")
    for method, aggregation in METHODS.items():
        if f"{method}/variables" in golden:
            _check_method(checks, method, aggregation)
    return checks.finish()


def graph_parts(golden: Golden, method: str) -> GraphParts:
    """The layers of one method, of the sizes that the file states, filled by the recipe."""
    shapes = stated_shapes(golden, method)
    node_dim, edge_dim, gt_dim = (
        golden.array(key, *[None] * rank).shape[-1]
        for key, rank in (("in/node_features", 2), ("in/relation_features", 3), ("in/gt_node_features", 2))
    )

    def width(name: str) -> int:
        if name not in shapes:
            raise UserError(f"{golden.path}: {method}/variables lacks {name}")
        return shapes[name][-1]

    rho, alpha = width("gpi/nn_obj/2/weights"), width("gpi/nn_phi2/2/weights")
    entities, predicates = width("gpi/rel_score/0/weights"), width("gpi/ent_score/0/weights")
    graph = GraphLayer(
        node_dim,
        edge_dim,
        aggregation=METHODS[method],
        hidden=width("gpi/nn_phi/0/weights"),
        phi=width("gpi/nn_phi/2/weights"),
        alpha=alpha,
        rho=rho,
        unused_gate="gpi/nn_obj_forgate/0/weights" in shapes,
    )
    labels = GraphLabels(rho, node_dim, edge_dim, alpha, entities, predicates, refined_edges=False)
    parts = GraphParts(graph, labels, GroundTruthLabels(gt_dim, entities, predicates))
    for name, variable in parts.named_variables().items():
        variable.assign(recipe_value(str(release_name(name, "res101")), variable.shape))
    return parts


def stated_shapes(golden: Golden, method: str) -> Mapping[str, list[int]]:
    """The release's names and shapes of one method's variables."""
    shapes = golden.mapping(f"{method}/variables")
    for name, shape in shapes.items():
        sides = shape if isinstance(shape, list) else []
        if not sides or not all(isinstance(side, int) and 0 < side <= WIDEST for side in sides):
            raise UserError(
                f"{golden.path}: {method}/variables gives {name} the shape {shape!r}, "
                f"expected a list of whole numbers from 1 to {WIDEST}"
            )
    return shapes


def _check_method(checks: Checks, method: str, aggregation: str) -> None:
    golden = checks.golden
    parts = graph_parts(golden, method)
    ours = {
        release_name(name, "res101"): list(value.shape) for name, value in parts.named_variables().items()
    }
    listed = [json.dumps(sorted(shapes.items())) for shapes in (ours, stated_shapes(golden, method))]
    checks.compare(f"{method}/variables", np.array(listed[0]), EXACT, reference=np.array(listed[1]))

    nodes, pairs, index = _packed(golden, "in/node_features", "in/relation_features")
    found = parts.graph(nodes, pairs, index, tf.ones(nodes.shape[:2], tf.bool))
    labels = parts.labels(nodes, pairs, index, found.nodes, found.graph, found.edges)
    gt_labels = parts.gt_labels(*_packed(golden, "in/gt_node_features", "in/gt_relation_features"))
    features = {
        "phi": found.phi,
        "att_scores": found.phi_logits,
        "att_weights": found.phi_weights,
        "aggregated": found.aggregated,
        "alpha": found.alpha,
        "alpha_scores": found.alpha_logits,
        "alpha_weights": found.alpha_weights,
        "graph": found.graph,
        "node_features": found.nodes,
        "ent_score": labels.entities,
        "rel_score": labels.predicates,
        "gt_ent_score": gt_labels.entities,
        "gt_rel_score": gt_labels.predicates,
    }
    for name, value in features.items():
        allowed = WEIGHTS if name.endswith("weights") else FEATURES
        if value is not None:
            checks.compare(f"{method}/{name}", value[0], allowed)
            checks.compare(f"{method}/{name}.sub8", value[0, ..., ::8], allowed)


def _packed(golden: Golden, nodes: str, pairs: str) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Nodes [1, N, D], all pairs [N * N, F], and the row of each pair [1, N, N]."""
    features = golden.floats(nodes, None, None)
    count = len(features)
    edges = golden.floats(pairs, count, count, None)
    index = tf.reshape(tf.range(count * count), [1, count, count])
    return tf.constant(features[None]), tf.constant(edges.reshape(count * count, -1)), index
