"""Anchors: the fixed boxes around every cell of the feature map that the region proposal network moves.

NumPy only, so that the input pipeline can place anchors without TensorFlow; `anchors_tf.py` is the twin for
the graph. Shapes follow the inclusive-pixel convention of the release: a box [x1, y1, x2, y2] is x2 - x1 + 1
wide. Those of a feature pyramid (`cell_anchors`) are without +1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PYRAMID_SIZES = ((32,), (64,), (128,), (256,), (512,))  # sides of the anchors of p2 to p6
PYRAMID_RATIOS = (0.5, 1.0, 2.0)
PYRAMID_STRIDES = (4, 8, 16, 32, 64)


def base_anchors(scales: Sequence[float], ratios: Sequence[float], stride: int = 16) -> np.ndarray:
    """The anchors of the cell at the image's top left corner.

    A square of `stride` pixels is stretched to each height/width ratio at equal area (sides rounded to whole
    pixels), then enlarged by each scale about its centre.

    Args:
        scales: side lengths in strides, e.g. (4, 8, 16, 32).
        ratios: height over width, e.g. (0.5, 1, 2).
        stride: pixels of the input per cell of the feature map.

    Returns:
        float64 [A, 4], A = len(ratios) * len(scales), ratios varying slowest; +1 widths.
    """
    ratio = np.asarray(ratios, np.float64)[:, None]
    scale = np.asarray(scales, np.float64)[None, :]
    width = np.round(np.sqrt(float(stride * stride) / ratio))
    height = np.round(width * ratio)
    centre = 0.5 * (stride - 1)
    reach_x = 0.5 * (width * scale - 1.0)
    reach_y = 0.5 * (height * scale - 1.0)
    corners = (centre - reach_x, centre - reach_y, centre + reach_x, centre + reach_y)
    return np.stack(corners, axis=-1).reshape(-1, 4)


def anchor_grid(
    height: int,
    width: int,
    stride: int,
    scales: Sequence[float],
    ratios: Sequence[float],
    *,
    truncate: bool = True,
) -> np.ndarray:
    """The anchors of every cell of a feature map.

    Args:
        height: rows of the feature map.
        width: columns of the feature map.
        stride: pixels of the input per cell.
        scales: see `base_anchors`.
        ratios: see `base_anchors`.
        truncate: cut the corners of the base anchors to whole pixels, toward zero, as the release's graph
            does. It shows only where they are not whole already (odd scales), by half a pixel.

    Returns:
        float32 [height * width * A, 4], rows ordered (y, x, anchor); +1 widths.

    Example:
        >>> anchor_grid(1, 2, 16, scales=[4], ratios=[1])
        array([[-24., -24.,  39.,  39.],
               [ -8., -24.,  55.,  39.]], dtype=float32)
    """
    base = base_anchors(scales, ratios, stride)
    if truncate:
        base = np.trunc(base)
    shift_x, shift_y = np.meshgrid(np.arange(width) * stride, np.arange(height) * stride)
    shifts = np.stack([shift_x, shift_y, shift_x, shift_y], axis=-1)  # [H, W, 4]
    return (shifts[:, :, None] + base).astype(np.float32).reshape(-1, 4)


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """The anchors of one cell of a pyramid's level, about the origin, corners rounded to whole pixels (halves
    to even).

    Args:
        sizes: side lengths in pixels; a box of another shape has the same area.
        ratios: height over width.

    Returns:
        float32 [A, 4], A = len(ratios) * len(sizes), ratios varying slowest; widths without +1.

    Example:
        >>> cell_anchors([32], [0.5, 1])
        array([[-23., -11.,  23.,  11.],
               [-16., -16.,  16.,  16.]], dtype=float32)
    """
    stretch = np.sqrt(np.asarray(ratios, np.float32))
    sides = np.asarray(sizes, np.float32)
    width = ((1 / stretch)[:, None] * sides).reshape(-1)
    height = (stretch[:, None] * sides).reshape(-1)
    return np.round(np.stack([-width, -height, width, height], 1) / 2).astype(np.float32)
