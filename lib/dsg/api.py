"""The Python interface: a trained model answers queries about images, detects their objects, or describes
them by a scene graph whose nodes have masks.

    >>> import dsg
    >>> model = dsg.load("data/demo/mini.npz")
    >>> model
    <dsg model mini: 48 categories, 4 predicates>

A query names a subject, a relation and an object, in words of the model's vocabulary or by index. This image
has two blue cylinders, and the relation tells which one is meant:

    >>> image = "data/demo/images/demo_0.png"
    >>> found = model.ask(image, [("blue metal cylinder", "left", "blue metal cylinder")])[0]
    >>> found.subject.rounded(), found.object.rounded()
    ((104, 69, 139, 111), (178, 84, 215, 130))
    >>> found.subject.score > 0.5
    True
    >>> model.ask(image, ["blue metal cylinder, right, blue metal cylinder"])[0].subject.rounded()
    (178, 84, 215, 130)

Without a query, the model gives the scene graph of an image:

    >>> graph = model.scene_graph(image)
    >>> sorted(node.label for node in graph.nodes)[:2]
    ['blue metal cylinder', 'blue metal cylinder']
    >>> graph.edges[0].predicate in model.vocabulary.predicates
    True

For an unknown word, the message suggests similar words:

    >>> model.ask(image, ["blue cylinder, left, gray cube"])
    Traceback (most recent call last):
    ...
    dsg.errors.UserError: query 'blue cylinder, left, gray cube': unknown category 'blue cylinder'; ...

A detector finds objects instead (`Model.detect`):

    model = dsg.load("detector.npz")
    for thing in model.detect("photo.jpg", threshold=0.7):
        print(thing.name, thing.score, thing.box)

A model of grounded scene graphs gives objects with masks, and the relations between them:

    graph = dsg.load("grounded.npz").scene_graph("photo.jpg")
    for edge in graph.edges[:10]:
        print(graph.nodes[edge.subject].label, edge.predicate, graph.nodes[edge.object].label, edge.score)

Boxes are x1 y1 x2 y2 in pixels of the given image, without +1. TensorFlow is loaded with the first model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from dsg.config import Config
from dsg.config.names import DETECTOR, GROUNDING
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.metrics.role_iou import OBJECT, SUBJECT
from dsg.models.dsg.predictions import Prediction
from dsg.models.dsg.query_words import Query, parse_query, query_ids, spoken
from dsg.models.dsg.trained import Trained, load_trained
from dsg.models.kinds import USES, kind_of
from dsg.visualize.scene_graph import SceneGraph

if TYPE_CHECKING:
    from dsg.models.detector.objects import DetectedObjects
    from dsg.models.detector.trained import TrainedDetector
    from dsg.models.grounding.scene import GroundedGraph
    from dsg.models.grounding.trained import Given, TrainedGrounding

Image = Union[str, Path, np.ndarray]
Question = Union[str, Sequence[Union[str, int]]]
"""`"man, riding, horse"`, or three names or integers: subject category, predicate, object category."""

KINDS = "a file or a uint8 array [height, width, 3] in R, G, B order"


@dataclass(frozen=True)
class ScoredBox:
    """A box and the probability that it has the role asked for."""

    box: tuple[float, float, float, float]  # x1 y1 x2 y2
    score: float

    def rounded(self) -> tuple[int, ...]:
        """The box in whole pixels."""
        return tuple(round(side) for side in self.box)


@dataclass(frozen=True)
class Grounding:
    """Where a query's subject and object are: one or more boxes each, most probable first.

    There are no boxes only if a model that matches labels (TWO STEP) sees fewer than two boxes.
    """

    query: tuple[str, str, str]
    subjects: tuple[ScoredBox, ...]
    objects: tuple[ScoredBox, ...]

    @property
    def subject(self) -> ScoredBox:
        """The most probable box of the subject; a `UserError` if there is none."""
        return self._first(self.subjects)

    @property
    def object(self) -> ScoredBox:
        """The most probable box of the object; a `UserError` if there is none."""
        return self._first(self.objects)

    def _first(self, boxes: tuple[ScoredBox, ...]) -> ScoredBox:
        if not boxes:
            raise UserError(f"{', '.join(self.query)}: no answer: the model sees fewer than two boxes")
        return boxes[0]

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dump`."""
        return asdict(self)


