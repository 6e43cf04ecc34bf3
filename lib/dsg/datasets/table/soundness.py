"""Whether a table is one that `table.read_table` makes. One from a cache need not be: the file may be
damaged, or have come with a data set from anywhere. Whatever works with a table trusts it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dsg.datasets.formats.relationships import LIMIT
from dsg.datasets.records import Vocabulary
from dsg.datasets.table.build import Table

NARROW = (np.uint8, np.uint16, np.uint32)
"""Integers in as few bytes as hold them."""


def is_sound(table: Table, vocabulary: Vocabulary) -> bool:
    """Whether the arrays are of the right types and shapes, point nowhere but into each other and into the
    vocabulary, and count no more than is there.

    How many queries and draws an image has is not counted again, which would take as long as everything else.

    Args:
        table: anything may be in it.
    """
    return (
        _has_its_types(table)
        and _are_names(table)
        and _lies_apart(table.entity_start, table.entity_count, len(table.categories))
        and _lies_apart(table.triple_start, table.triple_count, len(table.triples))
        and _has_possible_numbers(table, vocabulary)
        and _relates_what_is_there(table)
        and _has_sound_notes(table)
    )


def _has_its_types(table: Table) -> bool:
    images, entities, triples = len(table.names), len(table.categories), len(table.triples)
    small, large = (np.int32,), (np.int64,)
    expected: dict[str, tuple[tuple[Any, ...], tuple[int, ...]]] = {
        "sizes": (small, (images, 2)),
        "relationships": (small, (images,)),
        "entity_start": (large, (images,)),
        "entity_count": (small, (images,)),
        "triple_start": (large, (images,)),
        "triple_count": (small, (images,)),
        "queries": (small, (images, 2)),
        "draws": (small, (images,)),
        "categories": (NARROW, (entities,)),
        "boxes": ((np.float32,), (entities, 4)),
        "triples": (NARROW, (triples, 3)),
    }
    arrays = table.arrays()
    return arrays.keys() == expected.keys() and all(
        arrays[name].dtype in types and arrays[name].shape == shape
        for name, (types, shape) in expected.items()
    )


def _are_names(table: Table) -> bool:
    lists = table.names, table.unsized, table.unannotated
    all_texts = all(isinstance(names, list) and set(map(type, names)) <= {str} for names in lists)
    return all_texts and len(set(table.names)) == len(table.names)


def _lies_apart(start: np.ndarray, count: np.ndarray, number: int) -> bool:
    """Whether the rows of the images are among so many, and none belongs to two images."""
    # Each of them is at most `number` before they are added: no sum is too large for its type.
    if min(start.min(initial=0), count.min(initial=0)) < 0 or start.max(initial=0) > number:
        return False
    used = np.flatnonzero(count)
    used = used[np.argsort(start[used], kind="stable")]
    end = start[used] + count[used]
    return bool((end[:-1] <= start[used][1:]).all() and end.max(initial=0) <= number)


def _has_possible_numbers(table: Table, vocabulary: Vocabulary) -> bool:
    sizeless = (table.sizes == 0).any(axis=1)
    low, high = table.boxes[:, :2], table.boxes[:, 2:]
    return bool(
        table.sizes.min(initial=0) >= 0
        and not table.entity_count[sizeless].any()
        and table.categories.max(initial=0) < len(vocabulary.objects)
        and table.triples[:, 1].max(initial=0) < len(vocabulary.predicates)
        and table.boxes.min(initial=0) >= -LIMIT  # not where one is NaN
        and table.boxes.max(initial=0) <= LIMIT
        and (low <= high + 1).all()  # rounded, the sides of a box less than a pixel wide may change places
    )


def _relates_what_is_there(table: Table) -> bool:
    """Whether relations are between entities of their image, and images with relations ask something."""
    counts = table.triple_count.astype(np.int64)
    image = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(image)) + np.repeat(table.triple_start - (np.cumsum(counts) - counts), counts)
    subject, _, other = table.triples[place].T
    if (np.maximum(subject, other) >= table.entity_count[image]).any():
        return False
    between_two = np.bincount(image[subject != other], minlength=len(counts))
    draws, queries, with_self = table.draws, table.queries[:, 0], table.queries[:, 1]
    return bool(
        (counts <= table.relationships).all()
        and draws.min(initial=0) >= 0
        and (2 * draws.astype(np.int64) <= counts).all()
        and (queries <= between_two).all()
        and (with_self <= counts).all()
        and np.array_equal(queries > 0, between_two > 0)
        and np.array_equal(with_self > 0, counts > 0)
        and table.queries.min(initial=0) >= 0
    )


def _has_sound_notes(table: Table) -> bool:
    """Whether what was left out, and what is not of the format, is said of images of the table."""
    images = range(len(table.names))
    return all(image in images and isinstance(text, str) for image, text in table.faults.items()) and all(
        image in images
        and len(found) <= table.relationships[image]
        and all(
            isinstance(reason, str) and type(position) is int and isinstance(detail, str)
            for reason, position, detail in found
        )
        for image, found in table.reports.items()
    )
