"""What a split holds, in numbers: entities, queries, how many are ambiguous, how large boxes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsg.datasets import Dataset, Vocabulary, ambiguous
from dsg.datasets.plausibility import BoxTally

PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of the records that training and testing use."""

    split: str
    images: int
    entities_per_image: np.ndarray  # int [images]
    queries_per_image: np.ndarray  # int [images]
    relationships: int
    categories: np.ndarray  # int [E]: entities of each category
    predicates: np.ndarray  # int [R]: queries with each predicate
    ambiguous: np.ndarray  # int [R]: ambiguous ones of them
    several: int  # queries with more than one subject or object
    both: int  # queries in which one box is subject and object
    sides: np.ndarray = field(repr=False)  # float [boxes]: root of the share of the image that a box covers
    pixels: np.ndarray = field(repr=False)  # float [boxes]: root of the area in pixels
    leaving: float  # share of the boxes that leave their image

    @property
    def queries(self) -> int:
        """All queries."""
        return int(self.predicates.sum())

    @property
    def ambiguous_share(self) -> float:
        """Share of the queries that only the relation decides."""
        return float(self.ambiguous.sum() / max(self.queries, 1))

    def summary(self) -> dict[str, Any]:
        """The numbers by name, for a table and for JSON."""
        entities = int(self.entities_per_image.sum())
        return {
            "images": self.images,
            "relationships": self.relationships,
            "entities": entities,
            "queries": self.queries,
            "entities per image (mean)": mean_of(self.entities_per_image),
            "entities per image (most)": most_of(self.entities_per_image),
            "queries per image (mean)": mean_of(self.queries_per_image),
            "queries per image (most)": most_of(self.queries_per_image),
            "ambiguous queries, %": round(100 * self.ambiguous_share, 1),
            "queries with several answers, %": round(100 * self.several / max(self.queries, 1), 1),
            "queries, a box is subject and object, %": round(100 * self.both / max(self.queries, 1), 1),
            "boxes that leave their image, %": round(100 * self.leaving, 1),
            "categories used": int((self.categories > 0).sum()),
            "predicates used": int((self.predicates > 0).sum()),
            **percentiles_of(self.pixels),
        }

    def to_json(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """Also those of each category and predicate."""
        predicates = {
            name: {"queries": int(count), "ambiguous": int(unclear)}
            for name, count, unclear in zip(vocabulary.predicates, self.predicates, self.ambiguous)
        }
        categories = dict(zip(vocabulary.objects, map(int, self.categories)))
        return {**self.summary(), "by category": categories, "by predicate": predicates}


def percentiles_of(pixels: np.ndarray) -> dict[str, float]:
    """Of the sides of boxes in pixels, by name; zeros if there is none."""
    values = np.percentile(pixels, PERCENTILES) if len(pixels) else np.zeros(len(PERCENTILES))
    return {
        f"box side in pixels, percentile {percentile}": round(float(value), 1)
        for percentile, value in zip(PERCENTILES, values)
    }


def statistics_of(dataset: Dataset) -> Statistics:
    """The numbers of a split; mirrored records are left aside."""
    records = [record for record in dataset.records if not record.flipped]
    entities, relations = len(dataset.vocabulary.objects), len(dataset.vocabulary.predicates)
    categories, predicates = np.zeros(entities, np.int64), np.zeros(relations, np.int64)
    unclear = np.zeros(relations, np.int64)
    relationships = several = both = 0
    sides, pixels, tally = [np.zeros(0)], [np.zeros(0)], BoxTally()
    for record in records:
        categories += np.bincount(record.entities, minlength=entities)
        predicates += np.bincount(record.queries[:, 1], minlength=relations)
        unclear += np.bincount(record.queries[ambiguous(record), 1], minlength=relations)
        relationships += len(record.triples)
        many = (record.subject_masks.sum(axis=1) > 1) | (record.object_masks.sum(axis=1) > 1)
        several += int(many.sum())
        both += int((record.subject_masks & record.object_masks).any(axis=1).sum())
        area = np.prod(np.maximum(record.boxes[:, 2:] - record.boxes[:, :2], 0), axis=1, dtype=np.float64)
        pixels.append(np.sqrt(area))
        tally.add(record.boxes, np.array([record.width, record.height]))
        sides.append(np.sqrt(area / (record.width * record.height)))
    return Statistics(
        dataset.split,
        len(records),
        np.array([len(record.entities) for record in records], np.int64),
        np.array([len(record.queries) for record in records], np.int64),
        relationships,
        categories,
        predicates,
        unclear,
        several,
        both,
        np.concatenate(sides),
        np.concatenate(pixels),
        tally.leaving / max(tally.boxes, 1),
    )


def mean_of(values: np.ndarray) -> float:
    """The mean, rounded for a table."""
    return round(float(values.mean()), 1) if len(values) else 0.0


def most_of(values: np.ndarray) -> int:
    """The largest; 0 of none."""
    return int(values.max()) if len(values) else 0