class Model:
    """A trained model with its options and its vocabulary, made by `dsg.load`.

    A model answers queries (`ask`, `ask_many`, `scene_graph`), is a detector (`detect`, `detect_many`), or
    describes images by graphs with masks (`scene_graph`); what it cannot do raises a `UserError`.
    """

    def __init__(self, trained: Trained | TrainedDetector | TrainedGrounding) -> None:
        self._trained = trained

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """The model of a snapshot, of a file of weights, or of a detector that torchvision publishes.

        Raises:
            UserError: the file is missing, damaged or none of these.
        """
        kind = kind_of(path)
        if kind == DETECTOR:
            from dsg.models.detector.trained import load_detector

            return cls(load_detector(path))
        if kind == GROUNDING:
            from dsg.models.grounding.trained import load_grounding

            return cls(load_grounding(path))
        return cls(load_trained(path))

    @property
    def is_detector(self) -> bool:
        """Whether the model detects objects and does nothing else."""
        return self.config.model == DETECTOR

    @property
    def is_grounded(self) -> bool:
        """Whether the model gives scene graphs with masks and answers no queries."""
        return self.config.model == GROUNDING

    @property
    def vocabulary(self) -> Vocabulary:
        """Names of categories (`objects`) and predicates; a name's position is its index. Class k of a
        detector is `objects[k - 1]`.
        """
        return self._trained.vocabulary

    @property
    def config(self) -> Config:
        """The options that the model was trained with."""
        return self._trained.config

    def ask(self, image: Image, queries: Sequence[Question]) -> list[Grounding]:
        """The boxes that answer each query about one image; see `ask_many`."""
        return self.ask_many([image], queries)[0]

    def ask_many(self, images: Sequence[Image], queries: Sequence[Question]) -> list[list[Grounding]]:
        """The same queries about several images, TEST.IMS_PER_BATCH at a time.

        Args:
            images: files, which are turned upright by their EXIF orientation, or uint8 [H, W, 3] in R, G, B
                order ([H, W] for grey; a fourth channel is ignored).
            queries: each `"man, riding, horse"`, or three names or indices.

        Returns:
            For each image a `Grounding` for each query.

        Raises:
            UserError: an image cannot be read, or a query has words or indices outside the vocabulary.
        """
        asked = [self.query(question) for question in self._listed(queries)]
        found = self.answers(images, asked)
        return [self.groundings(one) for one in found]

    def scene_graph(self, image: Image) -> SceneGraph | GroundedGraph:
        """The scene graph of an image: labelled boxes and relations (`nodes`, `edges`, `to_json`, `to_dot`).

        Returns:
            Of a model that answers queries a `dsg.visualize.scene_graph.SceneGraph` of a few nodes and edges;
            of a grounded one a `dsg.models.grounding.scene.GroundedGraph` of all that it sees, with masks.

        Raises:
            UserError: the image cannot be read, or the model is a detector or has no label heads.
        """
        if not isinstance(self._trained, Trained) and self.is_grounded:
            return self.grounded([image])[0]
        graph = self.answers([image], [])[0].scene_graph(self.vocabulary)
        if graph is None:
            raise UserError(f"{self!r} was trained without a scene graph (VARIANT {self.config.variant})")
        return graph

    def grounded(
        self, images: Sequence[Image], *, attended: int = 0, given: Sequence[Given] | None = None
    ) -> list[GroundedGraph]:
        """The scene graphs with masks of several images, TEST.IMS_PER_BATCH images at a time.

        Args:
            images: as of `ask_many`.
            attended: of so many relations, the best, also the regions that they attend to
                (`GroundedGraph.found.attended`).
            given: of each image boxes, or boxes and labels, that its nodes are to have; None: what the model
                detects.

        Raises:
            UserError: an image cannot be read, or the model has no masks.
        """
        if not self.is_grounded:
            raise UserError(f"{self!r} has no graphs with masks: use {USES[self.config.model]}")
        trained: Any = self._trained
        return trained.graphs(_given(images), given=given, attended=attended)

    def detect(self, image: Image, *, threshold: float = 0.5, limit: int = 100) -> DetectedObjects:
        """The objects of an image, best first; see `detect_many`."""
        return self.detect_many([image], threshold=threshold, limit=limit)[0]

    def detect_many(
        self, images: Sequence[Image], *, threshold: float = 0.5, limit: int = 100
    ) -> list[DetectedObjects]:
        """The objects of several images, TEST.IMS_PER_BATCH images at a time.

        Args:
            images: as of `ask_many`.
            threshold: lowest score of an object. There are none below TEST.SCORE_THRESHOLD.
            limit: at most so many objects an image, the best; no more than TEST.MAX_PER_IMAGE.

        Returns:
            For each image a `dsg.models.detector.objects.DetectedObjects`: a sequence of objects with `name`,
            `score`, `box` and `mask`, and the same as arrays.

        Raises:
            UserError: an image cannot be read, or the model is no detector.
        """
        if isinstance(self._trained, Trained):
            raise UserError(f"{self!r} answers queries and detects nothing: use ask(image, queries)")
        if self.is_grounded:
            raise UserError(f"{self!r} gives graphs: use scene_graph(image), whose nodes are the objects")
        detector: Any = self._trained
        detections = detector.detect(_given(images))
        return [objects.chosen(threshold, limit) for objects in detections]

    def answers(self, images: Sequence[Image], queries: Sequence[Query]) -> list[Prediction]:
        """Everything the network computes: all boxes, all probabilities, attention
        (`dsg.models.dsg.predictions.Prediction`).
        """
        return self._answering().ask(_given(images), [list(queries)] * len(images))

    def groundings(self, found: Prediction) -> list[Grounding]:
        """The answer to each query in a prediction of `answers`."""
        objects, predicates = self.vocabulary.objects, self.vocabulary.predicates
        groundings = []
        for number, (subject, predicate, object_) in enumerate(found.queries.tolist()):
            names = (spoken(objects[subject]), spoken(predicates[predicate]), spoken(objects[object_]))
            roles = scored(found, number, SUBJECT), scored(found, number, OBJECT)
            groundings.append(Grounding(names, *roles))
        return groundings

    def query(self, question: Question) -> Query:
        """A query as integers.

        Example:
            >>> import dsg
            >>> dsg.load("data/demo/mini.npz").query("Blue-metal cube, behind, 3")
            Traceback (most recent call last):
            ...
            dsg.errors.UserError: query 'Blue-metal cube, behind, 3': unknown category '3'; ...
            >>> dsg.load("data/demo/mini.npz").query(("Blue-metal cube", "behind", 3))
            (0, 0, 3)
        """
        vocabulary = self._answering().vocabulary
        objects, predicates = vocabulary.objects, vocabulary.predicates
        if isinstance(question, str):
            return parse_query(question, objects, predicates)
        return query_ids(tuple(question), objects, predicates)

    def __repr__(self) -> str:
        known = self.vocabulary
        counts = f"{len(known.objects)} categories, {len(known.predicates)} predicates"
        if self.is_detector:
            counts = f"{len(known.objects)} classes"
        return f"<dsg model {self.config.net}: {counts}>"

    def _answering(self) -> Trained:
        """What answers queries, or a `UserError`."""
        if isinstance(self._trained, Trained):
            return self._trained
        if self.is_grounded:
            raise UserError(f"{self!r} answers no queries: use scene_graph(image)")
        raise UserError(f"{self!r} is a detector and answers no queries: use detect(image)")

    def _listed(self, queries: Sequence[Question]) -> Sequence[Question]:
        """Refuse a single query, whose three words would be taken for three queries."""
        alone = isinstance(queries, str) or (
            len(queries) == 3
            and all(isinstance(part, (str, int)) and "," not in str(part) for part in queries)
        )
        if alone:
            raise UserError(f"queries are given as a list: [{queries!r}], not {queries!r}")
        return queries


