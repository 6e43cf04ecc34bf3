"""Where the parts of a node-link diagram go, so that no text covers another: pure geometry, no drawing.

Nodes stand on an ellipse, in the order in which their boxes lie around the middle of the image, so that what
is left in the picture is left in the diagram. An edge is a curve from border to border of its nodes; of many
possible curves and label places it takes the first where the label is free and the curve crosses no node.
Where the labels do not all find room the ellipse grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

_BENDS = (
    0.0,
    0.12,
    -0.12,
    0.25,
    -0.25,
    0.4,
    -0.4,
)  # sideways shift of a curve's middle, in lengths of the chord
_PLACES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73)  # where along its curve a label may sit
_SAMPLES = 41
_GROWTH = 1.15
_MAX_TRIES = 12


@dataclass(frozen=True)
class Layout:
    """Rectangles are x1 y1 x2 y2, all within (0, 0)..size."""

    size: tuple[float, float]  # width, height of the diagram
    nodes: np.ndarray  # [n, 4] rectangles
    curves: list[np.ndarray]  # per edge [m, 2] points from the subject's border to the object's
    labels: np.ndarray  # [e, 4] rectangles of the edges' labels


def lay_out(
    centres: np.ndarray,
    node_sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    label_sizes: Sequence[tuple[float, float]],
    size: tuple[float, float],
    margin: float = 8.0,
) -> Layout:
    """Place nodes, edges and edge labels.

    Args:
        centres: [n, 2] x, y of the nodes' boxes in the image; only the directions from their mean count.
        node_sizes: width and height of each node's rectangle.
        edges: (subject, object) positions of nodes.
        label_sizes: width and height of each edge's label.
        size: width and height to begin with; the result may be larger.
        margin: room around every rectangle.

    Returns:
        A Layout, in the same units.
    """
    width, height = size
    for _ in range(_MAX_TRIES):
        nodes = _ellipse(np.asarray(centres, float), np.reshape(node_sizes, (-1, 2)), width, height, margin)
        if not _any_overlap(nodes, margin):
            routed = _route(nodes, edges, label_sizes, margin)
            if routed is not None:
                return Layout((width, height), nodes, *routed)
        width, height = width * _GROWTH, height * _GROWTH
    # Never seen with graphs of readable size: the last attempt, labels in the middle of their chords.
    curves = [_clip(_curve(nodes, i, j, 0.0), nodes[i], nodes[j]) for i, j in edges]
    labels = [_rectangle(curve[len(curve) // 2], label) for curve, label in zip(curves, label_sizes)]
    return Layout((width, height), nodes, curves, np.reshape(labels, (-1, 4)))


def _ellipse(
    centres: np.ndarray, sizes: np.ndarray, width: float, height: float, margin: float
) -> np.ndarray:
    """Rectangles [n, 4] at equal angles around an ellipse, turned to fit the directions of the boxes best."""
    count = len(centres)
    if count == 0:
        return np.zeros((0, 4))
    middle = np.array([width, height]) / 2
    if count == 1:
        return _rectangle(middle, sizes[0])[None]
    offsets = centres - centres.mean(axis=0)
    angles = np.arctan2(offsets[:, 1], offsets[:, 0])
    order = np.argsort(angles, kind="stable")
    slots = 2 * np.pi * np.arange(count) / count
    # The turn that minimises the squared differences of directions is the angle of the mean difference.
    turn = np.angle(np.exp(1j * (angles[order] - slots)).sum())
    radii = (np.array([width, height]) - sizes.max(axis=0)) / 2 - margin
    rectangles = np.zeros((count, 4))
    for slot, node in zip(slots, order):
        direction = np.array([np.cos(slot + turn), np.sin(slot + turn)])
        rectangles[node] = _rectangle(middle + radii * direction, sizes[node])
    return rectangles


def _route(
    nodes: np.ndarray,
    edges: Sequence[tuple[int, int]],
    label_sizes: Sequence[tuple[float, float]],
    margin: float,
) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Curves and label rectangles for all edges; None if a label finds no free place."""
    curves: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for (subject, object_), label_size in zip(edges, label_sizes):
        others = np.delete(nodes, [subject, object_], axis=0)
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        for rank, (bend, place) in enumerate(product(_BENDS, _PLACES)):
            curve = _clip(_curve(nodes, subject, object_, bend), nodes[subject], nodes[object_])
            label = _rectangle(curve[int(place * (len(curve) - 1))], label_size)
            if _hits(label, nodes, margin / 2) or _hits(label, np.reshape(labels, (-1, 4)), margin / 2):
                continue
            # Crossing a node misleads, touching another edge's label or line only disturbs.
            cost = 100.0 * _inside(curve, others) + 10.0 * _inside(curve, np.reshape(labels, (-1, 4)))
            cost += 6.0 * sum(_inside(other, label[None]) for other in curves) + 0.1 * rank
            if best is None or cost < best[0]:
                best = (cost, curve, label)
        if best is None:
            return None
        curves.append(best[1])
        labels.append(best[2])
    return curves, np.reshape(labels, (-1, 4))


def _curve(nodes: np.ndarray, subject: int, object_: int, bend: float) -> np.ndarray:
    """A quadratic Bezier curve [m, 2] between the middles of two nodes, bent to the left of its direction."""
    start, end = ((nodes[i, :2] + nodes[i, 2:]) / 2 for i in (subject, object_))
    chord = end - start
    control = (start + end) / 2 + 2 * bend * np.array([chord[1], -chord[0]])
    t = np.linspace(0, 1, _SAMPLES)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def _clip(curve: np.ndarray, subject: np.ndarray, object_: np.ndarray) -> np.ndarray:
    """The part of a curve outside both rectangles, its ends on their borders."""

    def leave(points: np.ndarray, rectangle: np.ndarray) -> np.ndarray:
        """Points from the border of the rectangle that the first one lies in."""
        outside = np.flatnonzero(~_contains(rectangle, points))
        if len(outside) == 0 or outside[0] == 0:
            return points
        inner, outer = points[outside[0] - 1], points[outside[0]]
        step = outer - inner
        with np.errstate(divide="ignore", invalid="ignore"):
            to_border = np.where(step > 0, rectangle[2:] - inner, rectangle[:2] - inner) / step
        share = np.nanmin(np.where(step == 0, np.inf, to_border))
        return np.concatenate([[inner + np.clip(share, 0, 1) * step], points[outside[0] :]])

    return leave(leave(curve, subject)[::-1], object_)[::-1]


def _rectangle(centre: np.ndarray, size: Sequence[float] | np.ndarray) -> np.ndarray:
    half = np.asarray(size, float) / 2
    return np.concatenate([centre - half, centre + half])


def _contains(rectangle: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.all((points >= rectangle[:2]) & (points <= rectangle[2:]), axis=-1)


def _hits(rectangle: np.ndarray, others: np.ndarray, room: float = 0.0) -> bool:
    """Whether a rectangle comes closer than `room` to any of the others [k, 4]."""
    apart = (rectangle[:2] - room >= others[:, 2:]) | (rectangle[2:] + room <= others[:, :2])
    return bool(np.any(~apart.any(axis=1)))


def _any_overlap(rectangles: np.ndarray, room: float) -> bool:
    return any(_hits(rectangle, rectangles[i + 1 :], room) for i, rectangle in enumerate(rectangles))


def _inside(curve: np.ndarray, rectangles: np.ndarray) -> int:
    """How many of the rectangles [k, 4] a curve runs through."""
    return sum(bool(_contains(rectangle, curve).any()) for rectangle in rectangles)
