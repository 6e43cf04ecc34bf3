"""The detector's boxes on an image, with the ground truth: what TensorBoard shows during training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.visualize.canvas import (
    BLUE,
    GREEN,
    MIN_SIDE,
    ORANGE,
    LegendItem,
    draw_box,
    enlarge,
    legend_strip,
    stack,
)


def draw_proposals(
    image: np.ndarray,
    proposals: np.ndarray,
    gt_boxes: np.ndarray | None = None,
    refined: np.ndarray | None = None,
    *,
    min_side: int = MIN_SIDE,
) -> np.ndarray:
    """The image with proposals, refined boxes and ground truth, and a legend that counts them.

    Args:
        image: uint8 [H, W, 3] RGB.
        proposals: [N, 4] boxes of the region proposal network.
        gt_boxes: [G, 4], drawn last, dashed.
        refined: [N, 4] boxes after refinement.
        min_side: images whose shorter side is smaller are enlarged.

    Returns:
        uint8 [H', W', 3] RGB.
    """
    picture, factor = enlarge(image, min_side)
    layers = [
        (proposals, LegendItem("proposals", ORANGE, 1), False),
        (refined, LegendItem("refined", BLUE, 2), True),
        (gt_boxes, LegendItem("ground truth", GREEN, 2, dashed=True), False),
    ]
    items = []
    for boxes, item, halo in layers:
        if boxes is None:
            continue
        for box in np.reshape(boxes, (-1, 4)) * factor:
            draw_box(picture, box, item.colour, item.thickness, item.dashed, halo)
        items.append(item._replace(label=f"{len(boxes)} {item.label}"))
    return stack([picture, legend_strip(items, picture.shape[1])])


def blob_to_rgb(blob: np.ndarray, pixel_means: Sequence[float]) -> np.ndarray:
    """The picture behind a network input, float [H, W, 3] BGR minus means: uint8 [H, W, 3] RGB."""
    pixels = np.asarray(blob, np.float32) + np.asarray(pixel_means, np.float32)
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)[:, :, ::-1].copy()
