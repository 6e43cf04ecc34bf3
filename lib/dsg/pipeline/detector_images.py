"""Images as torchvision's detectors take them: resized within two limits, normalised, padded.

Images here are RGB in 0..1, lists of any sizes; tf-faster-rcnn's way, which DSG shares, is `images.to_blob`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dsg.boxes.resampling import resize_bilinear, resize_nearest

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PADDING = 32  # the coarsest stride of a pyramid's body


class ImageBatch(NamedTuple):
    """Images as the network sees them."""

    images: np.ndarray  # float32 [B, H, W, 3], zero in the padding
    sizes: np.ndarray  # int32 [B, 2]: height, width of each before padding


def network_size(height: int, width: int, shorter: int, longer: int) -> tuple[int, int]:
    """The size an image is resized to: its shorter side becomes `shorter` unless the other would exceed
    `longer`; fractions are cut off.

    Example:
        >>> network_size(687, 786, 800, 1333)
        (799, 915)
    """
    scale = min(shorter / min(height, width), longer / max(height, width))
    return int(height * scale), int(width * scale)


def image_batch(images: Sequence[np.ndarray], shorter: int, longer: int) -> ImageBatch:
    """A batch of RGB images float32 [h, w, 3] in 0..1, each normalised, resized and padded at the right and
    at the bottom to the largest, rounded up to whole strides.
    """
    means, deviations = np.array(MEANS, np.float32), np.array(DEVIATIONS, np.float32)
    resized = [
        resize_bilinear(
            (image - means) / deviations, *network_size(image.shape[0], image.shape[1], shorter, longer)
        )
        for image in images
    ]
    sizes = np.array([image.shape[:2] for image in resized], np.int32)
    height, width = (int(-(-side // PADDING) * PADDING) for side in sizes.max(0))
    batch = np.zeros((len(resized), height, width, 3), np.float32)
    for place, image in zip(batch, resized):
        place[: image.shape[0], : image.shape[1]] = image
    return ImageBatch(batch, sizes)


def scale_boxes(boxes: np.ndarray, before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    """Boxes float32 [..., 4] of an image (height, width) in pixels of the resized one, and back."""
    down, right = (np.float32(new) / np.float32(old) for old, new in zip(before, after))
    return (boxes * np.array([right, down, right, down], np.float32)).astype(np.float32)


def resize_masks(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Masks [N, h, w] by the nearest pixel, of the same type."""
    return resize_nearest(masks.transpose(1, 2, 0), height, width).transpose(2, 0, 1)
