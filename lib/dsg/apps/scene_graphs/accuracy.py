"""How right the labels of a decoded scene graph are (the paper's section on scene graphs).

Each proposal is compared with the ground-truth box it overlaps most, where that is at IoU 0.8 or more: its
likeliest category with the box's, and the most probable predicate of an ordered pair with those annotated
between the two boxes. Every proposal, and every pair with an annotation, counts once over the whole split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsg.boxes.overlaps import overlaps

THRESHOLD = 0.8
PUBLISHED = {"entities": 0.76, "relations": 0.70}  # Visual Genome


@dataclass(frozen=True)
class Accuracy:
    """Right ones of so many; images add up."""

    entities_right: int = 0
    entities: int = 0
    relations_right: int = 0
    relations: int = 0
    proposals: int = 0  # whether matched or not
    images: int = 0

    def __add__(self, other: Accuracy) -> Accuracy:
        return Accuracy(*(a + b for a, b in zip(_values(self), _values(other))))

    @property
    def entity_accuracy(self) -> float:
        """nan where no proposal is matched."""
        return self.entities_right / self.entities if self.entities else math.nan

    @property
    def relation_accuracy(self) -> float:
        """nan where no pair of matched proposals has an annotated relation."""
        return self.relations_right / self.relations if self.relations else math.nan

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dump`, with what the paper has."""
        return {
            "images": self.images,
            "proposals": self.proposals,
            "entities": _share(self.entities_right, self.entities),
            "relations": _share(self.relations_right, self.relations),
            "published": PUBLISHED,
        }


def graph_accuracy(
    entities: np.ndarray,
    predicates: np.ndarray,
    proposals: np.ndarray,
    gt_boxes: np.ndarray,
    gt_entities: np.ndarray,
    triples: np.ndarray,
    *,
    threshold: float = THRESHOLD,
) -> Accuracy:
    """The counts of one image.

    Args:
        entities: [N, E] probabilities.
        predicates: [N, N, R], [i, j] for subject i and object j.
        proposals: [N, 4] boxes, pixels, +1 widths.
        gt_boxes: [G, 4], in the same units.
        gt_entities: int [G].
        triples: int [T, 3], every annotated relation: subject, predicate, object; relations of a box to
            itself are left aside.
        threshold: IoU from which a proposal counts.
    """
    count = len(proposals)
    if not count or not len(gt_boxes):
        return Accuracy(proposals=count, images=1)
    shared = overlaps(proposals, gt_boxes)
    match = np.where(shared.max(axis=1) >= threshold, shared.argmax(axis=1), -1)
    kept = np.flatnonzero(match >= 0)
    right = entities[kept].argmax(axis=1) == gt_entities[match[kept]]
    annotated = np.zeros((len(gt_boxes), len(gt_boxes), predicates.shape[2]), bool)
    subject, predicate, object_ = np.asarray(triples, np.int64).reshape(-1, 3).T
    annotated[subject, object_, predicate] = True
    annotated[np.arange(len(gt_boxes)), np.arange(len(gt_boxes))] = False
    between = annotated[match[kept][:, None], match[kept][None, :]]  # [K, K, R]
    asked = between.any(axis=2)
    likeliest = predicates[np.ix_(kept, kept)].argmax(axis=2)
    found = np.take_along_axis(between, likeliest[..., None], axis=2)[..., 0]
    return Accuracy(
        entities_right=int(right.sum()),
        entities=len(kept),
        relations_right=int(found.sum()),
        relations=int(asked.sum()),
        proposals=count,
        images=1,
    )


def accuracy_table(found: Accuracy, about: str, threshold: float = THRESHOLD) -> str:
    """The counts beside the published figures, as Markdown."""
    return "\n".join(
        [
            f"Labels of the decoded scene graphs: {about}, {found.images} images, "
            f"proposals of IoU {threshold:g} or more",
            "",
            "| | right | of | accuracy | paper (Visual Genome) |",
            "| --- | ---: | ---: | ---: | ---: |",
            _row("entities", found.entities_right, found.entities, found.entity_accuracy),
            _row("relations", found.relations_right, found.relations, found.relation_accuracy),
            "",
        ]
    )


def _row(name: str, right: int, count: int, share: float) -> str:
    value = "-" if math.isnan(share) else f"{100 * share:.1f}%"
    return f"| {name} | {right:,} | {count:,} | {value} | {100 * PUBLISHED[name]:.0f}% |"


def _share(right: int, count: int) -> dict[str, Any]:
    return {"right": right, "count": count, "accuracy": right / count if count else None}


def _values(found: Accuracy) -> tuple[int, ...]:
    return (
        found.entities_right,
        found.entities,
        found.relations_right,
        found.relations,
        found.proposals,
        found.images,
    )
