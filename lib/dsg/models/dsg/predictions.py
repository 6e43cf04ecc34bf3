"""What a model says of images: of a batch as tensors (`Predictions`), of one image as arrays (`Prediction`).

A `Predictor` is the one traced function that answers, `unbatch` the one way from its tensors to
images; evaluation, asking, figures and programs all go through them. TensorFlow is loaded when something is
computed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsg.config import Config
from dsg.datasets.records import Vocabulary
from dsg.metrics.role_iou import OBJECT, SUBJECT
from dsg.models.dsg.answer_sets import answer_sets
from dsg.visualize.scene_graph import SceneGraph, decode_scene_graph

if TYPE_CHECKING:
    import tensorflow as tf

INPUTS = ("image", "image_size", "queries", "query_valid")  # all that answering reads, but for
GROUND_TRUTH = ("gt_boxes", "gt_valid")  # with TRAIN.USE_GT, instead of proposals


class Predictions(NamedTuple):
    """A batch's predictions; letters as in `dsg.pipeline.batch`, boxes in pixels of the network's input.

    A field is None if the variant has nothing to say, `attention` also where it was not asked for.
    """

    boxes: tf.Tensor  # [B, N, 4]: refined, clipped to the image
    valid: tf.Tensor  # bool [B, N]
    role_probabilities: tf.Tensor | None  # [B, Q, N, 4]; None if labels answer (RR_SOURCE symbolic)
    proposals: tf.Tensor  # [B, N, 4]: before refinement
    entity_probabilities: tf.Tensor | None  # [B, N, E]
    predicate_probabilities: tf.Tensor | None  # [B, N, N, R]
    node_weights: tf.Tensor | None  # [B, N]: attention of the graph to each node, averaged over features
    attention: tf.Tensor | None = None  # float32 [B, N, N]: what i gives to j, averaged over features


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one image, of which it sees N boxes, and of Q queries about it; no padding.

    Boxes are x1 y1 x2 y2 in pixels of an image of `size`, no +1: of the network's input as they are made, of
    the original image where `scaled`.
    """

    size: np.ndarray  # [4]: width, height, width, height
    queries: np.ndarray  # int32 [Q, 3]
    boxes: np.ndarray  # [N, 4], refined
    proposals: np.ndarray  # [N, 4], before refinement
    subjects: np.ndarray  # bool [Q, N]: which boxes answer each query as its subject
    objects: np.ndarray  # bool [Q, N]
    # float32 [Q, N, 4]: background, subject, object, other; None with RR_SOURCE symbolic
    probabilities: np.ndarray | None
    entities: np.ndarray | None  # float32 [N, E]: probability of each category; None without label heads
    predicates: np.ndarray | None  # float32 [N, N, R], subject first
    node_weights: np.ndarray | None  # float32 [N]: the graph's attention to each box; None without a graph
    attention: np.ndarray | None  # float32 [N, N]: what box i gives to box j, rows sum to 1; None without it

    def scaled(self, width: int, height: int) -> Prediction:
        """The same with boxes, float64, in pixels of an image of that size."""
        size = np.array([width, height] * 2, np.float64)
        # Rounding the network's input to whole pixels makes the scale of the two sides differ a little.
        scale = size / self.size.astype(np.float64)
        boxes, proposals = (boxes.astype(np.float64) * scale for boxes in (self.boxes, self.proposals))
        return replace(self, size=size, boxes=boxes, proposals=proposals)

    def best_first(self, query: int, role: int) -> np.ndarray:
        """Boxes that answer a query in a role (SUBJECT, OBJECT), most probable first: their indices [K]."""
        indices = np.flatnonzero((self.subjects if role == SUBJECT else self.objects)[query])
        return indices[np.argsort(-self.likelihood(query, role)[indices], kind="stable")]

    def top(self, role: int) -> np.ndarray:
        """The first of `best_first` for every query, int [Q]; -1 where no box answers it."""
        chosen = self.subjects if role == SUBJECT else self.objects
        if not chosen.size:
            return np.full(len(chosen), -1)
        best = np.where(chosen, self.likelihood(slice(None), role), -np.inf).argmax(axis=1)
        return np.where(chosen.any(axis=1), best, -1)

    def likelihood(self, query: int | slice, role: int) -> np.ndarray:
        """How likely each box answers a query in a role, float32 [N], or several queries, [Q, N]; how likely
        it is of the category asked for if there are no probabilities of roles.
        """
        if self.probabilities is not None:
            return self.probabilities[query, :, role]
        assert self.entities is not None
        return self.entities[:, self.queries[query, 0 if role == SUBJECT else 2]].T

    def subject_boxes(self, query: int) -> np.ndarray:
        """The boxes that answer a query as its subject, most probable first, [K, 4]."""
        return self.boxes[self.best_first(query, SUBJECT)]

    def object_boxes(self, query: int) -> np.ndarray:
        """The boxes that answer a query as its object, most probable first, [K, 4]."""
        return self.boxes[self.best_first(query, OBJECT)]

    def scene_graph(
        self, vocabulary: Vocabulary, *, max_nodes: int = 6, max_edges: int = 8
    ) -> SceneGraph | None:
        """What the model sees, labelled; None if it was trained without label heads."""
        if self.entities is None or self.predicates is None:
            return None
        return decode_scene_graph(
            self.entities,
            self.predicates,
            self.boxes,
            entities=vocabulary.objects,
            predicates=vocabulary.predicates,
            node_weights=self.node_weights,
            max_nodes=max_nodes,
            max_edges=max_edges,
        )


