"""Grounded scene graphs as HTML: the image as SVG with masks, boxes and labels as layers, and beside it the
relations, each with the regions that it attends to, which show while it is pointed at.
"""

from __future__ import annotations

import html
from collections.abc import Collection

import cv2
import numpy as np

from dsg.apps.serve.detection_figure import code, drawn, object_layers, switches
from dsg.apps.serve.svg import block, data_url, rect, svg, unit_of
from dsg.models.grounding.scene import GroundedGraph, Relation
from dsg.visualize.canvas import text_size
from dsg.visualize.detections import name_colours
from dsg.visualize.grounded import ROLE_COLOURS, STRONGEST

FONT, GAP = 14, 12  # pixels of the screen, more or less
ROW = 24  # of a line of the list

STYLE = """
.dsg .relation .given { visibility: hidden; pointer-events: none; }
.dsg .relation:hover .given, .dsg .relation:focus .given { visibility: visible; }
.dsg .relation .row { fill: transparent; }
.dsg .relation { cursor: pointer; outline: none; }
.dsg .relation:hover .row, .dsg .relation:focus .row { fill: rgba(0, 0, 0, 0.12); }
.dsg .relation text { fill: var(--body-text-color, black); }
.dsg .relation .given rect { fill: none; stroke-width: 4px; vector-effect: non-scaling-stroke; }
.dsg svg:has(.relation:hover) .masks, .dsg svg:has(.relation:focus) .masks,
.dsg svg:has(.relation:hover) .boxes, .dsg svg:has(.relation:focus) .boxes { display: none; }
"""


def graph_figure(image: np.ndarray, graph: GroundedGraph, right: Collection[int] = ()) -> str:
    """The image with its nodes' masks, boxes and labels, each a layer, and the relations at the right.

    Args:
        image: uint8 [H, W, 3], B, G, R.
        graph: of the image, its `found.attended` for each relation where there are masks.
        right: positions of relations that are known to be true, which get a tick.
    """
    names = [node.label for node in graph.nodes]
    captions = [f"{number} {node.label} {node.score:.2f}" for number, node in enumerate(graph.nodes, start=1)]
    colours = name_colours(names)
    layers = object_layers(image, graph.found.graph.boxes, names, colours, captions, graph.cells)
    unit = unit_of(image)
    size = min(FONT * unit, image.shape[0] / max(len(graph.edges), 1) * FONT / ROW)
    texts = [
        relation_words(graph, one) + " \N{CHECK MARK}" * (place in right)
        for place, one in enumerate(graph.edges)
    ]
    left, row = image.shape[1] + GAP * unit, size * ROW / FONT
    room = max((text_size(text, FONT, bold=True)[0] for text in texts), default=0) * size / FONT + GAP * unit
    relations = "".join(
        _relation(graph, place, text, (left, place * row, room, row), size)
        for place, text in enumerate(texts)
    )
    picture = svg(image, drawn(layers) + relations, width=left + room if texts else None)
    return block(f"{switches(layers)}{picture}")


def relation_words(graph: GroundedGraph, one: Relation) -> str:
    """A relation in words, nodes with their numbers, and its score."""
    ends = [f"{node + 1} {graph.nodes[node].label}" for node in (one.subject, one.object)]
    return f"{ends[0]} {one.predicate} {ends[1]} {one.score:.2f}"


def _relation(
    graph: GroundedGraph, place: int, text: str, row: tuple[float, float, float, float], size: float
) -> str:
    """A row of the list, x y width height, and what shows on the image while it is pointed at."""
    one, attended = graph.edges[place], graph.found.attended
    x, y, width, height = row
    words = html.escape(text)
    boxes = graph.found.graph.boxes[[one.subject, one.object]]
    given = "".join(rect(box, f"stroke:{code(colour)}", "end") for box, colour in zip(boxes, ROLE_COLOURS))
    if attended is not None and place < len(attended):
        given = (
            "".join(
                _region(box, mask, colour) for box, mask, colour in zip(boxes, attended[place], ROLE_COLOURS)
            )
            + given
        )
    return (
        f'<g class="relation" tabindex="0" role="img" aria-label="{words}">'
        f'<rect class="row" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        f'<text x="{x + 0.3 * size:.1f}" y="{y + 0.7 * height:.1f}" font-size="{size:.1f}">{words}</text>'
        f'<g class="given">{given}</g></g>'
    )


def _region(box: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> str:
    """A mask in the cells of a box as an image of one colour, the stronger the more opaque."""
    cells = np.empty((*mask.shape, 4), np.uint8)
    cells[:, :, :3] = colour[::-1]
    cells[:, :, 3] = np.rint(255 * STRONGEST * np.clip(mask, 0, 1))
    encoded = cv2.imencode(".png", cells)[1].tobytes()
    x1, y1, x2, y2 = (float(side) for side in box)
    return (
        f'<image class="region" x="{x1:.1f}" y="{y1:.1f}" width="{max(x2 - x1, 0):.1f}"'
        f' height="{max(y2 - y1, 0):.1f}" preserveAspectRatio="none" href="{data_url("png", encoded)}"/>'
    )
