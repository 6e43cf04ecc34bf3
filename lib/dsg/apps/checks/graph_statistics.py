"""What a split of scene graphs holds, in numbers: objects, relations, how skewed these are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.apps.checks.statistics import mean_of, most_of, percentiles_of
from dsg.datasets import Vocabulary
from dsg.datasets.formats.vg150 import GraphImage


@dataclass(frozen=True, eq=False)
class GraphStatistics:
    """Of the images that a detector of the graphs' objects uses."""

    objects_per_image: np.ndarray  # int [images]
    relations_per_image: np.ndarray  # int [images]
    categories: np.ndarray  # int [V]: objects of each category
    predicates: np.ndarray  # int [R]: relations with each predicate
    sides: np.ndarray = field(repr=False)  # float [objects]: root of the share of the image that a box covers
    pixels: np.ndarray = field(repr=False)  # float [objects]: root of the area in pixels

    def summary(self) -> dict[str, Any]:
        """The numbers by name, for a table and for JSON."""
        ranked = np.sort(self.predicates)[::-1]
        frequent = ranked[: max(len(ranked) // 5, 1)].sum()
        return {
            "images": len(self.objects_per_image),
            "objects": int(self.objects_per_image.sum()),
            "relations": int(self.predicates.sum()),
            "objects per image (mean)": mean_of(self.objects_per_image),
            "objects per image (most)": most_of(self.objects_per_image),
            "relations per image (mean)": mean_of(self.relations_per_image),
            "relations per image (most)": most_of(self.relations_per_image),
            "images without relations": int((self.relations_per_image == 0).sum()),
            "images with one object": int((self.objects_per_image == 1).sum()),
            "relations of the most frequent fifth of predicates, %": round(
                100 * float(frequent) / max(int(ranked.sum()), 1), 1
            ),
            "categories used": int((self.categories > 0).sum()),
            "predicates used": int((self.predicates > 0).sum()),
            **percentiles_of(self.pixels),
        }

    def to_json(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """Also those of each category and predicate."""
        categories = dict(zip(vocabulary.objects, map(int, self.categories)))
        predicates = dict(zip(vocabulary.predicates, map(int, self.predicates)))
        return {**self.summary(), "by category": categories, "by predicate": predicates}


def graph_statistics(records: Sequence[GraphImage], vocabulary: Vocabulary) -> GraphStatistics:
    """The numbers of images."""
    categories = np.zeros(len(vocabulary.objects), np.int64)
    predicates = np.zeros(len(vocabulary.predicates), np.int64)
    sides, pixels = [np.zeros(0)], [np.zeros(0)]
    for record in records:
        categories += np.bincount(record.labels, minlength=len(categories))
        predicates += np.bincount(record.relations[:, 2], minlength=len(predicates))
        area = np.prod(np.maximum(record.boxes[:, 2:] - record.boxes[:, :2], 0), axis=1)
        pixels.append(np.sqrt(area))
        sides.append(np.sqrt(area / (record.width * record.height)))
    return GraphStatistics(
        np.array([len(record.boxes) for record in records], np.int64),
        np.array([len(record.relations) for record in records], np.int64),
        *(categories, predicates, np.concatenate(sides), np.concatenate(pixels)),
    )
