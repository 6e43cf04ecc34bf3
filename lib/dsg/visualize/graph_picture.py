"""A scene graph as a picture: the image with numbered boxes, beside it the diagram of the relations."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dsg.visualize.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MIN_SIDE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WHITE,
    Colour,
    blank,
    draw_box,
    draw_tag,
    draw_text,
    enlarge,
    ink,
    shorten,
    text_size,
)
from dsg.visualize.graph_layout import Layout, lay_out
from dsg.visualize.scene_graph import SceneGraph

# Yellow is left out: lines of it are hard to see on white.
_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY)
_NODE, _LABEL = 14, 12  # font sizes
_MAX_LABEL = 190  # pixels; longer names are shortened


def draw_scene_graph(image: np.ndarray, graph: SceneGraph, *, min_side: int = MIN_SIDE) -> np.ndarray:
    """Image with numbered boxes on the left, node-link diagram on the right.

    Args:
        image: uint8 [H, W, 3] RGB, in whose pixels the nodes' boxes are.
        graph: what to draw; node numbers are those of its JSON and DOT.
        min_side: enlarge images whose shorter side is smaller.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture, factor = enlarge(image, min_side)
    for number, node in enumerate(graph.nodes, start=1):
        draw_box(picture, np.multiply(node.box, factor), _colour(number), 2, halo=True)
    for number, node in enumerate(graph.nodes, start=1):
        draw_tag(picture, np.multiply(node.box, factor), str(number), _colour(number), size=13)
    return beside(picture, draw_diagram(graph, picture.shape[0]))


def beside(picture: np.ndarray, diagram: np.ndarray, gap: int = 12) -> np.ndarray:
    """Two pictures beside each other on white, the lower one at half the height of the higher."""
    page = blank(max(picture.shape[0], diagram.shape[0]), picture.shape[1] + gap + diagram.shape[1])
    top = (page.shape[0] - picture.shape[0]) // 2
    page[top : top + picture.shape[0], : picture.shape[1]] = picture
    top = (page.shape[0] - diagram.shape[0]) // 2
    page[top : top + diagram.shape[0], picture.shape[1] + gap :] = diagram
    return page


def draw_diagram(graph: SceneGraph, height: int, colours: Sequence[Colour] | None = None) -> np.ndarray:
    """The node-link diagram alone, about that high (it grows where texts need room), uint8 RGB.

    Args:
        graph: what to draw.
        height: in pixels.
        colours: of the nodes; by default each of the first six has its own.
    """
    if colours is None:
        colours = [_colour(number) for number in range(1, len(graph.nodes) + 1)]
    layout, names, labels = diagram_layout(graph, height)
    width, height = (int(np.ceil(value)) for value in layout.size)
    canvas = blank(height, width)
    if not graph.nodes:
        draw_text(canvas, (16, height / 2 - 12), "no entities found", GREY)
    for edge, curve in zip(graph.edges, layout.curves):
        # Where lines cross, the colour tells which subject each belongs to.
        colour = colours[edge.subject]
        cv2.polylines(canvas, [np.rint(curve * 16).astype(np.int32)], False, colour, 2, cv2.LINE_AA, shift=4)
        _arrowhead(canvas, curve, colour)
    for rectangle, label in zip(layout.labels, labels):
        x1, y1, x2, y2 = np.rint(rectangle).astype(int)
        canvas[max(y1, 0) : y2, max(x1, 0) : x2] = WHITE
        draw_text(canvas, (x1 + 3, y1 + 1), label, BLACK, _LABEL)
    for number, (rectangle, name) in enumerate(zip(layout.nodes, names), start=1):
        x1, y1, x2, y2 = np.rint(rectangle).astype(int)
        _rounded(canvas, (x1, y1, x2, y2), colours[number - 1])
        colour = ink(colours[number - 1])
        draw_text(canvas, (x1 + 9, y1 + 5), str(number), colour, _NODE, bold=True)
        draw_text(canvas, (x1 + 16 + text_size(str(number), _NODE, True)[0], y1 + 5), name, colour, _NODE)
    return canvas


def diagram_layout(graph: SceneGraph, height: int) -> tuple[Layout, list[str], list[str]]:
    """Where the diagram's parts go, and the texts of nodes and edges as they are written."""
    names = [shorten(node.label, _MAX_LABEL, _NODE) for node in graph.nodes]
    labels = [f"{shorten(edge.predicate, _MAX_LABEL, _LABEL)} {edge.score:.2f}" for edge in graph.edges]
    node_sizes = []
    for number, name in enumerate(names, start=1):
        text_width, text_height = text_size(name, _NODE)
        node_sizes.append((text_width + text_size(str(number), _NODE, True)[0] + 26, text_height + 10))
    label_sizes = [(width + 6, high + 2) for width, high in (text_size(label, _LABEL) for label in labels)]
    centres = np.reshape([node.box for node in graph.nodes], (-1, 2, 2)).mean(axis=1)
    pairs = [(edge.subject, edge.object) for edge in graph.edges]
    layout = lay_out(centres, node_sizes, pairs, label_sizes, (1.25 * height, height))
    return layout, names, labels


def _colour(number: int) -> Colour:
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _rounded(
    canvas: np.ndarray, rectangle: tuple[int, int, int, int], colour: Colour, radius: int = 8
) -> None:
    """A filled rectangle with round corners."""
    x1, y1, x2, y2 = rectangle
    cv2.rectangle(canvas, (x1 + radius, y1), (x2 - radius, y2), colour, -1)
    cv2.rectangle(canvas, (x1, y1 + radius), (x2, y2 - radius), colour, -1)
    for x in (x1 + radius, x2 - radius):
        for y in (y1 + radius, y2 - radius):
            cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA)


def _arrowhead(canvas: np.ndarray, curve: np.ndarray, colour: Colour, length: float = 11.0) -> None:
    """A filled triangle at the end of a curve, in its direction there."""
    tip = curve[-1]
    distances = np.hypot(*(curve - tip).T)
    tail = curve[np.flatnonzero(distances >= length)[-1]] if (distances >= length).any() else curve[0]
    direction = tip - tail
    norm = float(np.hypot(*direction))
    if norm == 0:
        return
    direction = direction / norm * length
    normal = np.array([-direction[1], direction[0]]) * 0.42
    corners = np.stack([tip, tip - direction + normal, tip - direction - normal])
    cv2.fillPoly(canvas, [np.rint(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)
