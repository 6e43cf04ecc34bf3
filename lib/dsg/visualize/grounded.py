"""Scene graphs whose nodes have masks: the graph on its image and beside it, what a relation attends to, and
masks before and after refinement.

A category has the same colour in every picture, on the image and in the diagram.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.boxes.paste import PlacedMask, placed_masks
from dsg.visualize.canvas import (
    BLACK,
    FONT_SIZE,
    GREY,
    MIN_SIDE,
    OBJECT_COLOUR,
    SUBJECT_COLOUR,
    Colour,
    blank,
    draw_box,
    draw_tag,
    draw_text,
    grid,
    ink,
    shorten,
    stack,
    text_size,
)
from dsg.visualize.captions import flow, titled, written
from dsg.visualize.detections import (
    LARGEST_SIDE,
    draw_detections,
    draw_mask,
    name_colours,
    name_numbers,
    resized,
)
from dsg.visualize.graph_picture import beside, draw_diagram
from dsg.visualize.scene_graph import Edge, SceneGraph

SMALL = FONT_SIZE - 2
ROW = 24  # pixels of a line of the list of relations
COLUMN = 340  # pixels that a column of it has at least
ROLE_COLOURS = (SUBJECT_COLOUR, OBJECT_COLOUR)
STRONGEST = 0.75  # opacity of a region where its mask is 1


def draw_grounded(
    image: np.ndarray,
    graph: SceneGraph,
    masks: np.ndarray | None,
    *,
    largest_side: int = LARGEST_SIDE // 2,
    min_side: int = MIN_SIDE,
) -> np.ndarray:
    """The image with boxes, masks and labels at the left, the diagram of the graph at the right, and its
    relations in words below.

    Args:
        image: uint8 [H, W, 3] RGB, in whose pixels the nodes' boxes are.
        graph: of n nodes; their numbers are those of its JSON and DOT.
        masks: float32 [n, m, m], probabilities in the boxes; None if there are none.
        largest_side: an image whose longer side is larger is made smaller.
        min_side: an image whose shorter side is smaller is enlarged.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    names = [node.label for node in graph.nodes]
    boxes = np.reshape([node.box for node in graph.nodes], (-1, 4))
    scores = [node.score for node in graph.nodes]
    picture = draw_detections(
        *(image, boxes, names, scores, masks),
        classes=name_numbers(names),
        numbered=True,
        min_side=min_side,
        largest_side=largest_side,
    )
    diagram = draw_diagram(graph, max(picture.shape[0], min_side), name_colours(names))
    page = beside(picture, diagram)
    return stack([page, relation_list(graph, page.shape[1])])


