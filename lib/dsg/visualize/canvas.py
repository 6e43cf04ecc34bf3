"""What all pictures share: colours, text, boxes, a grid of panels, and writing a PNG.

Drawing functions change the uint8 RGB array that they are given; coordinates are its pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dsg.runtime.files import write_bytes
from dsg.visualize.fonts import dejavu, font_file, shown

Colour = tuple[int, int, int]

# Okabe and Ito's palette: told apart under every common colour blindness.
BLACK, WHITE, GREY, LIGHT = (0, 0, 0), (255, 255, 255), (110, 110, 110), (214, 214, 214)
VERMILLION, BLUE, GREEN, ORANGE = (213, 94, 0), (0, 114, 178), (0, 158, 115), (230, 159, 0)
SKY, PURPLE, YELLOW = (86, 180, 233), (204, 121, 167), (240, 228, 66)
SUBJECT_COLOUR, OBJECT_COLOUR = VERMILLION, BLUE

FONT_SIZE = 15
MIN_SIDE = (
    420  # pixels of the shorter side under which an image is enlarged, so that text beside it stays small
)


def ink(ground: Colour) -> Colour:
    """Black or white, whichever is easier to read on a coloured ground."""
    red, green, blue = ground
    return BLACK if 0.3 * red + 0.59 * green + 0.11 * blue > 135 else WHITE


def _font(text: str, size: int, bold: bool):  # noqa: ANN202 - a Pillow font, imported late
    """The font of a text that `shown` gave."""
    return _opened_font(font_file(text, bold), size)


@functools.cache
def _opened_font(path: Path, size: int):  # noqa: ANN202
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size)


def text_size(text: str, size: int = FONT_SIZE, bold: bool = False) -> tuple[int, int]:
    """Width and height in pixels that a line of text takes; the height is the same for every text."""
    text = shown(text)
    # The height is DejaVu's whatever the text, so that lines of text stand alike.
    ascent, descent = _opened_font(dejavu(bold), size).getmetrics()
    return int(np.ceil(_font(text, size, bold).getlength(text))), ascent + descent


def draw_text(
    image: np.ndarray,
    corner: tuple[float, float],
    text: str,
    colour: Colour = BLACK,
    size: int = FONT_SIZE,
    bold: bool = False,
) -> None:
    """Write one line of text with its upper left corner at (x, y); what lies outside the image is cut off."""
    from PIL import Image, ImageDraw

    text = shown(text)
    width, height = text_size(text, size, bold)
    x, y = round(corner[0]), round(corner[1])
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if left >= right or top >= bottom:
        return
    stencil = Image.new("L", (width, height), 0)
    font = _font(text, size, bold)
    ascent = _opened_font(dejavu(bold), size).getmetrics()[0]
    lift = min(0, ascent - font.getmetrics()[0])  # letters of another font stand on the same line
    ImageDraw.Draw(stencil).text((0, lift), text, fill=255, font=font)
    alpha = np.asarray(stencil, np.float32)[top - y : bottom - y, left - x : right - x, None] / 255
    region = image[top:bottom, left:right]
    region[:] = np.rint(region * (1 - alpha) + np.asarray(colour, np.float32) * alpha).astype(np.uint8)


def shorten(text: str, width: float, size: int = FONT_SIZE, bold: bool = False) -> str:
    """The text, or its beginning and an ellipsis, whatever fits in so many pixels."""
    if text_size(text, size, bold)[0] <= width:
        return text
    while text and text_size(text + "…", size, bold)[0] > width:
        text = text[:-1]
    return text.rstrip() + "…"


def enlarge(image: np.ndarray, min_side: int = MIN_SIDE) -> tuple[np.ndarray, float]:
    """A copy of the image with min_side or more pixels on its shorter side, and the factor used."""
    factor = max(1.0, min_side / min(image.shape[:2]))
    # An extremely narrow image is stretched no further than a large screen.
    factor = max(1.0, min(factor, 4 * min_side / max(image.shape[:2])))
    if factor == 1.0:
        return image.copy(), 1.0
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), factor


def draw_box(
    image: np.ndarray,
    box: Sequence[float] | np.ndarray,
    colour: Colour,
    thickness: int = 2,
    dashed: bool = False,
    halo: bool = False,
) -> None:
    """Draw a rectangle: solid, or dashes alternating with white (so that they show on top of a solid one).

    A halo is a thin white line on either side, which lifts the box from a dark or coloured ground.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (int(round(float(value))) for value in box)
    # Lines on the very border would lose half their width.
    margin = thickness // 2
    x1, x2 = (int(np.clip(value, margin, max(margin, width - 1 - margin))) for value in (x1, x2))
    y1, y2 = (int(np.clip(value, margin, max(margin, height - 1 - margin))) for value in (y1, y2))
    if halo:
        cv2.rectangle(image, (x1, y1), (x2, y2), WHITE, thickness + 2)
    if not dashed:
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness)
        return
    cv2.rectangle(image, (x1, y1), (x2, y2), WHITE, thickness)
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    for start, end in zip(corners, corners[1:]):
        _dashes(image, start, end, colour, thickness)


