"""What the graph attends to: an image's most attended boxes with their weights, and the graph decoded from
them (the paper's figure 6).
"""

from __future__ import annotations

import numpy as np

from dsg.datasets import Vocabulary
from dsg.errors import UserError
from dsg.models.dsg.evaluate import Examined
from dsg.visualize.canvas import (
    BLACK,
    BLUE,
    FONT_SIZE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    blank,
    draw_box,
    draw_tag,
    draw_text,
    enlarge,
    grid,
    stack,
)
from dsg.visualize.graph_picture import draw_scene_graph
from dsg.visualize.proposals import blob_to_rgb

BOXES = 5
COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE)
SIDE = 320  # pixels of the picture's shorter side, at least


def attention_page(
    shown: Examined, vocabulary: Vocabulary, pixel_means: tuple[float, ...], *, count: int = BOXES
) -> np.ndarray:
    """Boxes with their weights on the left, decoded graph on the right; uint8 [H, W, 3] RGB.

    Raises:
        UserError: the network has no attention, or no label heads.
    """
    found = shown.prediction
    if found.node_weights is None:
        raise UserError("this network has no attention: it has no graph, or a graph without attention")
    graph = found.scene_graph(vocabulary, max_nodes=count)
    if graph is None:
        raise UserError("this network has no label heads to decode a scene graph with")
    image = blob_to_rgb(shown.blob, pixel_means)
    drawn = draw_scene_graph(image, graph, min_side=SIDE)
    kept = [node.index for node in graph.nodes]
    return grid([_boxes(image, found.boxes, found.node_weights, kept), drawn], 2)


def _boxes(image: np.ndarray, boxes: np.ndarray, weights: np.ndarray, order: list[int]) -> np.ndarray:
    """The image with the graph's boxes (by falling weight), each with its share of the attention."""
    picture, factor = enlarge(image, SIDE)
    for rank, index in reversed(list(enumerate(order))):
        draw_box(picture, boxes[index] * factor, COLOURS[rank % len(COLOURS)], 2, halo=True)
    for rank, index in reversed(list(enumerate(order))):
        text = f"{100 * weights[index]:.0f}%"
        draw_tag(picture, boxes[index] * factor, text, COLOURS[rank % len(COLOURS)], right=rank % 2 == 1)
    caption = blank(round(1.7 * FONT_SIZE), picture.shape[1])
    title = f"most attention: {len(order)} of {len(boxes)} boxes"
    draw_text(caption, (2, 2), title, BLACK, FONT_SIZE + 1, bold=True)
    return stack([caption, picture])
