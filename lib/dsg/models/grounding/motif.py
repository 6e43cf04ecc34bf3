"""MOTIF's context: boxes read in a row from right to left, labels decided one after another on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.grounding.answers import suppressed_labels
from dsg.models.grounding.boxes import BoxList, Sequences, across
from dsg.models.grounding.nodes import DOUBLE_SOFTMAX, POSITION_DIM, Embedding, NodeInput
from dsg.nets.layers import Block, Dense
from dsg.nets.recurrent import BidirectionalLstm, over_time
from dsg.nets.seeds import content_seed

DROPOUT = 0.2
CERTAIN = 1000.0
"""The logit of a label that is given, and less that of every other."""


class ContextSizes(NamedTuple):
    """Widths of a context encoder."""

    labels: int = 151  # with the background
    mask_labels: int = 81  # with the background
    features: int = 1024
    hidden: int = 512
    embedding: int = 200

    @property
    def nodes(self) -> int:
        """Of a node's input: features, label, position."""
        return self.features + self.embedding + POSITION_DIM


class Context(NamedTuple):
    """What a context encoder says of the boxes of a batch."""

    object_logits: tf.Tensor  # [N, labels]
    labels: tf.Tensor  # int32 [N]: what follows reads these
    edges: tf.Tensor  # [N, hidden]: what the predicates' classifier reads
    nodes: tf.Tensor  # [N, nodes + hidden]: what the masks' refiner reads (z^o)
    pair_logits: tf.Tensor | None = None  # VCTree's [N, N]: are two boxes related
    pairs: tf.Tensor | None = None  # [P, D]: what predicates read of pairs instead of their features


class Known(NamedTuple):
    """What is known of the boxes beforehand."""

    labels: tf.Tensor  # int32 [N]: the annotated ones, or the detector's
    scores: tf.Tensor | None  # [N, labels] of the detector; None where labels are given (PredCls)
    class_boxes: tf.Tensor | None = None  # [N, labels - 1, 4] of the detector (SGDet)


class Pairs(NamedTuple):
    """Pairs of boxes, for encoders that read them (`reads_pairs`)."""

    rows: tf.Tensor  # int32 [P, 2]: subject and object
    features: tf.Tensor  # [P, features]


