"""Mirror images: boxes change sides, and so may predicates such as left and right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.records import ImageRecord

# Names that change places in a mirror, the first with the second.
MIRRORED_NAMES = (
    ("left", "right"),
    ("left of", "right of"),
    ("on left", "on right"),
    ("on left of", "on right of"),
    ("on the left", "on the right"),
    ("on the left of", "on the right of"),
    ("on left side of", "on right side of"),
    ("on the left side of", "on the right side of"),
    ("to left of", "to right of"),
    ("to the left", "to the right"),
    ("to the left of", "to the right of"),
    ("at left of", "at right of"),
    ("at the left of", "at the right of"),
    ("in left of", "in right of"),
    ("in the left of", "in the right of"),
)


def mirrored(record: ImageRecord, swap: np.ndarray | None = None, exact: bool = False) -> ImageRecord:
    """The record of the mirror image: x' = width - x - 1 or, with `exact`, width - x.

    The first, the release's, is right where x2 is the last column of a box. In most annotations it is the end
    of the box, so that mirrored boxes lie a pixel to the left of their objects.

    Args:
        swap: int32 [R], the predicate that each predicate becomes (`mirror_map`); None leaves them as they
            are, as the release does.
        exact: whether boxes end at x2, not a pixel later.
    """
    last = np.float32(record.width) - np.float32(0 if exact else 1)
    boxes = record.boxes.copy()
    boxes[:, 0] = last - record.boxes[:, 2]
    boxes[:, 2] = last - record.boxes[:, 0]
    if swap is None:
        return replace(record, boxes=boxes, flipped=True)
    queries, triples = record.queries.copy(), record.triples.copy()
    queries[:, 1], triples[:, 1] = swap[queries[:, 1]], swap[triples[:, 1]]
    predicates = np.where(record.predicates >= 0, swap[record.predicates], -1).astype(np.int32)
    return replace(record, boxes=boxes, queries=queries, triples=triples, predicates=predicates, flipped=True)


def mirrored_graph(image: GraphImage, swap: np.ndarray | None = None) -> GraphImage:
    """The mirror image: x' = width - x, and each predicate is what `swap` makes of it."""
    boxes, relations = image.boxes.copy(), image.relations.copy()
    boxes[:, 0], boxes[:, 2] = image.width - image.boxes[:, 2], image.width - image.boxes[:, 0]
    if swap is not None:
        relations[:, 2] = swap[relations[:, 2]]
    return replace(image, boxes=boxes, relations=relations, flipped=not image.flipped)


def mirror_map(predicates: tuple[str, ...]) -> np.ndarray:
    """What each predicate becomes in a mirror, int32 [R].

    Those of `MIRRORED_NAMES` change places, if both are in the vocabulary. Names are compared without regard
    to case, and `_` counts as a space.
    """
    position = {name.lower().replace("_", " "): index for index, name in enumerate(predicates)}
    swap = np.arange(len(predicates), dtype=np.int32)
    for first, second in MIRRORED_NAMES:
        if first in position and second in position:
            swap[position[first]], swap[position[second]] = position[second], position[first]
    return swap
