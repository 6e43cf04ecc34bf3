"""From the relationships of one image, as they stand in the file, to its different entities and the relations
between them, both in the order of their first appearance (the subject before the object).
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from dsg.datasets.formats.relationships import LIMIT, Report, sound_relationships
from dsg.datasets.records import Vocabulary

Entity = tuple[Any, ...]  # category, ymin, ymax, xmin, xmax
Triple = tuple[int, int, int]  # subject, predicate, object; entities by position


def scene_graph(
    name: str,
    size: tuple[int, int] | None,
    relationships: list[Any],
    vocabulary: Vocabulary,
    report: Report,
    source: str,
) -> tuple[list[Entity], list[Triple]]:
    """The distinct entities of an image and the distinct relations (subject, predicate, object) between them,
    both by first appearance; arguments as of `build_record`, without a size no box is outside.
    """
    graph = _plain_scene_graph(size, relationships, vocabulary)
    if graph is not None:
        return graph
    predicates, mentions = sound_relationships(name, size, relationships, vocabulary, report, source)
    # An entity's key is the text of its dictionary, because the release tells entities apart by it: the same
    # box and category written in another order is another entity.
    keys = [repr(mention) for mention in mentions]
    first: dict[str, dict[str, Any]] = {}
    for key, mention in zip(keys, mentions):
        first.setdefault(key, mention)
    index = {key: position for position, key in enumerate(first)}
    entities = [(mention["category"], *mention["bbox"]) for mention in first.values()]
    return entities, _triples([index[key] for key in keys], predicates)


def _plain_scene_graph(
    size: tuple[int, int] | None, relationships: list[Any], vocabulary: Vocabulary
) -> tuple[list[Entity], list[Triple]] | None:
    """`scene_graph` of an image of whole numbers without any fault, in a fraction of the time; None if the
    image is not of this kind, which says nothing about whether it has faults."""
    try:
        predicates = [relationship["predicate"] for relationship in relationships]
        mentions = [relationship[role] for relationship in relationships for role in ("subject", "object")]
        keys = [(mention["category"], *mention["bbox"]) for mention in mentions]
    except (TypeError, KeyError, IndexError):
        return None
    if not keys:
        return [], []
    alike = (
        set(map(type, chain(predicates, chain.from_iterable(keys)))) == {int}
        and set(map(len, keys)) == {5}
        and set(map(len, mentions)) == {2}  # nothing but category and box,
        and len(set(map(next, map(iter, mentions)))) == 1  # in the same order, so numbers tell them apart
    )
    if not alike or min(predicates) < 0 or max(predicates) >= len(vocabulary.predicates):
        return None
    index: dict[Entity, int] = {}
    positions = [index.setdefault(key, len(index)) for key in keys]
    known = len(vocabulary.objects)
    width, height = size or (LIMIT, LIMIT)
    for category, y1, y2, x1, x2 in index:
        x2, y2 = x2 + (x1 == x2), y2 + (y1 == y2)
        inside = -LIMIT < x1 < x2 < LIMIT and -LIMIT < y1 < y2 < LIMIT
        if size is not None:
            inside = inside and x1 < width and y1 < height and x2 > 0 and y2 > 0
        if not (inside and 0 <= category < known):
            return None
    return list(index), _triples(positions, predicates)


def _triples(positions: list[int], predicates: list[int]) -> list[Triple]:
    """The different relations; `positions` are the entities' of subject and object in turn."""
    return list(dict.fromkeys(zip(positions[0::2], predicates, positions[1::2])))


def boxes_from_annotation(boxes: Any) -> np.ndarray:
    """[ymin, ymax, xmin, xmax] to float32 [G, 4] x1 y1 x2 y2; a side without length becomes 1 longer."""
    result = np.array(boxes, np.float32).reshape(-1, 4)[:, [2, 0, 3, 1]]
    low, high = result[:, :2], result[:, 2:]
    high += low.astype(np.int64) == high.astype(np.int64)
    return np.ascontiguousarray(result)
