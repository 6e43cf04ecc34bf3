"""Boxes as regression targets and back (the classic bbox_transform), clipping, and union boxes: NumPy.

Boxes are float32 [..., 4] = [x1, y1, x2, y2] in pixels, with any leading dimensions. `BoxCoderNp` holds the
arithmetic; `transform.py` runs the same on tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

LOG_SIZE_LIMIT = 20.0
"""Largest log growth that the release's boxes follow: e^20 px covers every image, and float32 has room."""


@dataclass(frozen=True)
class BoxCoderNp:
    """Deltas [dx, dy, dw, dh] from boxes to targets: shift of the centre in widths and heights, logarithm of
    the change of size; and the conventions that detectors differ in. The default is the release's.

    Args:
        inclusive: a width is x2 - x1 + 1, as in the release (torchvision: without the 1).
        exact: decoded boxes end at the x2 that was encoded, and boxes may end where an image does. The
            release leaves out the -1: its boxes end a pixel later, and are cut a pixel before the image ends.
        log_limit: largest dw and dh that `decode` follows, so that an untrained network gives huge but finite
            boxes.
        stds: deltas are divided by these; empty: they are left as they are.
    """

    inclusive: bool = True
    exact: bool = False
    log_limit: float = LOG_SIZE_LIMIT
    stds: Sequence[float] = ()

    # What `BoxCoder` replaces.
    convert: ClassVar[Callable[..., Any]] = staticmethod(np.asarray)
    concat: ClassVar[Callable[..., Any]] = staticmethod(np.concatenate)
    log: ClassVar[Callable[..., Any]] = np.log
    exp: ClassVar[Callable[..., Any]] = np.exp
    minimum: ClassVar[Callable[..., Any]] = np.minimum
    maximum: ClassVar[Callable[..., Any]] = np.maximum

    def encode(self, boxes: Any, targets: Any) -> Any:
        """The deltas [..., 4] that turn `boxes` into `targets`, both [..., 4] with positive sizes."""
        centre, size = self._centre_and_size(boxes)
        target_centre, target_size = self._centre_and_size(targets)
        deltas = self.concat([(target_centre - centre) / size, self.log(target_size / size)], -1)
        return deltas / self.convert(self.stds, deltas.dtype) if self.stds else deltas

    def decode(self, boxes: Any, deltas: Any) -> Any:
        """`boxes` [..., 4] moved and resized by `deltas` [..., 4]; not clipped."""
        if self.stds:
            deltas = deltas * self.convert(self.stds, deltas.dtype)
        centre, size = self._centre_and_size(boxes)
        centre = deltas[..., :2] * size + centre
        half = 0.5 * (self.exp(self.minimum(deltas[..., 2:], self.log_limit)) * size)
        end = centre + half
        return self.concat([centre - half, end - 1.0 if self.inclusive and self.exact else end], -1)

    def clip(self, boxes: Any, image_size: Any) -> Any:
        """`boxes` [..., N, 4] cut to their images, of `image_size` [..., 2] = (height, width)."""
        size = self.convert(image_size, boxes.dtype)
        last = size - 1.0 if self.inclusive and not self.exact else size
        limit = self.concat([last[..., 1:], last[..., :1]] * 2, -1)[..., None, :]  # [..., 1, 4]
        return self.maximum(self.minimum(boxes, limit), 0.0)

    def _centre_and_size(self, boxes: Any) -> tuple[Any, Any]:
        """Centres [..., 2] and sizes [..., 2], x before y."""
        low, high = boxes[..., :2], boxes[..., 2:]
        size = high - low
        if self.inclusive:
            size = size + 1.0
        return low + 0.5 * size, size


def union_boxes_np(boxes: np.ndarray) -> np.ndarray:
    """The smallest box around every pair: [..., N, 4] -> [..., N, N, 4]."""
    first, second = boxes[..., :, None, :], boxes[..., None, :, :]
    low = np.minimum(first[..., :2], second[..., :2])
    high = np.maximum(first[..., 2:], second[..., 2:])
    return np.concatenate([low, high], axis=-1)
