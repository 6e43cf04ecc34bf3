"""Boxes as regression targets and back, clipping, and union boxes: the NumPy twins of `transform.py`.

For the input pipeline, which computes anchor targets away from the graph, and as the reference in tests.
Boxes are [..., 4] = [x1, y1, x2, y2] in pixels; results have the dtype of the first argument.
"""

from __future__ import annotations

import numpy as np

LOG_SIZE_LIMIT = 20.0
"""Largest log growth that `decode` follows: e^20 px covers every image, and float32 has room for it."""


def _centre_and_size(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres [..., 2] and +1 sizes [..., 2], x before y."""
    low, high = boxes[..., :2], boxes[..., 2:]
    size = high - low + 1.0
    return low + 0.5 * size, size


def encode_np(boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The deltas [..., 4] that turn `boxes` into (about) `targets`, both [..., 4] with positive +1 widths."""
    centre, size = _centre_and_size(boxes)
    target_centre, target_size = _centre_and_size(targets)
    return np.concatenate([(target_centre - centre) / size, np.log(target_size / size)], axis=-1)


def decode_np(boxes: np.ndarray, deltas: np.ndarray, exact: bool = False) -> np.ndarray:
    """`boxes` [..., 4] (+1 widths) moved and resized by `deltas` [..., 4]; not clipped, the -1 only where
    `exact`.
    """
    centre, size = _centre_and_size(boxes)
    centre = deltas[..., :2] * size + centre
    half = 0.5 * (np.exp(np.minimum(deltas[..., 2:], LOG_SIZE_LIMIT)) * size)
    return np.concatenate([centre - half, centre + half - (1.0 if exact else 0.0)], axis=-1).astype(
        boxes.dtype, copy=False
    )


def clip_np(boxes: np.ndarray, image_size: np.ndarray, exact: bool = False) -> np.ndarray:
    """`boxes` [..., N, 4] cut to their images, without `exact` a pixel before these end; `image_size` is
    [..., 2] = (height, width).
    """
    size = np.asarray(image_size, boxes.dtype)
    limit = size[..., [1, 0, 1, 0]][..., None, :] - (0.0 if exact else 1.0)
    return np.maximum(np.minimum(boxes, limit), 0.0).astype(boxes.dtype, copy=False)


def union_boxes_np(boxes: np.ndarray) -> np.ndarray:
    """The smallest box around every pair: [..., N, 4] -> [..., N, N, 4]."""
    first, second = boxes[..., :, None, :], boxes[..., None, :, :]
    low = np.minimum(first[..., :2], second[..., :2])
    high = np.maximum(first[..., 2:], second[..., 2:])
    return np.concatenate([low, high], axis=-1)
