"""From the context of two boxes and the features of the pair to its predicate."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from dsg.nets.layers import Block, Dense, normal

GLOROT_NORMAL = "glorot_normal"


class FrequencyBias(Block):
    """Labels of subject and object -> logits of the predicates, a row of a table.

    Args:
        labels: with the background.
        predicates: with the background.
        shares: float32 [labels, labels, predicates] that it starts from, see `frequencies.log_shares`.
    """

    def __init__(self, labels: int, predicates: int, shares: np.ndarray | None = None) -> None:
        super().__init__()
        self.table = self.weight("table", (labels * labels, predicates), "zeros", decay="kernel")
        if shares is not None:
            self.table.assign(shares.reshape(labels * labels, predicates))
        self._labels = labels

    def call(self, subject: tf.Tensor, object_: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.table), subject * self._labels + object_)


class PredicateHead(Block):
    """Contexts of boxes and features of pairs -> predicate logits [P, predicates].

    Args:
        labels: with the background.
        predicates: with the background.
        hidden: of a box's context.
        features: of a pair.
        width: of the product of the two.
        relu: after the first layer, as VCTree has it and MOTIF not.
        shares: of `FrequencyBias`.
        frequency: with that bias.
    """

    def __init__(
        self,
        labels: int,
        predicates: int,
        *,
        hidden: int = 512,
        features: int = 1024,
        width: int = 4096,
        relu: bool = False,
        shares: np.ndarray | None = None,
        frequency: bool = True,
    ) -> None:
        super().__init__()
        self.post_emb = Dense(hidden, 2 * hidden, normal(10.0 / math.sqrt(hidden)))
        self.post_cat = Dense(2 * hidden, width, GLOROT_NORMAL)
        self.up_dim = Dense(features, width, GLOROT_NORMAL)
        self.out = Dense(width, predicates, GLOROT_NORMAL)
        self.frequency = FrequencyBias(labels, predicates, shares) if frequency else None
        self._relu, self._hidden = relu, hidden

    def call(self, edges: tf.Tensor, pairs: tf.Tensor, features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """
        Args:
            edges: [N, hidden].
            pairs: int32 [P, 2], rows of boxes.
            features: [P, features].
            labels: int32 [N].
        """
        subject, object_ = pairs[:, 0], pairs[:, 1]
        both = self.post_emb(edges)
        both = tf.nn.relu(both) if self._relu else both
        # Each box's halves are multiplied once, however many pairs it is in.
        head = self.post_cat.apply_rows(both[:, : self._hidden], 0, self._hidden)
        tail = self.post_cat.apply_rows(both[:, self._hidden :], self._hidden, None)
        pair = tf.gather(head, subject) + tf.gather(tail, object_) + self.post_cat.bias
        logits = self.out(pair * self.up_dim(features))
        if self.frequency is None:
            return logits
        return logits + self.frequency(tf.gather(labels, subject), tf.gather(labels, object_))


class PairPredicates(Block):
    """States of pairs that already know their boxes -> predicate logits [P, predicates], as IMP reads them.

    Args:
        labels, predicates: with the background.
        dim: of a pair's state.
        shares: of `FrequencyBias`.
        frequency: with that bias.
    """

    def __init__(
        self,
        labels: int,
        predicates: int,
        dim: int,
        shares: np.ndarray | None = None,
        frequency: bool = True,
    ) -> None:
        super().__init__()
        self.out = Dense(dim, predicates, GLOROT_NORMAL)
        self.frequency = FrequencyBias(labels, predicates, shares) if frequency else None

    def call(self, edges: tf.Tensor, pairs: tf.Tensor, features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """As of `PredicateHead`; the contexts of boxes, `edges`, are not read."""
        logits = self.out(features)
        if self.frequency is None:
            return logits
        rows = tf.gather(labels, pairs)
        return logits + self.frequency(rows[:, 0], rows[:, 1])
