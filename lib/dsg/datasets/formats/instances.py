"""What an annotation of objects is read to: an image and its instances, plain arrays, and an account of what
was left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

EPSILON = 2.0**-22
"""Coordinates whose distance is a smaller share of the image's side can be the same float32, here or in the
mirror image."""
LONGEST_SIDE = 100_000
"""Pixels; an image that is said to be longer is none."""


@dataclass(frozen=True, eq=False)
class Instances:
    """An image, or its mirror image, with its objects, in pixels of the original image."""

    name: str  # of the image in its annotations: COCO's file name, VOC's without ending
    path: Path  # image file; whether it exists shows when it is read
    width: int  # as annotated
    height: int
    boxes: np.ndarray  # float32 [G, 4]: x1 y1 x2 y2, inside the image; x2 - x1 is the width
    classes: np.ndarray  # int32 [G]: from 1; 0 is the background
    difficult: np.ndarray  # bool [G]: VOC's, neither a hit nor a miss counts
    crowd: np.ndarray  # bool [G]: COCO's regions of many objects
    # G as in the file, checked, encoded, of the image as it is stored, not of its mirror image; None where an
    # object has none, empty where the format has no masks.
    segmentations: Sequence[Any] = ()
    flipped: bool = False


@dataclass(frozen=True, eq=False)
class InstanceSet:
    """The images of a list or file."""

    classes: tuple[str, ...]  # names by number, "__background__" first
    images: list[Instances]
    skipped: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # reason -> (image, detail)
    stated: list[tuple[float, ...]] = field(default_factory=list)  # x1 y1 x2 y2 width height, before any cut

    def skip(self, reason: str, image: str, detail: str = "") -> None:
        """Note something that is left out."""
        self.skipped.setdefault(reason, []).append((image, detail))

    def summary(self, examples: int = 3) -> str:
        """How much there is and what was left out: a line, and one for each reason, the first cases named."""
        objects = sum(len(image.boxes) for image in self.images)
        lines = [f"{len(self.images):,} images, {objects:,} objects of {len(self.classes) - 1} classes"]
        for reason, cases in sorted(self.skipped.items()):
            named = ", ".join(f"{image} {detail}".strip() for image, detail in cases[:examples])
            more = ", ..." if len(cases) > examples else ""
            lines.append(f"  left out {len(cases):,} x {reason}: {named}{more}")
        return "\n".join(lines)


def mirrored_instances(image: Instances) -> Instances:
    """The mirror image: boxes change sides, segmentations stay as they are in the file."""
    boxes = image.boxes.copy()
    boxes[:, 0] = np.float32(image.width) - image.boxes[:, 2]
    boxes[:, 2] = np.float32(image.width) - image.boxes[:, 0]
    return replace(image, boxes=boxes, flipped=not image.flipped)


def are_finite(values: Any) -> bool:
    """Whether a value from an annotation is a list of numbers, none of them too large to be computed with."""
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float}:
        return False
    try:
        return math.isfinite(sum(map(float, values)))
    except OverflowError:  # a whole number beyond all others
        return False


def clipped_box(box: Sequence[float], width: float, height: float) -> tuple[float, ...] | None:
    """x1 y1 x2 y2 cut to 0..width, 0..height, or None if nothing is left that float32 tells apart."""
    x1, y1, x2, y2 = box
    cut = (max(x1, 0.0), max(y1, 0.0), min(x2, width), min(y2, height))
    return cut if cut[2] - cut[0] > EPSILON * width and cut[3] - cut[1] > EPSILON * height else None


def is_plain_name(name: Any) -> bool:
    """Whether a name from an annotation is that of a file in its folder."""
    return is_inside(name) and "/" not in name


def is_inside(name: Any) -> bool:
    """Whether a file's path from an annotation stays below its folder, on any system."""
    if not isinstance(name, str) or not name or set(name) & set("\\\0\n\r"):
        return False
    return not name.startswith("/") and not set(name.split("/")) & {"", ".", ".."}