def scored(found: Prediction, number: int, role: int) -> tuple[ScoredBox, ...]:
    """The boxes that answer query `number` in a role (SUBJECT or OBJECT), most probable first."""
    return tuple(
        ScoredBox((box[0], box[1], box[2], box[3]), float(found.likelihood(number, role)[index]))
        for index in found.best_first(number, role)
        for box in [found.boxes[index].tolist()]
    )


def _given(images: Sequence[Image]) -> list[str | Path | np.ndarray]:
    """Pixels in B, G, R order; files stay files, which are read when it is their turn."""
    alone = isinstance(images, (str, Path)) or (isinstance(images, np.ndarray) and images.ndim < 4)
    if alone:
        raise UserError("several images are given as a list: [image], not image")
    return [image if isinstance(image, (str, Path)) else _pixels(image) for image in images]


def _pixels(image: Image) -> np.ndarray:
    """uint8 [H, W, 3], B, G, R."""
    if not isinstance(image, np.ndarray):
        raise UserError(f"an image is {KINDS}, not {type(image).__name__}")
    shape = image.shape
    if image.dtype != np.uint8 or image.size == 0 or (shape[2:] not in ((), (3,), (4,))) or len(shape) < 2:
        raise UserError(f"an image is {KINDS}, not {image.dtype} {list(shape)}")
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image[:, :, 2::-1])
