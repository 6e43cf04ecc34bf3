"""What a loaded data set is made of: one `ImageRecord` per image, and the `Dataset` that holds a split.

Everything is plain numpy, in pixels of the original image. Letters used in shapes: G entities of an image, Q
queries, T annotated relationships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SUBJECT, OBJECT, OTHER = 1, 2, 3  # roles of a ground-truth box; 0, background, is for proposals only


@dataclass(frozen=True)
class Vocabulary:
    """Names of the categories and predicates; the position of a name is its index."""

    objects: tuple[str, ...]
    predicates: tuple[str, ...]
    mask_objects: tuple[str, ...] = ()  # of the data set with masks that graphs are grounded by


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image, or its mirror image, with everything that is known about it.

    An entity is a category with a box; two mentions with the same category and box are one entity. A query
    <s, r, o> asks for every pair of different entities of the categories s and o between which the
    relationship r is annotated.

    `roles` gives each box one role (a box that is subject and object keeps the one written last, as the
    release does), the two `*_masks` keep both.
    """

    name: str  # file name, the image's id
    path: Path  # image file; whether it exists shows when it is read
    width: int  # of the original image, from the metadata
    height: int
    boxes: np.ndarray  # float32 [G, 4]: x1 y1 x2 y2, original pixels, no +1
    entities: np.ndarray  # int32 [G]: category
    predicates: (
        np.ndarray
    )  # int32 [G, G]: predicate of [subject, object], -1 none; one was drawn if there were several
    queries: np.ndarray  # int32 [Q, 3]: subject category, predicate, object category
    roles: np.ndarray  # int32 [Q, G]: 1 subject, 2 object, 3 other
    subject_masks: np.ndarray  # bool [Q, G]
    object_masks: np.ndarray  # bool [Q, G]
    triples: (
        np.ndarray
    )  # int32 [T, 3]: subject index, predicate, object index; all different, self-relations included
    flipped: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """A split of a data set, with the account of what was left out of it."""

    name: str
    split: str
    folder: Path
    vocabulary: Vocabulary
    records: Sequence[ImageRecord]  # those of `load_dataset` are made when they are requested (`stored`)
    skipped: dict[str, list[tuple[str, str]]] = field(
        default_factory=dict
    )  # reason -> (image, detail) of each case
    notes: tuple[str, ...] = ()  # what else is to be said of its files

    def __len__(self) -> int:
        return len(self.records)

    def amount(self) -> str:
        """What the images hold, in words."""
        counts = getattr(self.records, "query_counts", None)
        queries = sum(len(record.queries) for record in self.records) if counts is None else int(counts.sum())
        return f"{queries:,} queries"

    def summary(self, examples: int = 3) -> str:
        """How much there is and what was skipped: a line, and one for each reason, the first cases named."""
        # Records that are made when they are requested know this without being made.
        flipped = getattr(self.records, "flipped", None)
        mirrored = sum(r.flipped for r in self.records) if flipped is None else int(flipped.sum())
        images = f"{len(self.records) - mirrored:,} images" + (
            f" and {mirrored:,} mirrored" if mirrored else ""
        )
        lines = [f"{self.name} {self.split}: {images}, {self.amount()} ({self.folder})"]
        lines += [f"  {note}" for note in self.notes]
        for reason, cases in self.skipped.items():
            named = "; ".join(f"{image}: {detail}" if detail else image for image, detail in cases[:examples])
            more = f"; and {len(cases) - examples:,} more" if len(cases) > examples else ""
            lines.append(f"  skipped, {reason}: {len(cases):,} ({named}{more})")
        return "\n".join(lines)


def ambiguous(record: ImageRecord) -> np.ndarray:
    """Which queries cannot be answered by category alone: bool [Q].

    True where the image holds another entity of the subject's category that is not one of the subjects, or
    one of the object's category that is not one of the objects, so that only the relation tells them apart.
    """
    same_subject = record.entities[None, :] == record.queries[:, :1]  # [Q, G]
    same_object = record.entities[None, :] == record.queries[:, 2:]
    other_subject = (same_subject & ~record.subject_masks).any(axis=1)
    other_object = (same_object & ~record.object_masks).any(axis=1)
    return np.asarray(other_subject | other_object)


def annotated_pairs(record: ImageRecord) -> np.ndarray:
    """The annotated pairs of different entities that answer each query, int64 [R, 3]: the query, and the
    boxes of subject and object, all by position.
    """
    triples = record.triples[record.triples[:, 0] != record.triples[:, 2]]
    subjects, predicates, objects = triples.T
    asked = np.stack([record.entities[subjects], predicates, record.entities[objects]], axis=1)
    query, triple = np.nonzero((record.queries[:, None] == asked[None]).all(axis=2))
    return np.stack([query, subjects[triple], objects[triple]], axis=1).astype(np.int64)
