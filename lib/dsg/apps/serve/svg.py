"""Parts of the page's figures: the image as SVG, boxes and texts on it, in pixels of the original image."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import cv2
import numpy as np

LARGEST_SIDE = 1280  # pixels of the image that is sent back; boxes keep the original's coordinates


def block(content: str) -> str:
    """Content that the page's style applies to."""
    return f'<div class="dsg">{content}</div>'


def svg(image: np.ndarray, layers: str, width: float | None = None) -> str:
    """The image, uint8 [H, W, 3] B, G, R, with layers on it; `width` has room for what stands beside it."""
    height, own = image.shape[:2]
    return (
        f'<svg viewBox="0 0 {own if width is None else width:.1f} {height}" style="--line:1.5px"'
        f' xmlns="http://www.w3.org/2000/svg"><image width="{own}" height="{height}"'
        f' preserveAspectRatio="none" href="{data_url("jpeg", _jpeg(image))}"/>{layers}</svg>'
    )


def shown_size(image: np.ndarray) -> tuple[np.ndarray, float]:
    """The image as large as it is sent back at most, and its share of the original's side."""
    scale = min(1.0, LARGEST_SIDE / max(image.shape[:2]))
    if scale < 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image, scale


def _jpeg(image: np.ndarray) -> bytes:
    image, _ = shown_size(image)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def data_url(kind: str, content: bytes) -> str:
    """An image file as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def rect(box: Sequence[float] | np.ndarray, style: str = "", kind: str = "") -> str:
    """A box, x1 y1 x2 y2, with a style and a class."""
    x1, y1, x2, y2 = (float(side) for side in box)
    extra = (f' style="{style}"' if style else "") + (f' class="{kind}"' if kind else "")
    width, height = max(x2 - x1, 0.0), max(y2 - y1, 0.0)
    return f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{width:.1f}" height="{height:.1f}"{extra}/>'


def label_text(box: Sequence[float] | np.ndarray, text: str, colour: str, unit: float) -> str:
    """A label above the box's upper left corner, or inside if there is no room."""
    size = 14 * unit
    y = box[1] - 0.3 * size if box[1] > 1.3 * size else box[1] + size
    return (
        f'<text x="{float(box[0]):.1f}" y="{float(y):.1f}" font-size="{size:.1f}" font-weight="700"'
        f' fill="{colour}" stroke="white" stroke-width="{3 * unit:.1f}" paint-order="stroke">'
        f"{html.escape(text)}</text>"
    )


def unit_of(image: np.ndarray) -> float:
    """Image pixels a pixel of the screen has, more or less: texts keep their size whatever the image's."""
    return max(image.shape[0] / 560, image.shape[1] / 760)


def largest_first(boxes: np.ndarray) -> list[int]:
    """Indices, the largest box first."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return [int(index) for index in np.argsort(-areas, kind="stable")]
