"""Asking a trained model: `load_trained` reads a snapshot, `answer` gives the boxes that answer queries.

No data set and no ground truth are needed: the snapshot carries its network, its options and its vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsg.config import Config, from_values, stored_values
from dsg.datasets.records import Vocabulary
from dsg.metrics.role_iou import OBJECT, SUBJECT
from dsg.models.dsg.answer_sets import answer_sets
from dsg.models.dsg.outputs import Outputs, Predictions
from dsg.pipeline.images import read_image
from dsg.visualize.scene_graph import SceneGraph, decode_scene_graph


class Trained(NamedTuple):
    """A trained model and what belongs to it."""

    model: Any  # a `DSG`
    config: Config
    vocabulary: Vocabulary


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to the Q queries about one image, of which the model sees N boxes.

    Boxes are x1 y1 x2 y2 in pixels of the original image, no +1.
    """

    queries: np.ndarray  # int32 [Q, 3]
    boxes: np.ndarray  # float64 [N, 4], refined
    subjects: np.ndarray  # bool [Q, N]: which boxes answer each query as its subject
    objects: np.ndarray  # bool [Q, N]
    # float32 [Q, N, 4]: background, subject, object, other; None with RR_SOURCE symbolic
    probabilities: np.ndarray | None
    entities: np.ndarray | None  # float32 [N, E]: probability of each category; None without label heads
    predicates: np.ndarray | None  # float32 [N, N, R], subject first
    node_weights: np.ndarray | None  # float32 [N]: the graph's attention to each box; None without a graph
    proposals: np.ndarray  # float64 [N, 4], before refinement
    attention: np.ndarray | None  # float32 [N, N]: what box i gives to box j, rows sum to 1; None without it

    def best_first(self, query: int, role: int) -> np.ndarray:
        """The boxes that answer a query in a role (SUBJECT, OBJECT), likeliest first: their numbers [K]."""
        indices = np.flatnonzero((self.subjects if role == SUBJECT else self.objects)[query])
        return indices[np.argsort(-self.likelihood(query, role)[indices], kind="stable")]

    def likelihood(self, query: int, role: int) -> np.ndarray:
        """How likely each box answers a query in a role, float32 [N]; how likely it is of the category asked
        for where there are no probabilities of roles.
        """
        if self.probabilities is not None:
            return self.probabilities[query, :, role]
        assert self.entities is not None
        return self.entities[:, self.queries[query, 0 if role == SUBJECT else 2]]

    def subject_boxes(self, query: int) -> np.ndarray:
        """The boxes that answer a query as its subject, likeliest first, float64 [K, 4]."""
        return self.boxes[self.best_first(query, SUBJECT)]

    def object_boxes(self, query: int) -> np.ndarray:
        """Likewise its object."""
        return self.boxes[self.best_first(query, OBJECT)]

    def scene_graph(self, vocabulary: Vocabulary) -> SceneGraph | None:
        """What the model sees, labelled; None where it was trained without label heads."""
        if self.entities is None or self.predicates is None:
            return None
        return decode_scene_graph(
            self.entities,
            self.predicates,
            self.boxes,
            entities=vocabulary.objects,
            predicates=vocabulary.predicates,
            node_weights=self.node_weights,
        )


def load_trained(path: str | Path) -> Trained:
    """The model of a snapshot (`<name>_iter_N.npz`), with its options and vocabulary, folded (`DSG.fold`).

    Raises:
        UserError: the file is missing, damaged or no snapshot.
    """
    from dsg.engine.snapshots import load_snapshot, restore
    from dsg.models.dsg.build import build_model

    snapshot = load_snapshot(Path(path))
    config = from_values(stored_values(snapshot.meta.config))
    vocabulary = Vocabulary(tuple(snapshot.meta.objects), tuple(snapshot.meta.predicates))
    model = build_model(config, len(vocabulary.objects), len(vocabulary.predicates))
    restore(snapshot, model)
    model.fold()
    return Trained(model, config, vocabulary)