class Decoder(Block):
    """Labels of boxes in a row, each reading the label before it: an LSTM with a highway.

    Args:
        dim: of a box's input.
        sizes: widths.
        shift: 1: label l reads row l + 1, for row 0 is the start; 0: row l, as released, one too early.
    """

    def __init__(self, dim: int, sizes: ContextSizes, shift: int = 0) -> None:
        super().__init__()
        self.table = Embedding(sizes.labels + 1, sizes.embedding)
        self.inputs = Dense(dim + sizes.embedding, 6 * sizes.hidden)
        self.state = Dense(sizes.hidden, 5 * sizes.hidden)
        self.out = Dense(sizes.hidden, sizes.labels)
        self._dim, self._sizes, self._shift = dim, sizes, shift

    def call(
        self, inputs: tf.Tensor, teacher: tf.Tensor | None, dropout: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits [B, T, labels] and labels int32 [B, T].

        Args:
            inputs: [B, T, dim].
            teacher: int32 [B, T], labels to read in training where they are not the background.
            dropout: [B, hidden], factors of the hidden state, the same at every place.
        """
        background, hidden = self._sizes.labels - 1, self._sizes.hidden
        # The part of the input that is known before the first step is multiplied at once.
        known = self.inputs.apply_rows(inputs, 0, self._dim) + self.inputs.bias
        given = tf.fill(tf.shape(inputs)[:2], background) if teacher is None else teacher
        batch = tf.shape(inputs)[0]
        zeros = tf.zeros([batch, hidden], inputs.dtype)
        state = (
            zeros,
            zeros,
            tf.zeros([batch, self._sizes.labels], inputs.dtype),
            tf.zeros([batch], tf.int32),
        )

        def step(state: tuple[tf.Tensor, ...], now: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            hidden_before, cell, _, row = state
            known_part, label = now
            projected = known_part + self.inputs.apply_rows(self.table(row), self._dim, None)
            let_in, keep, new, let_out, highway = tf.split(
                projected[:, : 5 * hidden] + self.state(hidden_before), 5, -1
            )
            cell = tf.sigmoid(let_in) * tf.tanh(new) + tf.sigmoid(keep) * cell
            out, gate = tf.sigmoid(let_out) * tf.tanh(cell), tf.sigmoid(highway)
            out = gate * out + (1.0 - gate) * projected[:, 5 * hidden :]
            out = out if dropout is None else out * dropout
            logits = self.out(out)
            best = tf.argmax(logits[:, :-1], -1, tf.int32)
            label = tf.where(label == background, best, label)
            return out, cell, logits, label + self._shift

        times = (tf.transpose(known, [1, 0, 2]), tf.transpose(given))
        _, _, logits, rows = over_time(step, times, state)
        return tf.transpose(logits, [1, 0, 2]), tf.transpose(rows) - self._shift


class MotifContext(Block):
    """Boxes, features and scores -> `Context`.

    Args:
        sizes: widths.
        label_embed, swapped: of `NodeInput`.
        leftwards: of `across`.
        shift: of `Decoder`.
    """

    reads_pairs = False

    def __init__(
        self,
        sizes: ContextSizes,
        *,
        label_embed: str = DOUBLE_SOFTMAX,
        swapped: bool = True,
        leftwards: bool = True,
        shift: int = 0,
    ) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.node = NodeInput(sizes.labels, sizes.mask_labels, sizes.embedding, label_embed, swapped)
        self.obj_lstm, self.lin_obj = BidirectionalLstm(sizes.nodes, hidden), Dense(2 * hidden, hidden)
        self.decoder = Decoder(sizes.nodes + hidden, sizes, shift)
        self.obj_embed2 = Embedding(sizes.labels, sizes.embedding)
        edge = sizes.embedding + sizes.features + hidden
        self.edge_lstm, self.lin_edge = BidirectionalLstm(edge, hidden), Dense(2 * hidden, hidden)
        self._sizes, self._leftwards = sizes, leftwards

    def call(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        known: Known,
        training: bool = False,
        dropout: tf.Tensor | None = None,
    ) -> Context:
        """`x` float32 [N, features]; `dropout` [B, hidden] replaces the mask that training draws."""
        order = across(boxes, leftwards=self._leftwards)
        nodes, encoded = self.encode(boxes, x, known, order, training=training)
        together = tf.concat([nodes, encoded], -1)
        if known.scores is None:
            labels, logits = known.labels, certain_logits(known.labels, self._sizes.labels)
        else:
            labels, logits = self._decode(boxes, together, known, order, training, dropout)
        edge_in = tf.concat([self.obj_embed2(labels), x, encoded], -1)
        edges = self.lin_edge(order.scatter(self.edge_lstm(order.gather(edge_in), order.lengths)))
        return Context(logits, labels, edges, together)

    def encode(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        known: Known,
        order: Sequences,
        *,
        masks: bool = False,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Nodes [N, nodes] and what the encoder makes of them [N, hidden]."""
        nodes, _ = self.node(boxes, x, known.scores, known.labels, masks=masks, training=training)
        states = self.obj_lstm(order.gather(nodes), order.lengths)
        return nodes, self.lin_obj(order.scatter(states))

    def for_masks(self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False) -> tf.Tensor:
        """`Context.nodes` of images of the masks' data set, whose labels are not decoded."""
        order = across(boxes, leftwards=self._leftwards)
        return tf.concat(self.encode(boxes, x, known, order, masks=True, training=training), -1)

    def _decode(
        self,
        boxes: BoxList,
        inputs: tf.Tensor,
        known: Known,
        order: Sequences,
        training: bool,
        dropout: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if training and dropout is None:
            shape = [tf.shape(boxes.image_size)[0], self._sizes.hidden]
            dropout = drawn_dropout(inputs, shape)
        teacher = order.gather(known.labels) if training else None
        logits, labels = self.decoder(order.gather(inputs), teacher, dropout)
        logits, labels = order.scatter(logits), order.scatter(labels)
        if known.class_boxes is not None and not training:
            labels = suppressed(logits, known.class_boxes, boxes)
        return labels, logits


def drawn_dropout(content: tf.Tensor, shape: Sequence[Any]) -> tf.Tensor:
    """Factors of hidden states [B, hidden], 0 or 1 / (1 - DROPOUT), by a seed that follows from `content`: a
    run that resumes draws what an uninterrupted one draws.
    """
    seed = content_seed(content, 0)
    return tf.nn.experimental.stateless_dropout(tf.ones(shape, content.dtype), DROPOUT, seed)


def certain_logits(labels: tf.Tensor, count: int) -> tf.Tensor:
    """Logits [N, count] of labels that are given."""
    return tf.one_hot(labels, count, CERTAIN, -CERTAIN)


def decided(known: Known, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels int32 [N] and logits [N, labels] of boxes whose labels do not depend on one another: as they are
    given, or the most probable.
    """
    if known.scores is None:
        return known.labels, certain_logits(known.labels, logits.shape[-1])
    return tf.argmax(logits[:, :-1], -1, tf.int32), logits


def suppressed(logits: tf.Tensor, class_boxes: tf.Tensor, boxes: BoxList) -> tf.Tensor:
    """`answers.suppressed_labels` of each image: int32 [N]."""

    def choose(scores: np.ndarray, candidates: np.ndarray, image: np.ndarray) -> np.ndarray:
        labels = np.zeros(len(scores), np.int32)
        for number in np.unique(image):
            own = image == number
            labels[own] = suppressed_labels(scores[own], candidates[own])
        return labels

    scores = tf.nn.softmax(logits)[:, :-1]
    labels = tf.numpy_function(choose, [scores, class_boxes, boxes.image], tf.int32, stateful=False)
    return tf.ensure_shape(labels, [None])
