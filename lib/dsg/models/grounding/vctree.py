"""VCTree's context: a tree that the boxes' own scores grow, and LSTMs along it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, overlap_numbers, positions
from dsg.models.grounding.motif import Context, ContextSizes, Known, certain_logits, drawn_dropout
from dsg.models.grounding.nodes import DOUBLE_SOFTMAX, Embedding, NodeInput
from dsg.models.grounding.tree_lstm import RootToLeaves, States, TreeLstm, by_levels
from dsg.models.grounding.trees import Forest, grow_forest
from dsg.nets.batch_norm import BatchNorm
from dsg.nets.layers import Block, Dense
from dsg.nets.seeds import content_seed

REDUCED = 128  # width of each of the four things that a pair score reads
POSITION_NUMBERS, OVERLAP_NUMBERS = 9, 6

Choose = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From boxes int32 [W] and their logits [W, labels - 1] to labels int32 [W]."""


class Normed(Block):
    """Numbers of a box -> [N, 128]: a dense layer, normalised, and a ReLU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dense, self.bn = Dense(dim, REDUCED), BatchNorm(REDUCED)

    def call(self, numbers: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.relu(self.bn(self.dense(numbers), training))


class PairScores(NamedTuple):
    """How related two boxes seem, [N, N]: rows i, columns j. Only pairs of one image mean something."""

    together: tf.Tensor  # how often their labels are related ("co")
    seen: tf.Tensor  # what the boxes' features say ("vis")
    logits: tf.Tensor  # sigmoid of the second times the first; learned from the annotated pairs

    @property
    def scores(self) -> tf.Tensor:
        """What trees are grown from."""
        return tf.sigmoid(self.logits)


class PairScorer(Block):
    """Features, labels and places of boxes -> `PairScores`.

    Args:
        sizes: widths.
        co_occurrence: float32 [labels, labels] that the table starts from, symmetric.
        swapped: of `positions`.
    """

    def __init__(self, sizes: ContextSizes, co_occurrence: np.ndarray | None, swapped: bool) -> None:
        super().__init__()
        width = sizes.hidden
        self.obj_reduce, self.emb_reduce = Dense(sizes.features, REDUCED), Dense(sizes.embedding, REDUCED)
        self.box, self.overlap = Normed(POSITION_NUMBERS), Normed(OVERLAP_NUMBERS)
        self.score_pre = Dense(4 * REDUCED, width)
        self.score_sub, self.score_obj = Dense(width, width), Dense(width, width)
        self.vision_prior = Dense(3 * width + 1, 1)
        self.co = self.weight("co", (sizes.labels, sizes.labels), "zeros", decay="kernel")
        if co_occurrence is not None:
            self.co.assign(co_occurrence)
        self._swapped = swapped

    def call(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        embedded: tf.Tensor,
        probabilities: tf.Tensor | None,
        training: bool,
    ) -> PairScores:
        """`probabilities` [N, labels]; None on images of the masks' data set, whose labels are others."""
        parts = [
            self.obj_reduce(tf.stop_gradient(x)),
            self.emb_reduce(tf.stop_gradient(embedded)),
            self.box(positions(boxes, swapped=self._swapped), training),
            self.overlap(overlap_numbers(boxes), training),
        ]
        hidden = tf.nn.relu(self.score_pre(tf.concat(parts, -1)))
        subject, object_ = tf.nn.relu(self.score_sub(hidden)), tf.nn.relu(self.score_obj(hidden))
        if probabilities is None:
            together = tf.ones([tf.shape(x)[0]] * 2, x.dtype)
        else:
            table = tf.convert_to_tensor(self.co)
            together = tf.matmul(tf.matmul(probabilities, table), probabilities, transpose_b=True)
        # A layer on [s_j o_i ; s_j ; o_i ; co] is four terms, of which the first is a product of matrices.
        weights = tf.split(tf.convert_to_tensor(self.vision_prior.kernel)[:-1, 0], 3)
        seen = tf.matmul(object_ * weights[0], subject, transpose_b=True)
        seen += tf.linalg.matvec(subject, weights[1])[None] + tf.linalg.matvec(object_, weights[2])[:, None]
        seen += together * self.vision_prior.kernel[-1, 0] + self.vision_prior.bias[0]
        return PairScores(together, seen, tf.sigmoid(seen) * together)


