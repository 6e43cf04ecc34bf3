"""A labelled scene graph read off the model's label heads: what is seen, how it is related; as JSON or DOT.

Nodes are the boxes that the graph layer attends to most, with the most probable entity; edges are the most
probable predicates between them. The model knows no predicate for "unrelated", so only the most confident
edges mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dsg.boxes.overlaps import iou

VERSION = 1
"""Of the JSON of scene graphs, these and the grounded ones (docs/scene-graph.schema.json); it grows where a
program that reads the old one would be misled."""


@dataclass(frozen=True)
class Node:
    """An entity."""

    index: int  # which of the N boxes
    label: str
    score: float  # probability of the label
    weight: float  # attention (or the score, if there is none)
    box: tuple[float, float, float, float]  # x1 y1 x2 y2, pixels


@dataclass(frozen=True)
class Edge:
    """A relation between two nodes, given by their positions in `SceneGraph.nodes`."""

    subject: int
    predicate: str
    object: int
    score: float  # probability of the predicate


@dataclass(frozen=True)
class SceneGraph:
    """Nodes by falling weight, edges by falling score."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def scaled(self, scale: float) -> SceneGraph:
        """The graph of an image whose sides are so many times as long."""
        nodes = []
        for node in self.nodes:
            x1, y1, x2, y2 = (scale * side for side in node.box)
            nodes.append(replace(node, box=(x1, y1, x2, y2)))
        return SceneGraph(tuple(nodes), self.edges)

    def to_json(self, image: str = "", size: tuple[int, int] | None = None) -> dict[str, Any]:
        """Plain data for `json.dump`: nodes with ids from 1 on (as in pictures), edges between ids.

        Args:
            image: its file's name; empty: is left out.
            size: its width and height; None: are left out.
        """
        nodes = [{"id": number, **asdict(node)} for number, node in enumerate(self.nodes, start=1)]
        for node in nodes:
            node["box"] = list(node["box"])
        edges = [
            {"subject": e.subject + 1, "predicate": e.predicate, "object": e.object + 1, "score": e.score}
            for e in self.edges
        ]
        named: dict[str, Any] = {"image": image} if image else {}
        sides = {} if size is None else {"width": size[0], "height": size[1]}
        return {"version": VERSION, **named, **sides, "nodes": nodes, "edges": edges}

    def to_dot(self) -> str:
        """The graph in Graphviz's language (`dot -Tsvg`)."""
        lines = ["digraph scene {", "  node [shape=box, style=rounded];"]
        for number, node in enumerate(self.nodes, start=1):
            lines.append(f"  n{number} [label={_quoted(f'{number} {node.label}')}];")
        for edge in self.edges:
            label = _quoted(f"{edge.predicate} {edge.score:.2f}")
            lines.append(f"  n{edge.subject + 1} -> n{edge.object + 1} [label={label}];")
        return "\n".join([*lines, "}"]) + "\n"


def decode_scene_graph(
    entity_probabilities: np.ndarray,
    predicate_probabilities: np.ndarray,
    boxes: np.ndarray,
    *,
    entities: Sequence[str],
    predicates: Sequence[str],
    node_weights: np.ndarray | None = None,
    max_nodes: int = 6,
    max_edges: int = 8,
    max_overlap: float = 0.5,
    both_directions: bool = False,
) -> SceneGraph:
    """The most attended entities of one image and the most confident relations among them.

    Args:
        entity_probabilities: [N, E].
        predicate_probabilities: [N, N, R], [i, j] for subject i and object j.
        boxes: [N, 4] x1 y1 x2 y2 in pixels.
        entities: E names; underscores become blanks.
        predicates: R names.
        node_weights: [N] attention of the graph to each box; default the probability of its entity.
        max_nodes: at most so many nodes.
        max_edges: at most so many edges.
        max_overlap: a box that overlaps a node of larger weight by more than this IoU is the same thing again
            and left out (no +1 in the widths).
        both_directions: keep both edges of a pair; else only the more confident one.

    Returns:
        A SceneGraph; empty if there are no boxes.

    Raises:
        ValueError: when shapes disagree.
    """
    count = len(boxes)
    expected = ((count, len(entities)), (count, count, len(predicates)))
    if (entity_probabilities.shape, predicate_probabilities.shape) != expected:
        raise ValueError(f"expected shapes {expected}")
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    scores = entity_probabilities.max(axis=1)
    weights = scores if node_weights is None else np.asarray(node_weights)
    kept = _distinct(boxes, np.argsort(-weights, kind="stable"), max_overlap)[:max_nodes]
    nodes = tuple(
        Node(
            index=i,
            label=entities[int(entity_probabilities[i].argmax())].replace("_", " "),
            score=float(scores[i]),
            weight=float(weights[i]),
            box=(float(boxes[i, 0]), float(boxes[i, 1]), float(boxes[i, 2]), float(boxes[i, 3])),
        )
        for i in kept
    )
    among = predicate_probabilities[np.ix_(kept, kept)]
    edges = [
        Edge(i, predicates[int(among[i, j].argmax())].replace("_", " "), j, float(among[i, j].max()))
        for i in range(len(kept))
        for j in range(len(kept))
        if i != j
    ]
    edges.sort(key=lambda edge: -edge.score)
    if not both_directions:
        first = {frozenset((edge.subject, edge.object)): edge for edge in reversed(edges)}
        edges = [edge for edge in edges if first[frozenset((edge.subject, edge.object))] is edge]
    return SceneGraph(nodes, tuple(edges[:max_edges]))


def _distinct(boxes: np.ndarray, order: np.ndarray, max_overlap: float) -> list[int]:
    """The boxes in that order without those that overlap an earlier one too much."""
    shared = iou(boxes, boxes, inclusive=False)
    kept: list[int] = []
    for index in map(int, order):
        if (shared[index, kept] <= max_overlap).all():
            kept.append(index)
    return kept


def _quoted(text: str) -> str:
    """A DOT string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
