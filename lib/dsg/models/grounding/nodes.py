"""What a context encoder is told of a box: its features, what it may be, and where it lies."""

from __future__ import annotations

import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, positions
from dsg.nets.batch_norm import BatchNorm
from dsg.nets.layers import Block, Dense, normal

POSITIONS, HIDDEN, POSITION_DIM = 9, 32, 128
DOUBLE_SOFTMAX, PROBABILITIES = "double_softmax", "prob"


class Embedding(Block):
    """Rows of a table: a vector for each label."""

    def __init__(self, labels: int, dim: int) -> None:
        super().__init__()
        self.embeddings = self.weight("embeddings", (labels, dim), normal(1.0), decay="kernel")

    def call(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.embeddings), labels)

    def mean(self, weights: tf.Tensor) -> tf.Tensor:
        """Rows weighted by [N, labels]."""
        return tf.matmul(weights, tf.convert_to_tensor(self.embeddings))


class Position(Block):
    """Nine numbers of a box's place [N, 9] -> [N, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.dense1, self.bn = Dense(POSITIONS, HIDDEN), BatchNorm(HIDDEN)
        self.dense2 = Dense(HIDDEN, POSITION_DIM)

    def call(self, numbers: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.nn.relu(self.dense2(self.bn(self.dense1(numbers), training)))


class NodeInput(Block):
    """Features [N, D], labels and places of boxes -> [features ; label embedding ; position].

    Images of the masks' data set have labels of their own, and a table for them.

    Args:
        labels: with the background, of the graphs.
        mask_labels: with the background, of the masks.
        dim: of an embedding.
        label_embed: double_softmax: scores are softmaxed once more, as released, which makes all boxes nearly
            alike; prob: as they are.
        swapped: of `positions`.
    """

    def __init__(
        self,
        labels: int,
        mask_labels: int,
        dim: int,
        label_embed: str = DOUBLE_SOFTMAX,
        swapped: bool = True,
    ) -> None:
        super().__init__()
        self.obj_embed1, self.obj_embed_m = Embedding(labels, dim), Embedding(mask_labels, dim)
        self.pos = Position()
        self._double, self._swapped = label_embed == DOUBLE_SOFTMAX, swapped

    def call(
        self,
        boxes: BoxList,
        x: tf.Tensor,
        scores: tf.Tensor | None,
        labels: tf.Tensor,
        *,
        masks: bool = False,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The nodes [N, D + E + 128], and their embeddings [N, E].

        Args:
            boxes: N of them.
            x: [N, D].
            scores: [N, labels] probabilities; None where labels are given.
            labels: int [N].
            masks: images of the masks' data set.
            training: follow the statistics of the batch.
        """
        table = self.obj_embed_m if masks else self.obj_embed1
        if scores is None:
            embedded = table(labels)
        else:
            embedded = table.mean(tf.nn.softmax(scores) if self._double else scores)
        position = self.pos(positions(boxes, swapped=self._swapped), training)
        return tf.concat([x, embedded, position], -1), embedded