def answer(
    model: Any, images: Sequence[np.ndarray | str | Path], queries: Sequence[Any], config: Config
) -> list[Answers]:
    """The answers to queries about images, one `Answers` an image; TEST.IMS_PER_BATCH images at a time.

    Args:
        model: a `DSG`.
        images: files, or uint8 [H, W, 3] in B, G, R order.
        queries: for each image integers [Q, 3]: subject category, predicate, object category; Q may be 0 and
            differ from image to image.
        config: TEST.*, PIXEL_MEANS.

    Raises:
        UserError: an image cannot be read.
        ValueError: there are not as many lists of queries as images.

    Example:
        >>> from dsg.models.dsg.query_words import query_ids
        >>> trained = load_trained("data/demo/mini.npz")
        >>> words = ("blue metal cylinder", "left", "blue metal cylinder")
        >>> query = query_ids(words, trained.vocabulary.objects, trained.vocabulary.predicates)
        >>> found = answer(trained.model, ["data/demo/images/demo_0.png"], [[query]], trained.config)[0]
        >>> found.subject_boxes(0)[0].round().tolist(), found.object_boxes(0)[0].round().tolist()
        ([104.0, 69.0, 139.0, 111.0], [178.0, 84.0, 215.0, 130.0])
    """
    from dsg.pipeline.batches import inference_batch

    if len(images) != len(queries):
        raise ValueError(f"{len(images)} images, but queries for {len(queries)}")
    found: list[Answers] = []
    for first in range(0, len(images), config.test.ims_per_batch):
        chosen = slice(first, first + config.test.ims_per_batch)
        pixels = [image if isinstance(image, np.ndarray) else read_image(image) for image in images[chosen]]
        asked = [np.asarray(several, np.int32).reshape(-1, 3) for several in queries[chosen]]
        batch = inference_batch(pixels, asked, config)
        outputs = model(batch, training=False)
        predictions = Predictions(
            *(
                None if value is None else value.numpy()
                for value in model.answer(outputs, batch["image_size"])
            )
        )
        attention = neighbour_attention(outputs)
        sizes = batch["image_size"].numpy()
        for row, (image, several) in enumerate(zip(pixels, asked)):
            found.append(_answers(predictions, attention, row, several, image.shape[:2], sizes[row], config))
    return found


def neighbour_attention(outputs: Outputs) -> np.ndarray | None:
    """What each box of a batch gives to each other one in the graph layer's sum, averaged over features.

    Returns:
        float32 [B, N, N], [i, j] for what i gives to j; None where there is no graph or no attention in it.
    """
    weights = None if outputs.graph is None else outputs.graph.phi_weights
    # Averaged by NumPy in float32, whatever TEST.PRECISION is.
    return None if weights is None else np.mean(weights.numpy(), axis=-1, dtype=np.float32)


def _answers(
    predictions: Predictions,
    attention: np.ndarray | None,
    row: int,
    queries: np.ndarray,
    shape: tuple[int, ...],
    size: np.ndarray,
    config: Config,
) -> Answers:
    """One image's part of a batch, without padding, in pixels of the original image."""
    valid = predictions.valid[row]
    probabilities, entities = predictions.role_probabilities, predictions.entity_probabilities
    probabilities = None if probabilities is None else probabilities[row, : len(queries)][:, valid]
    entities = None if entities is None else entities[row][valid]
    relations = predictions.predicate_probabilities
    relations = None if relations is None else relations[row][valid][:, valid]
    subjects, objects = answer_sets(queries, probabilities, entities, relations, config)
    weights = predictions.node_weights
    # Rounding the network's input to whole pixels makes the scale of the two sides differ a little.
    scale = np.array([shape[1], shape[0]] * 2, np.float64) / np.array([size[1], size[0]] * 2, np.float64)
    return Answers(
        queries=queries,
        boxes=predictions.boxes[row][valid].astype(np.float64) * scale,
        subjects=subjects,
        objects=objects,
        probabilities=probabilities,
        entities=entities,
        predicates=relations,
        node_weights=None if weights is None else weights[row][valid],
        proposals=predictions.proposals[row][valid].astype(np.float64) * scale,
        attention=None if attention is None else attention[row][valid][:, valid],
    )
