"""What is read off the features: the role of each box for a query, and the labels of the scene graph.

A query is three ids (subject category, predicate, object category). The release feeds it as a one-hot vector
behind the node feature; looking up rows of the first kernel gives the same sums, and neither nodes nor
queries are ever repeated.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from dsg.models.dsg.outputs import LabelLogits
from dsg.nets.kernels.products import product
from dsg.nets.layers import Block, Dense, Initializer, Mlp

ROLES = 4  # background, subject, object, other


class RoleClassifier(Block):
    """Referring-relationship classifier: nodes [B, N, D] and queries [B, Q, 3] -> logits [B, Q, N, 4].

    Of a node D values count, of a query three. With initial weights of one size for all, a node is heard
    sqrt(D / 3) times as loud as the query, and thousands of steps pass before the two are compared;
    `even` begins with both alike. (The release's initial values are not.)
    """

    def __init__(
        self,
        node_dim: int,
        num_entities: int,
        num_predicates: int,
        hidden: Sequence[int],
        init: Initializer,
        even: bool = False,
    ) -> None:
        super().__init__()
        parts = [node_dim, num_entities, num_predicates, num_entities]
        self.mlp = Mlp(parts, [*hidden, ROLES], init=init)
        if even:
            kernel = self.mlp.layers[0].kernel
            of_query = tf.range(sum(parts)) >= node_dim
            kernel.assign(kernel * tf.where(of_query, (node_dim / 3) ** 0.5, 1.0)[:, None])

    def call(self, nodes: tf.Tensor, queries: tf.Tensor) -> tf.Tensor:
        query = sum(self.mlp.look_up(queries[..., slot], slot + 1, nodes.dtype) for slot in range(3))
        return tf.cast(self.mlp(self.mlp.term(nodes, 0)[:, None] + query[:, :, None]), tf.float32)


# Logarithms of probabilities, finite: of a relation without a partner, and of a box that only pads the batch
# and is never the best of any.
UNLIKELY, NO_BOX = -30.0, -1e4


class MatchingHead(Block):
    """Query-conditioned read-out of the labelled graph: labels and queries -> logits [B, Q, N, 4] to add to
    the classifier's.

    Box i is a good subject if it looks like s and some other box j looks like o and stands in relation r to
    it: log p(s | i) + max_{j != i} [log p(r | i, j) + log p(o | j)]; the same for objects. Two learned
    numbers scale and shift each score.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.weight("scale", (2,), "ones")
        self.shift = self.weight("shift", (2,), "zeros")

    def call(self, labels: LabelLogits, queries: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        entity = tf.nn.log_softmax(tf.cast(labels.entities, tf.float32))  # [B, N, E]
        predicate = tf.nn.log_softmax(tf.cast(labels.predicates, tf.float32))  # [B, N, N, R]
        by_class = tf.transpose(entity, [0, 2, 1])
        subject = tf.gather(by_class, queries[..., 0], batch_dims=1)  # [B, Q, N]
        object_ = tf.gather(by_class, queries[..., 2], batch_dims=1)
        relation = tf.gather(
            tf.transpose(predicate, [0, 3, 1, 2]), queries[..., 1], batch_dims=1
        )  # [B, Q, N, N]
        subject, object_ = (tf.where(valid[:, None], of_box, NO_BOX) for of_box in (subject, object_))
        exists = valid[:, None, :] & valid[:, :, None] & ~tf.eye(tf.shape(valid)[1], dtype=tf.bool)
        relation = tf.where(exists[:, None], relation, UNLIKELY)
        as_subject = subject + tf.reduce_max(relation + object_[:, :, None, :], 3)
        as_object = object_ + tf.reduce_max(relation + subject[:, :, :, None], 2)
        scores = tf.stack([as_subject, as_object], -1)
        scores = scores * tf.convert_to_tensor(self.scale) + tf.convert_to_tensor(self.shift)
        return tf.pad(scores, [[0, 0], [0, 0], [0, 0], [1, 1]])


class QueryAttention(Block):
    """Query-conditioned attention over edges: what a box hears from its neighbours when it is asked about
    this query. Adds logits [B, Q, N, 4] to the classifier's.

    An edge [i, j] is embedded as h_ij = relu(A z_i + B z_j + C z_ij); the query has a key for box i as the
    subject and one as the object, and box i gathers sum_j softmax_j(key . h_ij) h_ij with each.
    """

    def __init__(
        self,
        width: int,
        node_dim: int,
        edge_dim: int,
        geometry: int,
        num_entities: int,
        num_predicates: int,
        hidden: Sequence[int],
    ) -> None:
        super().__init__()
        self.edges = Mlp([node_dim, node_dim, edge_dim, geometry], [width])
        slots = [num_entities, num_predicates, num_entities]
        self.keys = [Mlp(slots, [width]) for _ in range(2)]  # of the subject, of the object
        self.roles = Mlp([width, width], [*hidden, ROLES])
        self._scale = width**-0.5

    def call(
        self,
        nodes: tf.Tensor,
        pairs: tf.Tensor,
        pair_index: tf.Tensor,
        geometry: tf.Tensor | None,
        valid: tf.Tensor,
        queries: tf.Tensor,
    ) -> tf.Tensor:
        mlp = self.edges
        first = mlp.term(nodes, 0)[:, :, None] + mlp.term(nodes, 1)[:, None]
        first += tf.gather(mlp.term(pairs, 2), pair_index)
        edges = tf.nn.relu(mlp(first if geometry is None else first + mlp.term(geometry, 3)))
        exists = valid[:, None, :] & ~tf.eye(tf.shape(valid)[1], dtype=tf.bool)[None]  # [B, N, N]
        gathered = 0.0
        for part, key_mlp in enumerate(self.keys):
            key = sum(key_mlp.look_up(queries[..., slot], slot, edges.dtype) for slot in range(3))
            key = key_mlp(key) * self._scale
            logits = product(lambda k, e: tf.einsum("bqw,bijw->bqij", k, e), key, edges)
            logits = tf.cast(logits, tf.float32)
            weights = tf.nn.softmax(tf.where(exists[:, None], logits, -1e9))
            weights = tf.cast(tf.where(exists[:, None], weights, 0.0), edges.dtype)
            heard = product(lambda w, e: tf.einsum("bqij,bijw->bqiw", w, e), weights, edges)
            gathered += self.roles.term(heard, part)
        return tf.cast(self.roles(gathered), tf.float32)


class GraphLabels(Block):
    """Labels decoded from the graph: entities from refined nodes, predicates from both nodes, their pair and
    the graph vector.

    Where the graph layer refines edges (GPI.RHO_RELATION) predicates are read off these instead, as in the
    paper.
    """

    def __init__(
        self,
        refined_dim: int,
        node_dim: int,
        edge_dim: int,
        graph_dim: int,
        num_entities: int,
        num_predicates: int,
        refined_edges: bool,
        geometry: int = 0,
    ) -> None:
        super().__init__()
        self.entities = Dense(refined_dim, num_entities)
        parts = [refined_dim] if refined_edges else [node_dim, node_dim, edge_dim, graph_dim, geometry]
        self.predicates = Mlp(parts, [num_predicates])

    def call(
        self,
        nodes: tf.Tensor,
        pairs: tf.Tensor,
        pair_index: tf.Tensor,
        refined: tf.Tensor,
        graph: tf.Tensor,
        edges: tf.Tensor | None,
        geometry: tf.Tensor | None = None,
    ) -> LabelLogits:
        entities = tf.cast(self.entities(refined), tf.float32)
        mlp = self.predicates
        if edges is not None:
            return LabelLogits(entities, tf.cast(mlp(mlp.term(edges, 0)), tf.float32))
        pair = tf.gather(mlp.term(pairs, 2), pair_index)
        first = (
            mlp.term(nodes, 0)[:, None]
            + mlp.term(nodes, 1)[:, :, None]
            + pair
            + mlp.term(graph, 3)[:, None, None]
        )
        if geometry is not None:
            first += mlp.term(geometry, 4)
        return LabelLogits(entities, tf.cast(mlp(first), tf.float32))


class GroundTruthLabels(Block):
    """Labels of the ground-truth boxes, from their features without coordinates and without a graph; training
    only. No predicates where pairs were not encoded.
    """

    def __init__(self, dim: int, num_entities: int, num_predicates: int) -> None:
        super().__init__()
        self.entities = Dense(dim, num_entities)
        self.predicates = Mlp([dim, dim, dim], [num_predicates])

    def call(self, nodes: tf.Tensor, pairs: tf.Tensor | None, pair_index: tf.Tensor | None) -> LabelLogits:
        entities = tf.cast(self.entities(nodes), tf.float32)
        if pairs is None:
            return LabelLogits(entities, None)
        mlp = self.predicates
        pair = tf.gather(mlp.term(pairs, 0), pair_index)
        first = pair + mlp.term(nodes, 1)[:, None] + mlp.term(nodes, 2)[:, :, None]
        return LabelLogits(entities, tf.cast(mlp(first), tf.float32))
