"""Answers to queries beside the truth: the panels of the papers' figures, for one or several queries.

The subject is vermillion and the object blue; what the model predicts is a solid line, the ground truth a
dashed one drawn on top of it. Each panel names the query in the colours of its roles, with the IoU where it
is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dsg.visualize.canvas import (
    BLACK,
    FONT_SIZE,
    GREY,
    MIN_SIDE,
    OBJECT_COLOUR,
    SUBJECT_COLOUR,
    Colour,
    LegendItem,
    blank,
    draw_box,
    draw_tag,
    enlarge,
    grid,
    legend_strip,
    stack,
)
from dsg.visualize.captions import flow, written


def _no_boxes() -> np.ndarray:
    return np.zeros((0, 4))


@dataclass(frozen=True)
class Answer:
    """One query, its true boxes and the predicted ones (each [K, 4] in pixels of the image)."""

    query: tuple[str, str, str] | str  # subject, predicate, object; or any text
    gt_subject: np.ndarray = field(default_factory=_no_boxes)
    gt_object: np.ndarray = field(default_factory=_no_boxes)
    pred_subject: np.ndarray = field(default_factory=_no_boxes)
    pred_object: np.ndarray = field(default_factory=_no_boxes)
    subject_iou: float | None = None
    object_iou: float | None = None
    note: str = ""  # written after the IoUs, e.g. 'ambiguous'


def draw_answer(
    image: np.ndarray, answer: Answer, *, legend: bool = True, min_side: int = MIN_SIDE
) -> np.ndarray:
    """One panel: caption, image with boxes, legend.

    Args:
        image: uint8 [H, W, 3] RGB.
        answer: the query with its boxes.
        legend: explain colours and lines below the image.
        min_side: enlarge images whose shorter side is smaller, so that text is small beside them.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture, factor = enlarge(image, min_side)
    roles = (
        (SUBJECT_COLOUR, "S", answer.pred_subject, answer.gt_subject, False),
        (OBJECT_COLOUR, "O", answer.pred_object, answer.gt_object, True),
    )
    for colour, _, predicted, _, _ in roles:
        for box in np.reshape(predicted, (-1, 4)) * factor:
            draw_box(picture, box, colour, thickness=3, halo=True)
    for colour, _, _, truth, _ in roles:
        for box in np.reshape(truth, (-1, 4)) * factor:
            draw_box(picture, box, colour, thickness=2, dashed=True)
    for colour, letter, predicted, _, right in roles:
        for box in np.reshape(predicted, (-1, 4)) * factor:
            draw_tag(picture, box, letter, colour, right=right)
    width = picture.shape[1]
    return stack([_caption(answer, width), picture, *([_legend(width)] if legend else [])])


def draw_answers(
    image: np.ndarray, answers: Sequence[Answer], *, columns: int = 2, min_side: int = MIN_SIDE
) -> np.ndarray:
    """Several queries of one image as a page of panels with one legend; otherwise as `draw_answer`."""
    return page([draw_answer(image, answer, legend=False, min_side=min_side) for answer in answers], columns)


def page(panels: Sequence[np.ndarray], columns: int = 2) -> np.ndarray:
    """Panels drawn without legends, of one image or of several, above one legend."""
    montage = grid(panels, columns)
    legend = _legend(montage.shape[1] - 32)
    footer = blank(legend.shape[0] + 8, montage.shape[1])
    footer[: legend.shape[0], 16 : 16 + legend.shape[1]] = legend
    return stack([montage, footer])


def _caption(answer: Answer, width: int) -> np.ndarray:
    """The query, broken into lines where it must, and the IoUs."""
    if isinstance(answer.query, str):
        words: list[tuple[str, Colour]] = [(answer.query, BLACK)]
    else:
        names = (name.replace("_", " ") for name in answer.query)
        words = list(zip(names, (SUBJECT_COLOUR, BLACK, OBJECT_COLOUR)))
    scores = [
        (f"{role} IoU {value:.2f}", colour)
        for role, value, colour in (
            ("subject", answer.subject_iou, SUBJECT_COLOUR),
            ("object", answer.object_iou, OBJECT_COLOUR),
        )
        if value is not None
    ]
    if answer.note:
        scores.append((answer.note, GREY))
    lines = flow(words, width, FONT_SIZE + 1, bold=True, gap=7)
    return written([*lines, *flow(scores, width, FONT_SIZE - 2, gap=16)], width)


def _legend(width: int) -> np.ndarray:
    """Colours and lines explained."""
    return legend_strip(
        [
            LegendItem("subject (S)", SUBJECT_COLOUR, 3),
            LegendItem("object (O)", OBJECT_COLOUR, 3),
            LegendItem("predicted", GREY, 3),
            LegendItem("ground truth", GREY, 2, dashed=True),
        ],
        width,
    )
