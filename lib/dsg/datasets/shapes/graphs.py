"""Pictures of `shapes150` and what people say of them: solids named by colour and shape, some colours more
frequent than others, and for each picture a few relations between solids that are near.

    pictures    of graphs          auxiliary, with masks
    colours     8 of CLEVR's       the same, but OTHER[colour] in the place of three of them
    boxes       drawn loosely      around what is seen
    relations   a few              none

Categories of the three colours have no masks to learn from, their counterparts have masks alone.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.datasets.shapes.pictures import sample_view
from dsg.datasets.shapes.predicates import LIKING, PREDICATES, holding
from dsg.datasets.shapes.render import View
from dsg.datasets.shapes.scene import SHAPES, Scene

FREQUENT = ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow")
"""Colours, the most frequent first."""
OTHER = {"green": "olive", "purple": "magenta", "yellow": "orange"}
"""Colours of auxiliary pictures in the place of those without masks."""
GRAPH_OBJECTS = tuple(sorted(f"{colour}_{shape}" for colour in FREQUENT for shape in SHAPES))
MASK_OBJECTS = tuple(
    sorted(f"{OTHER.get(colour, colour)}_{shape}" for colour in FREQUENT for shape in SHAPES)
)
GRAPHS, MASKS = ("train", "test"), ("masks_train", "masks_val")
KINDS = (*GRAPHS, *MASKS)
"""Of pictures."""
STREAM = 150  # apart from those of `shapes`
HELD_OUT = 0.08  # share of the triplets of labels that nobody says in training
LOOSE = 0.08  # of a box's side: by how much at most people draw it too large
REPEATED = 0.08  # share of relations whose pair is mentioned once more
RELATIONS = 4.0  # a picture, on average, besides the first


class Graph(NamedTuple):
    """The annotated graph of a picture."""

    boxes: np.ndarray  # float64 [n, 4]: x1 y1 x2 y2 in pixels
    labels: np.ndarray  # int64 [n], in GRAPH_OBJECTS
    relations: np.ndarray  # int64 [T, 3]: subject row, object row, number in PREDICATES


def make_graph_view(kind: str, number: int, settings: dict[str, Any]) -> tuple[View, np.ndarray, list[str]]:
    """What a picture shows, not drawn, the box of what is seen of each solid, int64 [n, 4], and their names.

    Raises:
        UserError: scenes with that many objects do not fit into pictures of that size.
    """
    rng = _rng(kind, number, settings, 0)
    shares = 1 / np.arange(1, len(FREQUENT) + 1) ** 0.8

    def paint(scene: Scene) -> Scene:
        colours = rng.choice(FREQUENT, len(scene.solids), p=shares / shares.sum()).tolist()
        if kind in MASKS:
            colours = [OTHER.get(colour, colour) for colour in colours]
        solids = zip(scene.solids, colours)
        return dataclasses.replace(
            scene, solids=tuple(dataclasses.replace(solid, colour=colour) for solid, colour in solids)
        )

    view, boxes = sample_view(rng, tuple(settings["size"]), tuple(settings["objects"]), paint)
    return view, boxes, [f"{solid.colour}_{solid.shape}" for solid in view.scene.solids]


def annotate(
    kind: str, number: int, view: View, boxes: np.ndarray, names: list[str], settings: dict[str, Any]
) -> Graph:
    """What people say of a picture of `make_graph_view`."""
    rng = _rng(kind, number, settings, 1)
    labels = np.array([GRAPH_OBJECTS.index(name) for name in names])
    loose = _drawn(rng, boxes, settings["size"])
    said = holding(view, labels) * np.array([LIKING[name] for name in PREDICATES])
    if kind == "train":
        said = said * ~held_out(settings["seed"])[labels[:, None], labels[None]]
    pairs = _pairs(rng, loose, said.any(-1))
    relations = []
    for subject, object_ in pairs:
        shares = said[subject, object_] / said[subject, object_].sum()
        for _ in range(1 + (rng.random() < REPEATED)):
            relations.append((subject, object_, int(rng.choice(len(shares), p=shares))))
    return Graph(loose, labels, np.array(relations, np.int64).reshape(-1, 3))


def held_out(seed: int) -> np.ndarray:
    """Which triplets of labels nobody says in training: bool [objects, objects, predicates]."""
    shape = len(GRAPH_OBJECTS), len(GRAPH_OBJECTS), len(PREDICATES)
    return np.random.default_rng([seed, STREAM]).random(shape) < HELD_OUT


def _rng(kind: str, number: int, settings: dict[str, Any], use: int) -> np.random.Generator:
    return np.random.default_rng([settings["seed"], STREAM, KINDS.index(kind), number, use])


def _drawn(rng: np.random.Generator, boxes: np.ndarray, size: list[int]) -> np.ndarray:
    """Boxes as people draw them: a little too large, inside the picture."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + rng.uniform(0, LOOSE, boxes.shape) * sides * [-1, -1, 1, 1]
    return np.clip(moved, 0, np.tile(size, 2).astype(float))


def _pairs(rng: np.random.Generator, boxes: np.ndarray, possible: np.ndarray) -> list[list[int]]:
    """Ordered pairs of which something is said; people look at what overlaps or is close by."""
    gaps = np.maximum(boxes[:, None, :2] - boxes[None, :, 2:], boxes[None, :, :2] - boxes[:, None, 2:])
    distances = np.linalg.norm(np.maximum(gaps, 0), axis=-1)
    shares = np.where(iou(boxes, boxes, inclusive=False) > 0, 1.0, 0.08 * np.exp(-distances / 10))
    shares = np.where(possible, shares, 0).ravel()
    number = min(1 + int(rng.poisson(RELATIONS)), int((shares > 0).sum()))
    if not number:
        return []
    drawn = rng.choice(len(shares), number, replace=False, p=shares / shares.sum())
    return [list(divmod(int(pair), len(boxes))) for pair in drawn]
