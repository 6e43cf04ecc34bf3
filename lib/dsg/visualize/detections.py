"""Detections on an image: boxes, masks, and labels with scores.

A class has the same colour in every picture of a detector; or each object has its own.
"""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from dsg.boxes.paste import PlacedMask, placed_masks
from dsg.visualize.canvas import (
    FONT_SIZE,
    MIN_SIDE,
    WHITE,
    Colour,
    draw_box,
    draw_text,
    enlarge,
    ink,
    shorten,
    text_size,
)
from dsg.visualize.label_places import label_places

LARGEST_SIDE = 2000  # pixels of the longer side above which a picture is made smaller
HUES = 18
OPACITY = 0.2  # of masks; with more, a brown cube in its class's teal would look green
PADDING = 3  # pixels left and right of a label's text


def name_numbers(names: Sequence[str]) -> list[int]:
    """A number for each class of which only the name is known: mostly the same in every picture, and never
    that of another name of this one, while there are colours.

    Example:
        >>> first, second, third = name_numbers(["dog", "cat", "dog"])
        >>> first == third != second
        True
    """
    taken: dict[int, str] = {}
    for name in sorted(set(names)):
        number = zlib.crc32(name.encode()) % (2 * HUES)
        while number in taken and len(taken) < 2 * HUES:
            number = (number + 1) % (2 * HUES)
        taken.setdefault(number, name)
    numbers = {name: number for number, name in taken.items()}
    return [numbers.get(name, zlib.crc32(name.encode())) for name in names]


def name_colours(names: Sequence[str]) -> list[Colour]:
    """Their colours."""
    return [numbered_colour(number) for number in name_numbers(names)]


def numbered_colour(number: int) -> Colour:
    """The colour of a class or an object by its number: neighbours differ much, and the row repeats after
    `2 * HUES`.
    """
    # Steps of 7/18 of the circle meet every hue once.
    hue, dark = 7 * number % HUES / HUES, number // HUES % 2
    red, green, blue = colorsys.hsv_to_rgb(hue, *((0.95, 0.72) if dark else (0.8, 0.96)))
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    names: Sequence[str],
    scores: Sequence[float] | np.ndarray | None = None,
    masks: np.ndarray | None = None,
    *,
    classes: Sequence[int] | np.ndarray | None = None,
    numbered: bool = False,
    min_side: int = MIN_SIDE,
    largest_side: int = LARGEST_SIDE,
) -> np.ndarray:
    """The image with detections, the best of which are first.

    Args:
        image: uint8 [H, W, 3] RGB.
        boxes: [D, 4], x1 y1 x2 y2 in pixels of the image.
        names: of the D classes; underscores become blanks.
        scores: [D], written behind the names.
        masks: float32 [D, m, m], probabilities in the boxes.
        classes: number of each class, which has its colour; None: each object has its own.
        numbered: each object's number stands before its name, from 1 on.
        min_side: an image whose shorter side is smaller is enlarged, so that text is small beside it.
        largest_side: an image whose longer side is larger is made smaller.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture, scale = resized(image, min_side, largest_side)
    height, width = picture.shape[:2]
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4) * np.tile(scale, 2)
    colours = [numbered_colour(number) for number in (range(len(names)) if classes is None else classes)]
    line, size = (
        max(least, round(min(height, width) / part)) for least, part in ((2, 280), (FONT_SIZE - 2, 55))
    )
    largest_first = np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable")
    if masks is not None:
        line = max(1, line // 2)
        places = list(placed_masks(masks, boxes, height, width))
        for index in largest_first:
            draw_mask(picture, places[index], colours[index], line)
    for index in largest_first:
        sides = boxes[index, 2:] - boxes[index, :2]
        own_line = max(1, min(line, round(float(min(sides)) / 12)))
        draw_box(
            picture, boxes[index], colours[index], own_line, halo=masks is None and _is_large(sides, line)
        )
    labels = [
        _wordings(
            f"{index + 1} " * numbered + name.replace("_", " "),
            None if scores is None else float(scores[index]),
            *(size, width),
        )
        for index, name in enumerate(names)
    ]
    sizes = [[_label_size(text, size) for text in texts] for texts in labels]
    for place, texts, colour in zip(label_places(boxes, sizes, height, width), labels, colours):
        if place is not None:
            _draw_label(picture, (place.x, place.y), texts[place.wording], colour, size)
    return picture


def resized(image: np.ndarray, min_side: int, largest_side: int) -> tuple[np.ndarray, np.ndarray]:
    """A copy with sides within the two limits, and the factors of x and y, float32 [2]."""
    height, width = image.shape[:2]
    factor = largest_side / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    else:
        picture = enlarge(image, min_side)[0]
    return picture, np.array([picture.shape[1] / width, picture.shape[0] / height], np.float32)


def draw_mask(image: np.ndarray, mask: PlacedMask, colour: Colour, thickness: int = 1) -> None:
    """Colour what a mask covers, half transparent, and outline it."""
    pixels = mask.probabilities > 0.5
    region = mask.region(image)
    region[pixels] = np.rint((1 - OPACITY) * region[pixels] + OPACITY * np.array(colour)).astype(np.uint8)
    contours = mask_outlines(mask)
    if _is_large(pixels.shape, thickness):
        cv2.polylines(image, contours, True, WHITE, thickness + 2, cv2.LINE_AA)
    cv2.polylines(image, contours, True, colour, thickness, cv2.LINE_AA)


def mask_outlines(mask: PlacedMask) -> list[np.ndarray]:
    """The outlines of a mask, holes too, in pixels of the image: int32 [K, 1, 2] each."""
    if mask.probabilities.size == 0:
        return []
    pixels = (mask.probabilities > 0.5).astype(np.uint8)
    corner = (mask.left, mask.top)
    contours, _ = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=corner)
    return list(contours)


def _is_large(sides: Sequence[float] | np.ndarray, thickness: int) -> bool:
    """Whether a white halo around a line leaves most of what it encloses to be seen."""
    return min(sides) > 20 * thickness


def _wordings(name: str, score: float | None, size: int, width: int) -> list[str]:
    """The label with its score, then without, each short enough for the picture."""
    room = width - 2 * PADDING
    if score is None:
        return [shorten(name, room, size, bold=True)]
    number = f" {score:.2f}"
    left = room - text_size(number, size, bold=True)[0]
    return [shorten(name, left, size, bold=True) + number, shorten(name, room, size, bold=True)]


def _label_size(text: str, size: int) -> tuple[int, int]:
    width, height = text_size(text, size, bold=True)
    return width + 2 * PADDING, height


def _draw_label(image: np.ndarray, corner: tuple[int, int], text: str, colour: Colour, size: int) -> None:
    (x, y), (width, height) = corner, _label_size(text, size)
    image[y : y + height, x : x + width] = colour
    draw_text(image, (x + PADDING, y), text, ink(colour), size, bold=True)
