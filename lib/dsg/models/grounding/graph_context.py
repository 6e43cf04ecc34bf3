"""The project's own context: the graph layer of the differentiable scene graph, on boxes and pairs whose
features hold their masks.

Each box listens to the boxes that it is paired with as their subject: one weight for each neighbour, for of
weights for each feature nothing is left once they are averaged. How two boxes lie to each other is told in
numbers, for the union's features do not say which box is on which side.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, Sequences, sequences
from dsg.models.grounding.motif import Context, ContextSizes, Known, Pairs, decided
from dsg.models.grounding.nodes import DOUBLE_SOFTMAX, NodeInput
from dsg.nets.graph_layer import GraphFeatures, GraphLayer
from dsg.nets.layers import Block, Dense
from dsg.nets.pair_geometry import PairGeometry

GEOMETRY = 64  # width of what is said of how two boxes lie to each other


class GraphContext(Block):
    """Boxes, features of boxes and of pairs, and scores -> `Context`.

    Images of the masks' data set have no pairs, so what the masks' refiner reads of a box is what the layer
    makes of it where pairs have no features but their geometry, everywhere.

    Args:
        sizes: widths.
        label_embed, swapped: of `NodeInput`.
    """

    reads_pairs = True

    def __init__(
        self, sizes: ContextSizes, *, label_embed: str = DOUBLE_SOFTMAX, swapped: bool = True
    ) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.node = NodeInput(sizes.labels, sizes.mask_labels, sizes.embedding, label_embed, swapped)
        self.geometry = PairGeometry(GEOMETRY)
        self.gpi = GraphLayer(
            *(sizes.nodes, sizes.features),
            aggregation="neighbour_attention",
            hidden=hidden,
            phi=hidden,
            alpha=hidden,
            rho=hidden,
            attention_hidden=hidden,
            self_edge=False,
            rho_relation=True,
            geometry=GEOMETRY,
        )
        self.pair = Dense(hidden, sizes.features)
        self.out = Dense(hidden, sizes.labels)

    def call(
        self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False, *, pairs: Pairs
    ) -> Context:
        """`x` float32 [N, features]. `Context.pairs` are features [P, features] to which the layer's are
        added.
        """
        nodes, _ = self.node(boxes, x, known.scores, known.labels, training=training)
        order = sequences(tf.range(tf.shape(x)[0]), boxes.counts)
        places = tf.gather(order.places, pairs.rows)  # [P, 2, 2]: image and place of subject and object
        cells = tf.concat([places[:, 0], places[:, 1, 1:]], -1)
        # Row 0 stands for pairs that are not listed, which nobody hears.
        features = tf.pad(pairs.features, [[1, 0], [0, 0]])
        count, most = tf.shape(order.lengths)[0], tf.shape(order.rows)[1]
        index = tf.tensor_scatter_nd_max(
            tf.zeros([count, most, most], tf.int32), cells, tf.range(1, tf.shape(cells)[0] + 1)
        )
        found = self._layer(order, boxes, nodes, features, index, index > 0)
        state = order.scatter(found.nodes)
        labels, logits = decided(known, self.out(state))
        together = tf.concat([nodes, self._without_pairs(order, boxes, nodes)], -1)
        said = self.pair(tf.gather_nd(found.edges, cells))
        return Context(logits, labels, state, together, pairs=pairs.features + said)

    def for_masks(self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False) -> tf.Tensor:
        """`Context.nodes` of images of the masks' data set, whose labels are not decided."""
        nodes, _ = self.node(boxes, x, known.scores, known.labels, masks=True, training=training)
        order = sequences(tf.range(tf.shape(x)[0]), boxes.counts)
        return tf.concat([nodes, self._without_pairs(order, boxes, nodes)], -1)

    def _without_pairs(self, order: Sequences, boxes: BoxList, nodes: tf.Tensor) -> tf.Tensor:
        """[N, hidden]: every box of an image hears every other."""
        most = tf.shape(order.rows)[1]
        index = tf.zeros([tf.shape(order.lengths)[0], most, most], tf.int32)
        features = tf.zeros([1, self.pair.kernel.shape[1]], nodes.dtype)
        return order.scatter(self._layer(order, boxes, nodes, features, index, None).nodes)

    def _layer(
        self,
        order: Sequences,
        boxes: BoxList,
        nodes: tf.Tensor,
        features: tf.Tensor,
        index: tf.Tensor,
        heard: tf.Tensor | None,
    ) -> GraphFeatures:
        valid = tf.sequence_mask(order.lengths, tf.shape(order.rows)[1])
        geometry = self.geometry(order.gather(boxes.boxes), nodes.dtype)
        return self.gpi(order.gather(nodes), features, index, valid, geometry, heard)