class TreeDecoder(Block):
    """Labels of boxes from the root on, each reading the label of its parent in the binary tree.

    Args:
        dim: of a box's input.
        sizes: widths.
        shift: 1: label l reads row l + 1, for row 0 is the start; 0: row l, as released, one too early.
    """

    def __init__(self, dim: int, sizes: ContextSizes, shift: int = 0) -> None:
        super().__init__()
        self.table = Embedding(sizes.labels + 1, sizes.embedding)
        self.tree = RootToLeaves(dim + sizes.embedding, sizes.hidden)
        self.out = Dense(sizes.hidden, sizes.labels)
        self._dim, self._sizes, self._shift = dim, sizes, shift

    def call(self, inputs: tf.Tensor, forest: Forest, choose: Choose, dropout: tf.Tensor | None) -> tf.Tensor:
        """Logits [N, labels].

        Args:
            inputs: [N, dim].
            forest: the trees.
            choose: the labels that children read.
            dropout: [N, hidden], factors of the hidden states.
        """
        x, px, dim = self.tree.x, self.tree.px, self._dim
        gates, carried = (part.apply_rows(inputs, 0, dim) + part.bias for part in (x, px))
        count = tf.shape(inputs)[0]
        rows = tf.zeros([count + 1], tf.int32)  # of the table; 0, the start, is what roots read
        logits = tf.zeros([count + 1, self._sizes.labels], inputs.dtype)
        zeros = tf.zeros([count + 1, self._sizes.hidden], inputs.dtype)

        def step(boxes: tf.Tensor, states: States) -> States:
            parents = tf.gather(forest.parents, boxes)
            before = tf.gather(states[0], parents), tf.gather(states[1], parents)
            read = self.table(tf.gather(states[3], parents))
            gate, carry = (
                tf.gather(known, boxes) + part.apply_rows(read, dim, None)
                for known, part in ((gates, x), (carried, px))
            )
            hidden, cell = self.tree.advance(gate, carry, before)
            hidden = hidden if dropout is None else hidden * tf.gather(dropout, boxes)
            logits = self.out(hidden)
            return hidden, cell, logits, choose(boxes, logits[:, :-1]) + self._shift

        return by_levels(forest, (zeros, zeros, logits, rows), step, upwards=False)[2][:-1]


class VCTreeContext(Block):
    """Boxes, features and scores -> `Context`.

    Args:
        sizes: widths.
        label_embed, swapped: of `NodeInput`.
        shift: of `TreeDecoder`.
        co_occurrence: of `PairScorer`.
    """

    reads_pairs = False

    def __init__(
        self,
        sizes: ContextSizes,
        *,
        label_embed: str = DOUBLE_SOFTMAX,
        swapped: bool = True,
        shift: int = 0,
        co_occurrence: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        half = sizes.hidden // 2
        self.node = NodeInput(sizes.labels, sizes.mask_labels, sizes.embedding, label_embed, swapped)
        self.pairs = PairScorer(sizes, co_occurrence, swapped)
        self.obj_tree = TreeLstm(sizes.nodes, half)
        self.decoder = TreeDecoder(sizes.nodes + sizes.hidden, sizes, shift)
        self.obj_embed2 = Embedding(sizes.labels, sizes.embedding)
        self.edge_tree = TreeLstm(sizes.embedding + sizes.features + sizes.hidden, half)
        self._sizes = sizes

    def call(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        known: Known,
        training: bool = False,
        dropout: tf.Tensor | None = None,
        choose: Choose | None = None,
    ) -> Context:
        """`x` float32 [N, features]; `dropout` [B, hidden] replaces the mask that training draws, `choose`
        how labels for the children are chosen: in training drawn, else the most probable.
        """
        given = known.scores is None
        logits = certain_logits(known.labels, self._sizes.labels) if given else known.scores
        nodes, encoded, forest, pairs = self.encode(boxes, x, known, logits, training=training)
        together = tf.concat([nodes, encoded], -1)
        if given:
            labels = known.labels
        else:
            if training and dropout is None:
                shape = [tf.shape(boxes.image_size)[0], self._sizes.hidden]
                dropout = drawn_dropout(together, shape)
            choose = choose or (drawn if training else most_probable)
            factors = None if dropout is None else tf.gather(dropout, boxes.image)
            logits = self.decoder(together, forest, choose, factors)
            labels = tf.argmax(logits[:, :-1], -1, tf.int32)
        edges = self.edge_tree(tf.concat([self.obj_embed2(labels), x, encoded], -1), forest)
        return Context(logits, labels, edges, together, pairs.logits)

    def encode(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        known: Known,
        logits: tf.Tensor | None,
        *,
        masks: bool = False,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, Forest, PairScores]:
        """Nodes [N, nodes], what the encoder makes of them [N, hidden], the trees and what they grew from.

        Args:
            logits: [N, labels] of which a softmax says how probable labels are, as released also where they
                are probabilities; None on images of the masks' data set.
        """
        nodes, embedded = self.node(boxes, x, known.scores, known.labels, masks=masks, training=training)
        probabilities = None if logits is None else tf.nn.softmax(logits)
        pairs = self.pairs(boxes, x, embedded, probabilities, training)
        forest = grow_forest(tf.stop_gradient(pairs.scores), boxes.counts)
        return nodes, self.obj_tree(nodes, forest), forest, pairs

    def for_masks(self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False) -> tf.Tensor:
        """`Context.nodes` of images of the masks' data set, whose labels are not decoded."""
        return tf.concat(self.encode(boxes, x, known, None, masks=True, training=training)[:2], -1)


def most_probable(boxes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Labels int32 [W] from logits [W, labels - 1] of these boxes."""
    return tf.argmax(logits, -1, tf.int32)


def drawn(boxes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Labels int32 [W] drawn from the softmax of logits [W, labels - 1], by a seed that follows from them."""
    return tf.random.stateless_categorical(logits, 1, content_seed(logits, 0), tf.int32)[:, 0]