def draw_line(
    image: np.ndarray,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: Colour,
    thickness: int = 2,
    dashed: bool = False,
) -> None:
    """Draw a horizontal or vertical line in the manner of `draw_box` (for legends)."""
    if dashed:
        cv2.line(image, start, end, WHITE, thickness)
        _dashes(image, start, end, colour, thickness)
    else:
        cv2.line(image, start, end, colour, thickness)


def _dashes(
    image: np.ndarray, start: tuple[int, int], end: tuple[int, int], colour: Colour, thickness: int
) -> None:
    """Dashes along a horizontal or vertical line, the first and the last at its ends."""
    (left, top), (right, bottom) = np.minimum(start, end), np.maximum(start, end)
    length = max(right - left, bottom - top) + 1
    pieces = 2 * max(0, round((length / 7 - 1) / 2)) + 1  # odd: dash, gap, ..., dash
    breaks = np.rint(np.linspace(0, length, pieces + 1)).astype(int)
    before, after = thickness // 2, thickness - thickness // 2
    # Filled by hand: OpenCV rounds the ends of thick lines, and short dashes would grow together.
    for first, last in zip(breaks[0::2], breaks[1::2]):
        if bottom == top:
            image[max(top - before, 0) : top + after, left + first : left + last] = colour
        else:
            image[top + first : top + last, max(left - before, 0) : left + after] = colour


def draw_tag(
    image: np.ndarray,
    box: Sequence[float] | np.ndarray,
    text: str,
    colour: Colour,
    right: bool = False,
    size: int = 12,
) -> None:
    """Write text on a coloured tab at a box's upper left (or right) corner, kept inside the image."""
    width, height = text_size(text, size, bold=True)
    width += 6
    x = box[2] - width + 1 if right else box[0] - 1
    y = box[1] - height if box[1] >= height else box[1]
    x = int(np.clip(round(float(x)), 0, max(0, image.shape[1] - width)))
    y = int(np.clip(round(float(y)), 0, max(0, image.shape[0] - height)))
    image[y : y + height, x : x + width] = colour
    draw_text(image, (x + 3, y), text, ink(colour), size, bold=True)


class LegendItem(NamedTuple):
    """A line sample and its meaning."""

    label: str
    colour: Colour
    thickness: int = 2
    dashed: bool = False


def legend_strip(items: Sequence[LegendItem], width: int, size: int = FONT_SIZE - 3) -> np.ndarray:
    """Line samples with their meanings in a white strip of that width, in as many rows as they need."""
    height = round(1.7 * size)
    places: list[tuple[int, int, LegendItem]] = []
    x, row = 2, 0
    for item in items:
        length = 34 + text_size(item.label, size)[0]
        if x > 2 and x + length > width:
            x, row = 2, row + 1
        places.append((x, row, item))
        x += length + 18
    strip = blank(height * (row + 1) + 4, width)
    for x, row, item in places:
        top = 4 + height * row
        draw_line(
            strip,
            (x, top + height // 2),
            (x + 26, top + height // 2),
            item.colour,
            item.thickness,
            item.dashed,
        )
        draw_text(strip, (x + 32, top + 2), item.label, BLACK, size)
    return strip


def blank(height: int, width: int) -> np.ndarray:
    """A white image."""
    return np.full((height, width, 3), 255, np.uint8)


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Images one below the other, to the left, on white."""
    width = max(part.shape[1] for part in parts)
    page = blank(sum(part.shape[0] for part in parts), width)
    top = 0
    for part in parts:
        page[top : top + part.shape[0], : part.shape[1]] = part
        top += part.shape[0]
    return page


def grid(panels: Sequence[np.ndarray], columns: int = 2, gap: int = 16) -> np.ndarray:
    """Panels in rows of so many columns, each in the upper left of its cell, with white around them."""
    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    widths = [max(panel.shape[1] for panel in panels[column::columns]) for column in range(columns)]
    heights = [
        max(panel.shape[0] for panel in panels[row * columns : (row + 1) * columns]) for row in range(rows)
    ]
    page = blank(sum(heights) + gap * (rows + 1), sum(widths) + gap * (columns + 1))
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        top, left = gap + sum(heights[:row]) + gap * row, gap + sum(widths[:column]) + gap * column
        page[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return page


def save_png(image: np.ndarray, path: str | Path) -> None:
    """Write an RGB image as PNG, replacing a file in one step; makes the folder.

    Raises:
        UserError: when it cannot be written.
    """
    encoded = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes()
    write_bytes(Path(path), encoded, "the picture", make_folder=True)
