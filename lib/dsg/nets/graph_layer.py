"""The graph-permutation-invariant layer (paper, equations 1 and 2).

    aggregated_i = sum_j w_ij phi(z_j, z_i, z_ij)      w: softmax over j of a network of the same input
    g            = sum_i v_i alpha(z_i, aggregated_i)  v: softmax over i
    z'_i         = rho(z_i, g, aggregated_i)

Permuting the boxes permutes nodes and edges and changes nothing else. The first layers act on concatenations,
so each of their terms is computed once for a node, or once for an unordered pair, and added up where the
pairs [i, j] need it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.nets.layers import Block, Mlp
from dsg.runtime import addons

# SimpleSum of the release divides by this, whatever the number of nodes.
SUM_DIVISOR = 64.0


class GraphFeatures(NamedTuple):
    """The graph layer's result and what led to it (paper, equations 1 and 2)."""

    phi: tf.Tensor  # [B, N, N, P]: [i, j] is what node j says to node i
    phi_logits: tf.Tensor | None  # [B, N, N, P or 1] before the softmax over j; None for a plain sum
    phi_weights: tf.Tensor | None
    aggregated: tf.Tensor  # [B, N, P]
    alpha: tf.Tensor  # [B, N, P']
    alpha_logits: tf.Tensor | None
    alpha_weights: tf.Tensor | None  # attention of the graph to each node; None for a plain sum
    graph: tf.Tensor  # [B, P']
    nodes: tf.Tensor  # [B, N, D']: refined node features
    edges: tf.Tensor | None  # [B, N, N, F']: refined edge features, None if RHO_RELATION is off
    geometry: tf.Tensor | None = None  # [B, N, N, G]: embedding of each ordered pair's geometry, if any


