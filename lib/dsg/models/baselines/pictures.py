"""Pictures of a baseline's answers: for each query the image under its two maps, the true cells outlined."""

from __future__ import annotations

import cv2
import numpy as np

from dsg.datasets import ImageRecord, Vocabulary, ambiguous
from dsg.metrics.raster import MAP_SIZE
from dsg.models.shown import chosen_queries, query_words
from dsg.visualize.canvas import (
    BLACK,
    FONT_SIZE,
    OBJECT_COLOUR,
    SUBJECT_COLOUR,
    blank,
    draw_text,
    grid,
    shorten,
    stack,
)

SIDE = 280  # pixels of a panel, 20 a cell
GAP = 12  # pixels between panels
SHADE = 0.25  # what is left of an image where attention is 0


def map_page(
    image: np.ndarray,
    record: ImageRecord,
    vocabulary: Vocabulary,
    maps: tuple[np.ndarray, np.ndarray],
    truth: tuple[np.ndarray, np.ndarray],
    iou: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Some of an image's queries, a row each: subject to the left, object to the right.

    Args:
        image: uint8 [H, W, 3], B, G, R, as the model sees it.
        record: of the image.
        vocabulary: its words.
        maps: subject and object maps, [Q, 196] each.
        truth: what they should be.
        iou: subject and object IoU, [Q] each.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture = cv2.resize(image[:, :, ::-1], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    rows = []
    for index in chosen_queries(ambiguous(record)):
        words = " ".join(query_words(record.queries[index], vocabulary)).replace("_", " ")
        title = blank(FONT_SIZE + 8, 2 * SIDE + 3 * GAP)
        draw_text(title, (GAP, 4), shorten(words, 2 * SIDE), BLACK)
        panels = []
        for role, (name, colour) in enumerate((("subject", SUBJECT_COLOUR), ("object", OBJECT_COLOUR))):
            caption = blank(FONT_SIZE + 6, SIDE)
            draw_text(caption, (0, 0), f"{name} IoU {iou[role][index]:.2f}", colour)
            panels.append(stack([caption, map_panel(picture, maps[role][index], truth[role][index], colour)]))
        rows += [title, grid(panels, 2, GAP)]
    return stack(rows)


def map_panel(
    picture: np.ndarray, map_: np.ndarray, truth: np.ndarray, colour: tuple[int, ...]
) -> np.ndarray:
    """The image, dark where there is no attention, with an outline around the true cells.

    Args:
        picture: uint8 [SIDE, SIDE, 3], changed by nothing here.
        map_: [196], from 0 to 1.
        truth: [196], above 0 in true cells.
        colour: of the outline.

    Returns:
        uint8 [SIDE, SIDE, 3].
    """
    light = cv2.resize(
        map_.reshape(MAP_SIZE, MAP_SIZE).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
    )
    panel = (picture * (SHADE + (1.0 - SHADE) * light[..., None])).astype(np.uint8)
    cells = (truth.reshape(MAP_SIZE, MAP_SIZE) > 0).astype(np.uint8)
    large = cv2.resize(cells, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(panel, contours, -1, colour, 2))
