"""IMP's context (Xu et al. 2017): boxes and pairs tell each other what they are, for a few rounds.

A box and a pair each have a state that a GRU keeps. Each round, a pair hears its subject and its object, and
a box hears the pairs that it is the subject or the object of; all at once, from the states of the round
before. What is said is the speaker's state times a gate in 0..1 that depends on the two states. A box adds up
what it hears, so it hears more where there are more pairs. Predicates are read off the states of the pairs.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.motif import Context, ContextSizes, Known, Pairs, decided
from dsg.models.grounding.nodes import DOUBLE_SOFTMAX, NodeInput
from dsg.nets.layers import Block, Dense
from dsg.nets.recurrent import GruCell

ROUNDS = 3


class Gate(Block):
    """States of boxes [N, H] and of pairs [P, H] -> how much of a message passes, [P, 1]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.weights = Dense(2 * hidden, 1)
        self._hidden = hidden

    def call(self, boxes: tf.Tensor, rows: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
        """`rows` int32 [P]: the box of each pair that is meant."""
        box = tf.gather(self.weights.apply_rows(boxes, 0, self._hidden), rows)
        return tf.sigmoid(
            box + self.weights.apply_rows(pairs, self._hidden, None) + tf.convert_to_tensor(self.weights.bias)
        )


class ImpContext(Block):
    """Boxes, features of boxes and of pairs, and scores -> `Context`.

    Images of the masks' data set have no pairs, so what the masks' refiner reads of a box is its state before
    the first round, everywhere.

    Args:
        sizes: widths.
        label_embed, swapped: of `NodeInput`.
        rounds: of messages.
    """

    reads_pairs = True

    def __init__(
        self,
        sizes: ContextSizes,
        *,
        label_embed: str = DOUBLE_SOFTMAX,
        swapped: bool = True,
        rounds: int = ROUNDS,
    ) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.node = NodeInput(sizes.labels, sizes.mask_labels, sizes.embedding, label_embed, swapped)
        self.obj_unary, self.edge_unary = Dense(sizes.nodes, hidden), Dense(sizes.features, hidden)
        self.node_gru, self.edge_gru = GruCell(hidden, hidden), GruCell(hidden, hidden)
        self.from_subject, self.from_object = Gate(hidden), Gate(hidden)
        self.to_subject, self.to_object = Gate(hidden), Gate(hidden)
        self.out = Dense(hidden, sizes.labels)
        self._sizes, self._rounds = sizes, rounds

    def call(
        self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False, *, pairs: Pairs
    ) -> Context:
        """`x` float32 [N, features]. `Context.pairs` are the states of the pairs, [P, hidden]."""
        nodes, start = self._start(boxes, x, known, training=training)
        unary = tf.nn.relu(self.edge_unary(pairs.features))
        states, edges = self.exchanged(start, self.edge_gru(unary, tf.zeros_like(unary)), pairs.rows)
        labels, logits = decided(known, self.out(states))
        return Context(logits, labels, states, tf.concat([nodes, start], -1), pairs=edges)

    def exchanged(self, boxes: tf.Tensor, pairs: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """States of boxes [N, H] and of pairs [P, H] after all rounds, from those before the first.

        Args:
            boxes: [N, H].
            pairs: [P, H].
            rows: int32 [P, 2]; a box that is paired with itself says nothing to itself.
        """
        subject, object_ = rows[:, 0], rows[:, 1]
        apart = tf.cast(subject != object_, boxes.dtype)[:, None]
        count = tf.shape(boxes)[0]
        for _ in range(self._rounds):
            said = self.from_subject(boxes, subject, pairs) * tf.gather(boxes, subject)
            said += self.from_object(boxes, object_, pairs) * tf.gather(boxes, object_)
            heard = _sum(self.to_subject(boxes, subject, pairs) * pairs * apart, subject, count)
            heard += _sum(self.to_object(boxes, object_, pairs) * pairs * apart, object_, count)
            boxes, pairs = self.node_gru(heard, boxes), self.edge_gru(said, pairs)
        return boxes, pairs

    def for_masks(self, boxes: BoxList, x: tf.Tensor, known: Known, training: bool = False) -> tf.Tensor:
        """`Context.nodes` of images of the masks' data set, whose labels are not decided."""
        return tf.concat(self._start(boxes, x, known, masks=True, training=training), -1)

    def _start(
        self, boxes: BoxList, x: tf.Tensor, known: Known, *, masks: bool = False, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Nodes [N, nodes], and the states of boxes [N, hidden] before the first round."""
        nodes, _ = self.node(boxes, x, known.scores, known.labels, masks=masks, training=training)
        unary = self.obj_unary(nodes)
        return nodes, self.node_gru(unary, tf.zeros_like(unary))


def _sum(messages: tf.Tensor, rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    return tf.math.unsorted_segment_sum(messages, rows, count)