def relation_list(graph: SceneGraph, width: int) -> np.ndarray:
    """The relations in words with their scores, in columns: uint8 [H, width, 3] RGB."""
    columns = max(1, min(width // COLUMN, len(graph.edges)))
    rows = -(-len(graph.edges) // columns)
    own = width // columns
    colours = name_colours([node.label for node in graph.nodes])
    parts = [_relation(graph, edge, own, colours) for edge in graph.edges]
    listed = [stack(parts[first : first + rows]) for first in range(0, len(parts), max(rows, 1))]
    page = blank(ROW * rows + 8 * bool(parts), width)
    for place, column in enumerate(listed):
        page[8 : 8 + column.shape[0], place * own : (place + 1) * own] = column
    return page


def _relation(graph: SceneGraph, edge: Edge, width: int, colours: Sequence[Colour]) -> np.ndarray:
    """A line: subject and object on their colours, the predicate between them, the score behind."""
    strip = blank(ROW, width)
    words = [_numbered(graph, edge.subject), edge.predicate, _numbered(graph, edge.object)]
    lengths = [text_size(word, SMALL, bold=place != 1)[0] for place, word in enumerate(words)]
    room = width - text_size(" 0.00", SMALL)[0] - 56
    if sum(lengths) > room:
        words = [shorten(word, room / 3, SMALL, bold=place != 1) for place, word in enumerate(words)]
    x = 2
    for place, word in enumerate(words):
        length, height = text_size(word, SMALL, bold=place != 1)
        if place == 1:
            draw_text(strip, (x, 2), word, BLACK, SMALL)
        else:
            colour = colours[(edge.subject, edge.object)[place // 2]]
            strip[2 : 2 + height, x : x + length + 8] = colour
            draw_text(strip, (x + 4, 2), word, ink(colour), SMALL, bold=True)
        x += length + (8 if place == 1 else 16)
    draw_text(strip, (x, 2), f"{edge.score:.2f}", GREY, SMALL)
    return strip


def _numbered(graph: SceneGraph, node: int) -> str:
    return f"{node + 1} {graph.nodes[node].label}"


def draw_relation(
    image: np.ndarray,
    triple: tuple[str, str, str],
    boxes: np.ndarray,
    *,
    masks: np.ndarray | None = None,
    regions: np.ndarray | None = None,
    note: str = "",
    largest_side: int = LARGEST_SIDE // 2,
    min_side: int = MIN_SIDE,
) -> np.ndarray:
    """One relation: its subject (vermillion) and its object (blue), with the words above.

    Args:
        image: uint8 [H, W, 3] RGB.
        triple: subject, predicate, object.
        boxes: [2, 4], of subject and object in pixels of the image.
        masks: float32 [2, m, m], probabilities in the two boxes: what is more probable than not is coloured.
        regions: float32 [2, m, m], from 0 to 1 in the cells of the two boxes, such as the masks that the
            relation attends to: the stronger, the more opaque.
        note: written behind the words.
        largest_side: an image whose longer side is larger is made smaller.
        min_side: an image whose shorter side is smaller is enlarged.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture, scale = resized(image, min_side, largest_side)
    height, width = picture.shape[:2]
    boxes = np.asarray(boxes, np.float32) * np.tile(scale, 2)
    if masks is not None:
        for placed, colour in zip(placed_masks(masks, boxes, height, width), ROLE_COLOURS):
            draw_mask(picture, placed, colour)
    if regions is not None:
        for placed, colour in zip(placed_masks(regions, boxes, height, width), ROLE_COLOURS):
            tint(picture, placed, colour)
    for box, colour in zip(boxes, ROLE_COLOURS):
        draw_box(picture, box, colour, 2, halo=True)
    for box, colour, letter, right in zip(boxes, ROLE_COLOURS, "SO", (False, True)):
        draw_tag(picture, box, letter, colour, right=right)
    subject, predicate, object_ = (name.replace("_", " ") for name in triple)
    words = [(subject, SUBJECT_COLOUR), (predicate, BLACK), (object_, OBJECT_COLOUR)]
    lines = [
        *flow(words, width, FONT_SIZE + 1, bold=True),
        *flow([(note, GREY)] if note else [], width, SMALL),
    ]
    return stack([written(lines, width), picture])


def tint(image: np.ndarray, region: PlacedMask, colour: Colour) -> None:
    """Colour an image where a region is, as opaque as it is strong there."""
    seen = region.region(image)
    share = STRONGEST * np.clip(region.probabilities, 0, 1)[..., None]
    seen[:] = np.rint((1 - share) * seen + share * np.array(colour)).astype(np.uint8)


def draw_refinement(
    image: np.ndarray,
    boxes: np.ndarray,
    names: Sequence[str],
    before: np.ndarray,
    after: np.ndarray,
    *,
    min_side: int = MIN_SIDE,
) -> np.ndarray:
    """The masks before refinement at the left, and after it at the right: uint8 [H', W', 3] RGB.

    Args:
        image: uint8 [H, W, 3] RGB.
        boxes: [n, 4] in pixels of the image.
        names: of the n categories.
        before: float32 [n, m, m], probabilities in the boxes.
        after: float32 [n, m, m].
        min_side: an image whose shorter side is smaller is enlarged.
    """
    panels = []
    for title, masks in (("before refinement", before), ("after refinement", after)):
        drawn = draw_detections(
            *(image, boxes, names, None, masks),
            classes=name_numbers(names),
            min_side=min_side,
            largest_side=LARGEST_SIDE // 2,
        )
        panels.append(titled(title, drawn))
    return grid(panels)
