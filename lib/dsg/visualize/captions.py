"""Text above and below pictures: phrases in colours, in as many lines as they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dsg.visualize.canvas import BLACK, FONT_SIZE, Colour, blank, draw_text, shorten, stack, text_size

LINE_HEIGHT = 1.35  # distance of lines of text, in heights of the font's size

Phrase = tuple[str, Colour]


class Line(NamedTuple):
    """A line of text: phrases with the x where each begins."""

    size: int  # of the font
    bold: bool
    phrases: list[tuple[int, str, Colour]]


def flow(
    words: Sequence[Phrase], width: int, size: int = FONT_SIZE, *, bold: bool = False, gap: int = 7
) -> list[Line]:
    """Phrases in lines: each goes to the next line if it does not fit, and is shortened if no line holds it.

    Args:
        words: phrases with their colours.
        width: pixels of a line.
        size: of the font.
        bold: whether all of it is.
        gap: pixels between phrases.
    """
    lines: list[Line] = []
    x = width
    for text, colour in words:
        text = shorten(text, width - 4, size, bold)
        length = text_size(text, size, bold)[0]
        if x + gap + length > width or not lines:
            lines.append(Line(size, bold, []))
            x = 2 - gap
        lines[-1].phrases.append((x + gap, text, colour))
        x += gap + length
    return lines


def written(lines: Sequence[Line], width: int) -> np.ndarray:
    """Lines on white: uint8 [H, width, 3] RGB."""
    strip = blank(int(sum(LINE_HEIGHT * line.size for line in lines)) + 9, width)
    top = 3.0
    for size, bold, phrases in lines:
        for x, text, colour in phrases:
            draw_text(strip, (x, top), text, colour, size, bold=bold)
        top += LINE_HEIGHT * size
    return strip


def titled(title: str, picture: np.ndarray) -> np.ndarray:
    """A picture under its title."""
    width = picture.shape[1]
    return stack([written(flow([(title, BLACK)], width, FONT_SIZE + 1, bold=True), width), picture])
