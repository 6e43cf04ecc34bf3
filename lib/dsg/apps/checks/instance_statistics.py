"""What a split for detection holds, in numbers: objects, their categories, how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.apps.checks.statistics import mean_of, most_of, percentiles_of
from dsg.datasets import Vocabulary
from dsg.datasets.formats.instances import Instances

SMALL, LARGE = 32, 96  # pixels: the limits between COCO's sizes


@dataclass(frozen=True, eq=False)
class InstanceStatistics:
    """Of the images that training and testing use."""

    images: int
    objects_per_image: np.ndarray  # int [images]
    categories: np.ndarray  # int [C]: objects of each category
    difficult: int
    crowd: int
    masks: int  # objects that have one
    sides: np.ndarray = field(repr=False)  # float [objects]: root of the share of the image that a box covers
    pixels: np.ndarray = field(repr=False)  # float [objects]: root of the area in pixels

    def summary(self) -> dict[str, Any]:
        """The numbers by name, for a table and for JSON."""
        objects = len(self.pixels)

        def share(count: float) -> float:
            return round(100 * float(count) / max(objects, 1), 1)

        return {
            "images": self.images,
            "objects": objects,
            "objects per image (mean)": mean_of(self.objects_per_image),
            "objects per image (most)": most_of(self.objects_per_image),
            "images without objects": int((self.objects_per_image == 0).sum()),
            "difficult objects": self.difficult,
            "regions of many objects": self.crowd,
            "objects with a mask, %": share(self.masks),
            f"small objects (below {SMALL} pixels), %": share((self.pixels < SMALL).sum()),
            f"large objects (from {LARGE} pixels), %": share((self.pixels >= LARGE).sum()),
            "categories used": int((self.categories > 0).sum()),
            **percentiles_of(self.pixels),
        }

    def to_json(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """Also those of each category."""
        return {**self.summary(), "by category": dict(zip(vocabulary.objects, map(int, self.categories)))}


def instance_statistics(records: Sequence[Instances], categories: int) -> InstanceStatistics:
    """The numbers of images, none of them mirrored."""
    sides, pixels, counts = [np.zeros(0)], [np.zeros(0)], np.zeros(categories, np.int64)
    for record in records:
        counts += np.bincount(record.classes - 1, minlength=categories)
        area = np.prod(record.boxes[:, 2:] - record.boxes[:, :2], axis=1, dtype=np.float64)
        pixels.append(np.sqrt(area))
        sides.append(np.sqrt(area / (record.width * record.height)))
    return InstanceStatistics(
        images=len(records),
        objects_per_image=np.array([len(record.boxes) for record in records], np.int64),
        categories=counts,
        difficult=sum(int(record.difficult.sum()) for record in records),
        crowd=sum(int(record.crowd.sum()) for record in records),
        masks=sum(mask is not None for record in records for mask in record.segmentations),
        sides=np.concatenate(sides),
        pixels=np.concatenate(pixels),
    )
