"""What pictures show of a split: the choice of images and queries, and queries in words."""

from __future__ import annotations

import numpy as np

from dsg.datasets import Vocabulary

QUERIES_SHOWN = 4


def chosen_images(count: int, wanted: int) -> list[int]:
    """Positions of the images to draw: `wanted` of `count`, spread evenly.

    Example:
        >>> chosen_images(10, 3)
        [0, 3, 6]
    """
    wanted = min(count, wanted)
    return [index * count // wanted for index in range(wanted)]


def chosen_queries(flags: np.ndarray, wanted: int = QUERIES_SHOWN) -> list[int]:
    """Positions of the queries to draw: ambiguous ones (`flags` bool [Q]) first, each kind spread evenly."""
    picked: list[int] = []
    for group in (np.flatnonzero(flags), np.flatnonzero(~flags)):
        picked += [int(group[index]) for index in chosen_images(len(group), wanted - len(picked))]
    return picked


def query_words(query: np.ndarray, vocabulary: Vocabulary) -> tuple[str, str, str]:
    """A query in words: subject, predicate, object."""
    subject, predicate, object_ = (int(index) for index in query)
    return vocabulary.objects[subject], vocabulary.predicates[predicate], vocabulary.objects[object_]
