"""From the relationships of one image to its `ImageRecord`: entities, queries, roles.

The order of everything is the release's: entities by first appearance (the subject before the object),
queries by first appearance, and one random number per pair with several predicates, pair by pair in row
order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.formats.relationships import Report
from dsg.datasets.formats.scene_graph import boxes_from_annotation, scene_graph
from dsg.datasets.records import OBJECT, OTHER, SUBJECT, ImageRecord, Vocabulary

Sample = Callable[[int], np.ndarray]  # so many random numbers, float64 in [0, 1)


def build_record(
    name: str,
    path: Path,
    size: tuple[int, int],
    relationships: list[Any],
    vocabulary: Vocabulary,
    rng: np.random.RandomState,
    report: Report,
    source: str = "annotations",
    keep_outside: bool = False,
    keep_self: bool = False,
) -> ImageRecord:
    """The record of one image; it has no queries where no relationship remains.

    Boxes become [x1, y1, x2, y2] float32; where int(x2) == int(x1), x2 grows by 1; the same for y. Boxes that
    leave the image in part are kept as they are.

    Args:
        size: width and height of the image in pixels.
        relationships: as in the file, boxes [ymin, ymax, xmin, xmax].
        rng: gives one number for each pair of entities that carries several predicates.
        report: called for each relationship that is left out: category or predicate out of range, box
            inverted or wholly outside the image.
        source: name of the file, for messages.
        keep_outside: keep boxes that lie wholly outside the image, as the release does.
        keep_self: relations of an entity to itself ask for it, too, in either role.

    Raises:
        UserError: a relationship is not of the format.
    """
    entities, triples = scene_graph(
        name, None if keep_outside else size, relationships, vocabulary, report, source
    )
    return assemble(
        name,
        path,
        size,
        boxes_from_annotation([entity[1:] for entity in entities]),
        np.array([entity[0] for entity in entities], np.int32),
        np.array(triples, np.int32).reshape(-1, 3),
        rng.random_sample,
        keep_self,
    )


def assemble(
    name: str,
    path: Path,
    size: tuple[int, int],
    boxes: np.ndarray,
    categories: np.ndarray,
    triples: np.ndarray,
    sample: Sample,
    keep_self: bool = False,
) -> ImageRecord:
    """The record of an image from what `scene_graph` found.

    Args:
        boxes: float32 [G, 4], as `boxes_from_annotation` makes them.
        categories: int32 [G].
        triples: int32 [T, 3].
        sample: gives so many random numbers; called once, if a pair of entities carries several predicates.
        keep_self: relations of an entity to itself ask for it, too.
    """
    queries, subject_masks, object_masks, roles = _queries(triples, categories, keep_self)
    return ImageRecord(
        name=name,
        path=path,
        width=size[0],
        height=size[1],
        boxes=boxes,
        entities=categories,
        predicates=_chosen_predicates(triples, len(categories), sample),
        queries=queries,
        roles=roles,
        subject_masks=subject_masks,
        object_masks=object_masks,
        triples=triples,
    )


def draw_predicates(triples: np.ndarray, entities: int, rng: np.random.RandomState) -> np.ndarray:
    """One predicate for each related pair of entities, drawn uniformly if there are several.

    Equal, draw by draw, to `rng.choice(number of predicates, 1, p=...)` called pair by pair in row order for
    the pairs with several predicates; pairs with one predicate draw nothing.

    Args:
        triples: int32 [T, 3], different from each other: subject index, predicate, object index.
        entities: their number G.
        rng: legacy NumPy generator.

    Returns:
        int32 [G, G], -1 where a pair is not related.
    """
    return _chosen_predicates(triples, entities, rng.random_sample)


def _chosen_predicates(triples: np.ndarray, entities: int, sample: Sample) -> np.ndarray:
    order = np.lexsort((triples[:, 1], triples[:, 2], triples[:, 0]))
    subject, predicate, obj = triples[order].T
    _, start, counts = np.unique(subject * entities + obj, return_index=True, return_counts=True)
    chosen = start.copy()
    several = counts > 1
    if several.any():
        chosen[several] += _uniform_choices(counts[several], sample)
    result = np.full((entities, entities), -1, np.int32)
    result[subject[chosen], obj[chosen]] = predicate[chosen]
    return result


def _codes(rows: np.ndarray) -> np.ndarray:
    """One number for each row of three, the same for the same row; indices are far below 2^21."""
    columns = rows.astype(np.int64)
    return (columns[:, 0] << 42) | (columns[:, 1] << 21) | columns[:, 2]


def _queries(
    triples: np.ndarray, categories: np.ndarray, keep_self: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Queries [Q, 3] by first appearance, masks of subjects and objects [Q, G], roles [Q, G].

    Self-relations ask nothing unless `keep_self`; they give no role.
    """
    pairs = triples if keep_self else triples[triples[:, 0] != triples[:, 2]]
    asked = np.stack([categories[pairs[:, 0]], pairs[:, 1], categories[pairs[:, 2]]], axis=1).astype(np.int32)
    _, first, inverse = np.unique(_codes(asked), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    query = rank[inverse.reshape(-1)]

    shape = (len(order), len(categories))
    subject_masks, object_masks = np.zeros(shape, bool), np.zeros(shape, bool)
    subject_masks[query, pairs[:, 0]] = True
    object_masks[query, pairs[:, 2]] = True
    roles = _roles(query, pairs, subject_masks, object_masks)
    if keep_self:
        others = pairs[:, 0] != pairs[:, 2]
        subjects, objects = np.zeros(shape, bool), np.zeros(shape, bool)
        subjects[query[others], pairs[others, 0]] = True
        objects[query[others], pairs[others, 2]] = True
        roles = _roles(query[others], pairs[others], subjects, objects)
    return asked[first[order]], subject_masks, object_masks, roles


def _roles(
    query: np.ndarray, pairs: np.ndarray, subject_masks: np.ndarray, object_masks: np.ndarray
) -> np.ndarray:
    """One role per box, int32 [Q, G], from `pairs` [P, 3] of the queries `query` [P].

    The release walks through the pairs (subject, object) in row order and writes both roles: a box that is
    both has been written as object last if one of its subjects comes after itself.
    """
    last_subject = np.full(subject_masks.shape, -1, np.int64)
    np.maximum.at(last_subject, (query, pairs[:, 2]), pairs[:, 0])
    object_last = object_masks & (~subject_masks | (last_subject > np.arange(subject_masks.shape[1])))
    return np.where(object_last, OBJECT, np.where(subject_masks, SUBJECT, OTHER)).astype(np.int32)


def _uniform_choices(counts: np.ndarray, sample: Sample) -> np.ndarray:
    """For each count k one of 0..k-1, from one random number each, rounded as `RandomState.choice` does."""
    largest = int(counts.max())
    table = np.full((largest + 1, largest), np.inf)
    for count in np.unique(counts):
        cumulative = np.cumsum(np.full(count, 1.0 / count))
        table[count, :count] = cumulative / cumulative[-1]
    numbers = sample(len(counts))
    return np.asarray((table[counts] <= numbers[:, None]).sum(axis=1))
