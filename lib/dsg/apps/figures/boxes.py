"""How an answer comes about (the paper's figure 3): all proposals, those kept as entities before and after
refinement, the boxes that are called background, and the answer.
"""

from __future__ import annotations

import numpy as np

from dsg.datasets import Vocabulary
from dsg.models.dsg.evaluate import Examined
from dsg.models.dsg.pictures import panel
from dsg.visualize.answers import draw_answer
from dsg.visualize.canvas import (
    BLACK,
    BLUE,
    FONT_SIZE,
    GREEN,
    GREY,
    ORANGE,
    LegendItem,
    blank,
    draw_box,
    draw_text,
    enlarge,
    grid,
    legend_strip,
    stack,
)
from dsg.visualize.proposals import blob_to_rgb

Layer = tuple[np.ndarray, LegendItem]
SIDE = 300  # pixels of a panel's shorter side, at least
BACKGROUND = 0


def box_panels(
    shown: Examined,
    vocabulary: Vocabulary,
    query: int,
    iou: tuple[float, float],
    pixel_means: tuple[float, ...],
    role_conflict: str = "last_wins",
) -> np.ndarray:
    """The four panels for one query of an image, uint8 [H, W, 3] RGB.

    Where roles are not classified (RR_SOURCE symbolic) all boxes are entities.
    """
    image, found = blob_to_rgb(shown.blob, pixel_means), shown.prediction
    kept = np.ones(len(found.boxes), bool)
    if found.probabilities is not None:
        kept = found.probabilities[query].argmax(axis=1) != BACKGROUND
    truth = (shown.gt_boxes, LegendItem("ground truth", GREEN, 2, dashed=True))
    panels = [
        boxes_panel(image, "proposals", [(found.proposals, LegendItem("proposals", ORANGE, 2)), truth]),
        boxes_panel(
            image,
            "entities, before and after refinement",
            [
                (found.proposals[kept], LegendItem("before", ORANGE, 1)),
                (found.boxes[kept], LegendItem("after", BLUE, 2)),
            ],
        ),
        boxes_panel(image, "called background", [(found.boxes[~kept], LegendItem("background", GREY, 2))]),
        draw_answer(
            image,
            panel(shown, vocabulary, query, iou, role_conflict=role_conflict),
            min_side=SIDE,
        ),
    ]
    return grid(panels, 2)


def boxes_panel(image: np.ndarray, title: str, layers: list[Layer]) -> np.ndarray:
    """A titled image with boxes, and a legend that counts them; uint8 [H, W, 3] RGB."""
    picture, factor = enlarge(image, SIDE)
    items = []
    for boxes, item in layers:
        for box in np.reshape(boxes, (-1, 4)) * factor:
            draw_box(picture, box, item.colour, item.thickness, item.dashed, halo=item.thickness > 1)
        items.append(item._replace(label=f"{len(boxes)} {item.label}"))
    caption = blank(round(1.7 * FONT_SIZE), picture.shape[1])
    draw_text(caption, (2, 2), title, BLACK, FONT_SIZE + 1, bold=True)
    return stack([caption, picture, legend_strip(items, picture.shape[1])])
