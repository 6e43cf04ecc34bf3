"""Whether boxes can be meant as they stand: boxes of a pixel, or that leave their images, cannot be learned
from. The loader, the check and the converters ask here, and so say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 0.5
"""More than this share of all boxes, and they are not used."""
FITS = 0.9
"""Read in another way, so large a share must fit for the other way to be named."""
SMALL_PICTURE = 16  # pixels: what is smaller may well have boxes of a pixel
TOLERANCE = 0.01  # of a side: rounding, and pictures that were made a little smaller


@dataclass
class BoxTally:
    """Counts of the boxes that were looked at.

    Args:
        pixel: sides below are smaller than a pixel; 2 where boxes without a side were made a pixel larger.
    """

    pixel: float = 1.0
    boxes: int = 0
    tiny: int = 0  # both sides smaller than a pixel
    relative: int = 0  # of those, with numbers from 0 to 1
    leaving: int = 0  # beyond their image's border by more than a pixel, and more than rounding explains
    corners: int = 0  # of those, that fit if the last two numbers are not width and height but x2 and y2
    exchanged: int = 0  # of those, that fit if the image's width and height are exchanged
    first: str = ""  # the image of the first that leaves

    def add(self, boxes: np.ndarray, sizes: np.ndarray, image: str = "") -> None:
        """Count boxes.

        Args:
            boxes: [N, 4], x1 y1 x2 y2 in pixels of their images.
            sizes: [N, 2], or [2] for boxes of one image: width and height.
            image: its name, if it is one.
        """
        if not len(boxes):
            return
        boxes = np.asarray(boxes, np.float64)
        sizes = np.broadcast_to(np.asarray(sizes, np.float64), (len(boxes), 2))
        low, high = boxes[:, :2], boxes[:, 2:]
        large = sizes.min(axis=1) > SMALL_PICTURE
        tiny = large & ((high - low) < self.pixel).all(axis=1)
        leaving = ~_inside(low, high, sizes)
        if leaving.any() and not self.leaving:
            self.first = image
        self.boxes += len(boxes)
        self.tiny += int(tiny.sum())
        self.relative += int((tiny & (boxes <= self.pixel).all(axis=1) & (boxes >= 0).all(axis=1)).sum())
        self.leaving += int(leaving.sum())
        sides = high - low
        fits = (sides > low).all(axis=1) & _inside(low, sides, sizes)
        self.corners += int((leaving & fits).sum())
        self.exchanged += int((leaving & _inside(low, high, sizes[:, ::-1])).sum())

    @property
    def share(self) -> str:
        """How many boxes leave their image, such as `2 of 12 boxes (17 %)`."""
        return f"{self.leaving:,} of {self.boxes:,} boxes ({100 * self.leaving / max(self.boxes, 1):.0f} %)"

    def fault(self, order: str) -> str:
        """Why the boxes cannot be used, and what to do about it; empty if they can.

        Args:
            order: of a box's numbers, such as `[x, y, width, height]`.
        """
        if self.tiny > MOST * self.boxes:
            text = f"{self.tiny:,} of {self.boxes:,} boxes are smaller than a pixel"
            if self.relative > MOST * self.tiny:
                return f"{text}: they go from 0 to 1; multiply them by their image's width and height"
            return f"{text}; boxes are {order} in pixels: multiply shares by their image's width and height"
        if self.leaving > MOST * self.boxes:
            text = f"{self.leaving:,} of {self.boxes:,} boxes leave their image"
            if "width" in order and self.corners > FITS * self.leaving:
                return f"{text}, and fit as [x1, y1, x2, y2]; boxes are {order}: subtract the first corner"
            if self.exchanged > FITS * self.leaving:
                return f"{text}, and fit where width and height of the image are exchanged; correct its size"
            return f"{text}; boxes are {order} in pixels of the image: are they of images of another size?"
        return ""


def _inside(low: np.ndarray, high: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether boxes stay in their images, bool [N]."""
    allowed = np.maximum(1.0, TOLERANCE * sizes)
    return ((low >= -allowed) & (high <= sizes + allowed)).all(axis=1)