class GraphLayer(Block):
    """Node features [B, N, D] and packed edge features [P, F] -> `GraphFeatures`."""

    def __init__(
        self,
        node_dim: int,
        edge_dim: int,
        *,
        aggregation: str,
        hidden: int,
        phi: int,
        alpha: int,
        rho: int,
        self_edge: bool = True,
        rho_neighbours: bool = True,
        rho_relation: bool = False,
        unused_gate: bool = False,
        hidden_layers: int = 2,
        attention_hidden: int = 1024,
        geometry: int = 0,
        attention: str = "softmax",
    ) -> None:
        super().__init__()
        self._attention = attention
        self._aggregation, self._self_edge, self._rho_neighbours = aggregation, self_edge, rho_neighbours
        pair, node = [node_dim, node_dim, edge_dim, geometry], [node_dim, phi]
        inner = [hidden] * hidden_layers
        self.neighbour_mlp = Mlp(pair, [*inner, phi], relu_last=True)
        self.graph_mlp = Mlp(node, [*inner, alpha], relu_last=True)
        if aggregation == "feature_attention":
            self.neighbour_attention = Mlp(pair, [*inner, phi])
            self.graph_attention = Mlp(node, [*inner, alpha])
        elif aggregation == "neighbour_attention":
            one_weight = [attention_hidden, 1] if attention_hidden else [1]
            self.neighbour_attention = Mlp(pair, one_weight)
            self.graph_attention = Mlp(node, one_weight)
        out = [node_dim, alpha, phi] if rho_neighbours else [node_dim, alpha]
        self.node_mlp = Mlp(out, [*inner, rho])
        if unused_gate:
            # Never computed. The release's checkpoint holds it and weight decay acts on it.
            self.forget_gate = Mlp(out, [*inner, rho])
        self._rho_relation = rho_relation
        if rho_relation:
            self.edge_mlp = Mlp([edge_dim, alpha, geometry], [*inner, rho])

    def call(
        self,
        nodes: tf.Tensor,
        pairs: tf.Tensor,
        pair_index: tf.Tensor,
        valid: tf.Tensor,
        geometry: tf.Tensor | None = None,
        heard: tf.Tensor | None = None,
    ) -> GraphFeatures:
        """`pairs` [P, F] holds each unordered pair once, `pair_index` [B, N, N] its row, `valid` [B, N] which
        nodes exist, `geometry` [B, N, N, G] what else is known of each ordered pair, `heard` bool [B, N, N]
        where node i hears node j; None: everywhere.
        """
        neighbour = valid[:, None, :]
        if heard is not None:
            neighbour &= heard
        if not self._self_edge:
            neighbour &= ~tf.eye(tf.shape(nodes)[1], dtype=tf.bool)[None]
        neighbour = tf.broadcast_to(neighbour, tf.shape(pair_index))[..., None]  # [B, N, N, 1]

        def first(mlp: Mlp) -> tf.Tensor:
            speaker, listener = mlp.term(nodes, 0)[:, None, :], mlp.term(nodes, 1)[:, :, None]
            total = speaker + listener + tf.gather(mlp.term(pairs, 2), pair_index)
            return total if geometry is None else total + mlp.term(geometry, 3)

        phi = self.neighbour_mlp(first(self.neighbour_mlp))
        phi_logits = self._logits("neighbour_attention", first)
        phi_weights, aggregated = _aggregate(phi, phi_logits, neighbour, 2, self._attention)

        def second(mlp: Mlp) -> tf.Tensor:
            return mlp.term(nodes, 0) + mlp.term(aggregated, 1)

        alpha = self.graph_mlp(second(self.graph_mlp))
        alpha_logits = self._logits("graph_attention", second)
        alpha_weights, graph = _aggregate(alpha, alpha_logits, valid[..., None], 1, self._attention)

        mlp, g = self.node_mlp, graph[:, None]
        out = mlp.term(nodes, 0) + mlp.term(g, 1)
        if self._rho_neighbours:
            out += mlp.term(aggregated, 2)
        edges = None
        if self._rho_relation:
            pair_term = tf.gather(self.edge_mlp.term(pairs, 0), pair_index)
            pair_term += self.edge_mlp.term(graph[:, None, None], 1)
            edges = self.edge_mlp(
                pair_term if geometry is None else pair_term + self.edge_mlp.term(geometry, 2)
            )
        return GraphFeatures(
            phi=phi,
            phi_logits=phi_logits,
            phi_weights=phi_weights,
            aggregated=aggregated,
            alpha=alpha,
            alpha_logits=alpha_logits,
            alpha_weights=alpha_weights,
            graph=graph,
            nodes=mlp(out),
            edges=edges,
            geometry=geometry,
        )

    def _logits(self, name: str, first_layer: Any) -> tf.Tensor | None:
        if self._aggregation == "sum":
            return None
        mlp = getattr(self, name)
        return mlp(first_layer(mlp))


def _aggregate(
    values: tf.Tensor, logits: tf.Tensor | None, exists: tf.Tensor, axis: int, attention: str = "softmax"
) -> tuple[tf.Tensor | None, tf.Tensor]:
    """Attention weights and the weighted sum of `values` over `axis`; a plain sum over SUM_DIVISOR where
    there are no logits.
    """
    if logits is None:
        return None, tf.reduce_sum(tf.where(exists, values, 0), axis) / tf.cast(SUM_DIVISOR, values.dtype)
    logits = tf.cast(logits, tf.float32)
    if attention == "sparsemax":
        lowest = tf.reduce_min(logits, axis, keepdims=True)
        highest = tf.reduce_max(tf.where(exists, logits, lowest), axis, keepdims=True)
        # What lies 1 below the highest gets no weight; -1e9 would cost sparsemax's sums their digits.
        weights = addons.sparsemax(tf.where(exists, logits, highest - 2.0), axis)
    else:
        weights = tf.nn.softmax(tf.where(exists, logits, -1e9), axis)
    # A node without any neighbour hears nothing; the softmax would spread its attention evenly.
    weights = tf.cast(tf.where(exists, weights, 0.0), values.dtype)
    return weights, tf.reduce_sum(weights * values, axis)
