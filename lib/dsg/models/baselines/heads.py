"""What the four baselines do with features and a query, up to the attention maps.

A head takes features float32 [B, L, L, C] and queries int32 [B, Q, 3] (subject, predicate, object) and
returns `Attention`: maps that are not squashed yet. E categories, R predicates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.models.baselines.attention import (
    Embedding,
    PredicateModules,
    StatisticalShift,
    attend,
    attend_shifted,
)
from dsg.nets.layers import Block, Dense


class Attention(NamedTuple):
    """Maps of each iteration, the first one before any shift: float32 [B, Q, L, L] each, not negative."""

    subject: list[Any]
    object: list[Any]


class JointHead(Block):
    """co and vrd: one attention for each role, to the embedded query as a whole (co leaves the predicate
    out).
    """

    def __init__(
        self, categories: int, predicates: int, embedding: int, hidden: int, *, with_predicate: bool
    ) -> None:
        super().__init__()
        self.subject_embedding = Embedding(categories, embedding)
        if with_predicate:
            self.predicate_embedding = Embedding(predicates, embedding)
        self.object_embedding = Embedding(categories, embedding)
        width = (3 if with_predicate else 2) * embedding
        self.subject_dense, self.object_dense = Dense(width, hidden), Dense(width, hidden)
        self._with_predicate = with_predicate

    def call(self, features: tf.Tensor, queries: tf.Tensor) -> Attention:
        parts = [self.subject_embedding(queries[..., 0])]
        if self._with_predicate:
            parts.append(self.predicate_embedding(queries[..., 1]))
        parts.append(self.object_embedding(queries[..., 2]))
        query = tf.concat(parts, -1)
        subject, object_ = (
            attend(features, tf.nn.relu(dense(query))) for dense in (self.subject_dense, self.object_dense)
        )
        return Attention([subject], [object_])


class ShiftingHead(Block):
    """ssas and ss: attention to subject and object, each then shifted to where the other says it should be.

    Both maps of an iteration come from the two before it; attention after a shift starts from the features
    again, see `attend_shifted`.
    """

    def __init__(
        self, categories: int, embedding: int, hidden: int, forward: Block, inverse: Block, iterations: int
    ) -> None:
        super().__init__()
        self.embedding = Embedding(categories, embedding)
        self.subject_dense, self.object_dense = Dense(embedding, hidden), Dense(embedding, hidden)
        self.forward, self.inverse = forward, inverse
        self._iterations = iterations

    def call(self, features: tf.Tensor, queries: tf.Tensor) -> Attention:
        first_subject = attend(features, tf.nn.relu(self.subject_dense(self.embedding(queries[..., 0]))))
        first_object = attend(features, tf.nn.relu(self.object_dense(self.embedding(queries[..., 2]))))
        subjects, objects = [first_subject], [first_object]
        for _ in range(self._iterations):
            subject, object_ = subjects[-1], objects[-1]
            objects.append(attend_shifted(first_object, _shift(self.forward, subject, queries[..., 1])))
            subjects.append(attend_shifted(first_subject, _shift(self.inverse, object_, queries[..., 1])))
        return Attention(subjects, objects)

    def follow(self, features: tf.Tensor, categories: tf.Tensor, predicates: tf.Tensor) -> list[tf.Tensor]:
        """Attention that goes from entity to entity: plate, on table, right of person.

        The first map attends to the first category. Each next one attends to the next category where the
        predicate's module shifts the map before it; of one step it is the object's map of iteration 1.

        Args:
            features: float32 [1, L, L, C] of an image.
            categories: int32 [K + 1].
            predicates: int32 [K], of categories[k] to categories[k + 1].

        Returns:
            K + 1 maps, float32 [L, L] each, not negative.
        """
        vectors = self.embedding(categories)[None]
        subject = attend(features, tf.nn.relu(self.subject_dense(vectors[:, :1])))
        objects = attend(features, tf.nn.relu(self.object_dense(vectors[:, 1:])))
        maps = [subject]
        for step in range(int(predicates.shape[0])):
            shift = _shift(self.forward, maps[-1], predicates[None, step : step + 1])
            maps.append(attend_shifted(objects[:, step : step + 1], shift))
        return [one[0, 0] for one in maps]


def _shift(shift: Block, maps: tf.Tensor, predicates: tf.Tensor) -> tf.Tensor:
    """The maps [B, Q, L, L] shifted by the modules of their predicates [B, Q]."""
    shape = tf.shape(maps)
    flat = tf.reshape(maps, [-1, maps.shape[2], maps.shape[3]])
    return tf.reshape(shift(flat, tf.reshape(predicates, [-1])), shape)


def make_head(
    net: str, options: Any, hidden: int, num_entities: int, num_predicates: int
) -> JointHead | ShiftingHead:
    """The head of `net`.

    Args:
        net: ss, co, vrd or ssas.
        options: `config.baseline`.
        hidden: C.
        num_entities: E.
        num_predicates: R.
    """
    categories = num_entities + (options.unknown_rate > 0)  # the last one stands for what is hidden
    slots = max(options.predicate_slots, num_predicates)
    if net in ("co", "vrd"):
        return JointHead(categories, slots, options.embedding, hidden, with_predicate=net == "vrd")
    if net == "ss":
        shifts: list[Block] = [StatisticalShift(slots, options.shift_size) for _ in range(2)]
        return ShiftingHead(categories, options.embedding, hidden, shifts[0], shifts[1], iterations=1)
    size = (options.module_layers, options.module_kernel, options.module_channels)
    forward, inverse = PredicateModules(slots, *size), PredicateModules(slots, *size)
    return ShiftingHead(categories, options.embedding, hidden, forward, inverse, options.iterations)
