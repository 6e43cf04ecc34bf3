"""Grounded scene graphs as programs get them: labelled boxes with masks, and scored relations, without
TensorFlow.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.boxes.paste import placed_masks
from dsg.datasets.formats.segmentations import encode
from dsg.datasets.records import Vocabulary
from dsg.metrics.graph_recall import GraphPrediction, GraphTruth, triple_hits
from dsg.models.grounding.answers import Graph
from dsg.models.grounding.grounded import GroundedImage
from dsg.visualize.grounded import draw_grounded, draw_refinement, draw_relation
from dsg.visualize.scene_graph import VERSION, Edge, Node, SceneGraph

NODES, EDGES = 6, 8  # of a picture
LOWEST = 0.01  # score of a relation of a picture; most pairs have none
OVERLAP = 0.5  # IoU above which two nodes of a picture would be the same thing again


@dataclass(frozen=True, eq=False)
class GroundedNode:
    """A thing in the image."""

    label: str
    score: float  # probability of the label; 1 where it is given
    box: tuple[float, float, float, float]  # x1 y1 x2 y2 in pixels of the image, no +1
    cells: np.ndarray | None  # float32 [28, 28]: probability of its mask in each cell of the box
    size: tuple[int, int]  # height, width of the image

    @property
    def mask(self) -> np.ndarray | None:
        """Its pixels, bool [height, width]; None without masks."""
        if self.cells is None:
            return None
        [placed] = placed_masks(self.cells[None], np.array([self.box], np.float32), *self.size)
        return placed.pixels(*self.size)


@dataclass(frozen=True)
class Relation:
    """A relation between two nodes, given by their positions in `GroundedGraph.nodes`."""

    subject: int
    predicate: str
    object: int
    probability: float  # of the predicate
    score: float  # of the triple: the probability times the scores of its two nodes


@dataclass(frozen=True, eq=False)
class GroundedGraph:
    """The scene graph of an image: N nodes, and a relation for each of P ordered pairs of them.

    Boxes and masks are in pixels of the image, upright by its EXIF orientation.
    """

    width: int  # of the image
    height: int
    found: GroundedImage
    vocabulary: Vocabulary  # label k is `objects[k]`

    @property
    def cells(self) -> np.ndarray | None:
        """float32 [N, 28, 28]: the masks, refined where they were refined; None if there are none."""
        return self.found.masks if self.found.refined is None else self.found.refined

    @functools.cached_property
    def nodes(self) -> tuple[GroundedNode, ...]:
        """The things in the image."""
        graph, cells = self.found.graph, self.cells
        masks: Sequence[np.ndarray | None] = [None] * len(graph.boxes) if cells is None else list(cells)
        size = (self.height, self.width)
        rows = zip(self._names, graph.scores.tolist(), graph.boxes.tolist(), masks)
        return tuple(
            GroundedNode(name, score, (box[0], box[1], box[2], box[3]), mask, size)
            for name, score, box, mask in rows
        )

    @functools.cached_property
    def edges(self) -> tuple[Relation, ...]:
        """The relations by falling score, for each ordered pair its most probable one."""
        graph = self.found.graph
        names = [self.vocabulary.predicates[number].replace("_", " ") for number in graph.predicates]
        certain = graph.probabilities[np.arange(len(names)), graph.predicates]
        rows = zip(names, graph.pairs.tolist(), certain.tolist(), graph.triple_scores.tolist())
        return tuple(Relation(i, name, j, certainty, score) for name, (i, j), certainty, score in rows)

    def chosen(self, nodes: int = NODES, edges: int = EDGES, overlap: float = OVERLAP) -> GroundedGraph:
        """The graph of what matters most: the most certain things, of equal ones those with the best
        relations, and the best relations between them, one for each pair, whose score is `LOWEST` or more.

        Args:
            nodes: at most so many.
            edges: at most so many.
            overlap: a box that overlaps a chosen one by more than this IoU is left out.
        """
        graph = self.found.graph
        weights = graph.scores.astype(np.float64)
        for ends in graph.pairs[::-1].T:  # the best relation of each node is the last that is written
            best = np.zeros(len(weights))
            best[ends] = graph.triple_scores[::-1]
            weights = np.maximum(weights, graph.scores + best)
        same = iou(graph.boxes, graph.boxes, inclusive=False) > overlap
        kept: list[int] = []
        for node in np.argsort(-weights, kind="stable").tolist():
            if len(kept) < nodes and not same[node, kept].any():
                kept.append(node)
        rows: dict[frozenset[int], int] = {}
        for row, pair in enumerate(graph.pairs[graph.triple_scores >= LOWEST].tolist()):
            if len(rows) < edges and pair[0] != pair[1] and set(pair) <= set(kept):
                rows.setdefault(frozenset(pair), row)
        return self._part(kept, list(rows.values()))

    def _part(self, nodes: list[int], rows: list[int]) -> GroundedGraph:
        """The graph of some of the nodes, and of rows of pairs between them."""
        graph, attended = self.found.graph, self.found.attended
        places = np.zeros(len(graph.boxes), np.int64)
        places[nodes] = np.arange(len(nodes))
        chosen = Graph(
            graph.boxes[nodes],
            graph.labels[nodes],
            graph.scores[nodes],
            places[graph.pairs[rows].reshape(-1, 2)],
            graph.probabilities[rows],
            graph.predicates[rows],
            graph.triple_scores[rows],
        )
        if attended is not None:
            attended = attended[[row for row in rows if row < len(attended)]]
        of_nodes = self.found.masks, self.found.refined
        masks, refined = (None if values is None else values[nodes] for values in of_nodes)
        return replace(self, found=GroundedImage(chosen, masks, refined, attended))

    def plain(self) -> SceneGraph:
        """The graph without masks, as it is drawn."""
        nodes = [
            Node(place, node.label, node.score, node.score, node.box) for place, node in enumerate(self.nodes)
        ]
        edges = [Edge(one.subject, one.predicate, one.object, one.score) for one in self.edges]
        return SceneGraph(tuple(nodes), tuple(edges))

    def to_json(self, *, masks: bool = True, image: str = "") -> dict[str, Any]:
        """Plain data for `json.dump`: nodes with ids from 1 on, as in pictures, relations between ids;
        `masks` are COCO's run lengths, `{"size": [h, w], "counts": text}`; `image` is its file's name.
        """
        nodes: list[dict[str, Any]] = [
            {
                "id": number,
                "label": node.label,
                "score": round(node.score, 4),
                "box": [round(side, 2) for side in node.box],
            }
            for number, node in enumerate(self.nodes, start=1)
        ]
        if masks and self.cells is not None:
            for entry, node in zip(nodes, self.nodes):
                if node.mask is not None:
                    entry["mask"] = encode(node.mask)
        edges = [
            {
                "subject": one.subject + 1,
                "predicate": one.predicate,
                "object": one.object + 1,
                "probability": round(one.probability, 4),
                "score": round(one.score, 4),
            }
            for one in self.edges
        ]
        size = {"width": self.width, "height": self.height}
        named: dict[str, Any] = {"image": image} if image else {}
        return {"version": VERSION, **named, **size, "nodes": nodes, "edges": edges}

    def to_dot(self) -> str:
        """The graph in Graphviz's language (`dot -Tsvg`)."""
        return self.plain().to_dot()

    def draw(self, image: np.ndarray) -> np.ndarray:
        """The graph with its masks on its image, uint8 [height, width, 3] in R, G, B order, and beside it;
        see `dsg.visualize.grounded.draw_grounded`. Of more than a few nodes, `chosen` chooses.
        """
        return draw_grounded(image, self.plain(), self.cells)

    def draw_refinement(self, image: np.ndarray) -> np.ndarray:
        """The masks before refinement and after it, which must be known; see
        `dsg.visualize.grounded.draw_refinement`.
        """
        found = self.found
        assert found.masks is not None and found.refined is not None
        names = [node.label for node in self.nodes]
        return draw_refinement(image, found.graph.boxes, names, found.masks, found.refined)

    def draw_relation(self, image: np.ndarray, edge: int, *, attended: bool = False) -> np.ndarray:
        """One relation on its image with the masks of its nodes, or with the regions that it attends to; see
        `dsg.visualize.grounded.draw_relation`.

        Args:
            image: as of `draw`.
            edge: position in `edges`.
            attended: draw `found.attended`, which must have the edge.
        """
        one = self.edges[edge]
        ends = [one.subject, one.object]
        masks = regions = None
        if attended:
            assert self.found.attended is not None
            regions = self.found.attended[edge]
        elif self.cells is not None:
            masks = self.cells[ends]
        triple = self.nodes[one.subject].label, one.predicate, self.nodes[one.object].label
        boxes, note = self.found.graph.boxes[ends], f"{one.score:.2f}"
        return draw_relation(image, triple, boxes, masks=masks, regions=regions, note=note)

    @property
    def _names(self) -> list[str]:
        return [self.vocabulary.objects[number].replace("_", " ") for number in self.found.graph.labels]


def right_relations(graph: GroundedGraph, truth: GraphTruth) -> np.ndarray:
    """Which relation is which true one: int [H, 2], position in `graph.edges` and row in `truth.relations`,
    by position; boxes in pixels of the image.
    """
    found = graph.found.graph
    prediction = GraphPrediction(found.boxes, found.labels, found.scores, found.pairs, found.probabilities)
    return triple_hits(prediction, truth)