class Predictor:
    """`model.predict_roles` as a function of a batch that is traced once, whatever the size of images and the
    number of queries.

    Args:
        model: a `DSG`.
        config: TEST.IMS_PER_BATCH, TRAIN.USE_GT.
        alone: batches are of one image, which is known to have no padding; default: where TEST.IMS_PER_BATCH
            is 1.
        truth: batches have `GROUND_TRUTH`, too; default: where TRAIN.USE_GT asks for it.
        attention: fill `Predictions.attention`.
    """

    def __init__(
        self,
        model: Any,
        config: Config,
        *,
        alone: bool | None = None,
        truth: bool | None = None,
        attention: bool = False,
    ) -> None:
        import tensorflow as tf

        from dsg.pipeline.batches import batch_spec

        alone = config.test.ims_per_batch == 1 if alone is None else alone
        truth = config.train.use_gt if truth is None else truth
        spec = batch_spec(config, ground_truth=truth, targets=False)
        self._keys = (*INPUTS, *GROUND_TRUTH) if truth else INPUTS
        signature = {
            key: tf.TensorSpec([1 if alone else None, *spec[key].shape[1:]], spec[key].dtype, key)
            for key in self._keys
        }
        predict = functools.partial(model.predict_roles, attention=attention)
        self.traced = tf.function(predict, input_signature=[signature], autograph=False)

    def __call__(self, batch: Mapping[str, Any]) -> Predictions:
        """What the model says of a batch; keys that answering does not read are left aside."""
        return self.traced({key: batch[key] for key in self._keys})


def unbatch(batch: Mapping[str, Any], predictions: Predictions, config: Config) -> list[Prediction]:
    """Each image's part of a batch's predictions, without the proposals and queries that only pad it.

    Args:
        batch: `image_size`, `queries` and `query_valid` of `dsg.pipeline.batch.Batch`.
        predictions: tensors.
        config: see `answer_sets`.
    """
    arrays = [None if value is None else np.asarray(value) for value in predictions]
    sizes, queries, asked = (np.asarray(batch[key]) for key in ("image_size", "queries", "query_valid"))
    found = []
    for row, chosen in enumerate(asked):
        image = Predictions(*(None if value is None else value[row] for value in arrays))
        found.append(_without_padding(image, sizes[row], queries[row], chosen, config))
    return found


def _without_padding(
    image: Predictions, size: np.ndarray, queries: np.ndarray, asked: np.ndarray, config: Config
) -> Prediction:
    """An image's row of a batch, without the boxes and the queries (where not `asked`) that only pad it."""
    valid, queries = image.valid, queries[asked]

    def boxes(values: np.ndarray | None) -> Any:
        return None if values is None else values[valid]

    def pairs(values: np.ndarray | None) -> Any:
        return None if values is None else values[valid][:, valid]

    roles = image.role_probabilities
    roles = None if roles is None else roles[asked][:, valid]
    entities, predicates = boxes(image.entity_probabilities), pairs(image.predicate_probabilities)
    subjects, objects = answer_sets(queries, roles, entities, predicates, config)
    return Prediction(
        size=np.tile(size[::-1], 2),
        queries=queries,
        boxes=boxes(image.boxes),
        proposals=boxes(image.proposals),
        subjects=subjects,
        objects=objects,
        probabilities=roles,
        entities=entities,
        predicates=predicates,
        node_weights=boxes(image.node_weights),
        attention=pairs(image.attention),
    )
