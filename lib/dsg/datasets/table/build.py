"""What the annotations and sizes of a split say, checked, in flat arrays: everything about all images that
does not depend on how the split is used. Hundreds of thousands of images take tens of megabytes this way, and
are read from a cache in a moment; `stored` makes records of them, one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.formats.referring import annotation_file, iterate_annotations, not_a_list, read_sizes
from dsg.datasets.formats.scene_graph import boxes_from_annotation, scene_graph
from dsg.datasets.records import Vocabulary
from dsg.datasets.table.counting import count_draws, count_queries
from dsg.errors import UserError

PictureSize = Callable[[str], "tuple[int, int] | None"]
Report = tuple[str, int, str]  # reason, position of the relationship in its image, detail


@dataclass(frozen=True, eq=False)
class Table:
    """Letters: I images with a size and annotations, in the order of the metadata; E entities and T relations
    of all images together. What belongs to image i are `count[i]` rows from `start[i]` on."""

    names: list[str]
    unsized: list[str]  # in the annotations only
    unannotated: list[str]  # in the metadata only
    sizes: np.ndarray  # int32 [I, 2]: width and height; 0 where they are invalid, such images hold nothing
    relationships: np.ndarray  # int32 [I]: how many the file has, faulty ones included
    entity_start: np.ndarray  # int64 [I]
    entity_count: np.ndarray  # int32 [I]
    triple_start: np.ndarray  # int64 [I]
    triple_count: np.ndarray  # int32 [I]
    queries: np.ndarray  # int32 [I, 2]: how many there are, without and with self-relations
    draws: np.ndarray  # int32 [I]: pairs of entities with several predicates
    categories: np.ndarray  # integers [E]
    boxes: np.ndarray  # float32 [E, 4]: x1 y1 x2 y2
    triples: np.ndarray  # integers [T, 3]: subject, predicate, object; entities by position in their image
    reports: dict[int, list[Report]]  # image -> relationships that were left out
    faults: dict[int, str]  # image -> what about it is not of the format

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}


def read_table(
    folder: Path,
    split: str,
    vocabulary: Vocabulary,
    keep_outside: bool,
    picture_size: PictureSize = lambda name: None,
) -> Table:
    """The table of a split, read from its files.

    Args:
        split: of the files.
        vocabulary: how many categories and predicates there are.
        keep_outside: boxes wholly outside their image are no fault.
        picture_size: see `read_sizes`.

    Raises:
        UserError: a file is missing, not JSON, or not an object of the right form. A relationship that is not
            of the format is noted in `faults`: its image must not be requested.
    """
    path = annotation_file(folder, split)
    annotated = iterate_annotations(folder, split)
    first = next(annotated, None)  # complains about the annotations before the metadata
    sizes = read_sizes(folder, split, picture_size)
    builder = _Builder(sizes, vocabulary, keep_outside)
    for name, relationships in chain([] if first is None else [first], annotated):
        if not isinstance(relationships, list):
            raise not_a_list(path, name, relationships)
        builder.add(name, relationships)
    return builder.table()


def build_table(
    annotated: Iterable[tuple[str, list[Any]]],
    sizes: Mapping[str, tuple[int, int] | None],
    vocabulary: Vocabulary,
) -> Table:
    """The table of what was read already, however much of the files that is.

    Args:
        annotated: image names and their relationships.
        sizes: width and height by image name, see `read_sizes`.
    """
    builder = _Builder(sizes, vocabulary, keep_outside=False)
    for name, relationships in annotated:
        builder.add(name, relationships)
    return builder.table()


class _Builder:
    """Takes the images of a file, in whatever order; one row each."""

    def __init__(
        self, sizes: Mapping[str, tuple[int, int] | None], vocabulary: Vocabulary, keep_outside: bool
    ) -> None:
        self.sizes = sizes
        self.vocabulary = vocabulary
        self.keep_outside = keep_outside
        self.rows: dict[str, int] = {}
        self.relationships = array("q")
        self.entity_count = array("q")
        self.triple_count = array("q")
        self.entities = array("d")  # 5 numbers each
        self.triples = array("i")  # 3 numbers each
        self.reports: dict[int, list[Report]] = {}
        self.faults: dict[int, str] = {}

    def add(self, name: str, relationships: list[Any]) -> None:
        row = len(self.relationships)
        self.rows[name] = row
        size = self.sizes.get(name)
        entities: list[Any] = []
        triples: list[Any] = []
        if size is not None:
            found: list[Report] = []
            try:
                entities, triples = scene_graph(
                    name,
                    None if self.keep_outside else size,
                    relationships,
                    self.vocabulary,
                    lambda *report: found.append(report),
                    source="",
                )
            except UserError as error:
                self.faults[row] = str(error)
            if found:
                self.reports[row] = found
        self.relationships.append(len(relationships))
        self.entity_count.append(len(entities))
        self.triple_count.append(len(triples))
        self.entities.extend(chain.from_iterable(entities))
        self.triples.extend(chain.from_iterable(triples))

    def table(self) -> Table:
        names = [name for name in self.sizes if name in self.rows]
        order = np.array([self.rows[name] for name in names], np.int64)
        entities = np.frombuffer(self.entities, np.float64).reshape(-1, 5)
        categories = _narrow(entities[:, 0].astype(np.int32))
        boxes = boxes_from_annotation(entities[:, 1:])
        del entities
        self.entities = array("d")
        triples = _narrow(np.frombuffer(self.triples, np.int32).reshape(-1, 3))
        self.triples = array("i")
        entity_count = np.array(self.entity_count, np.int64)
        triple_count = np.array(self.triple_count, np.int64)
        entity_start = np.cumsum(entity_count) - entity_count
        triple_start = np.cumsum(triple_count) - triple_count
        rows = np.repeat(np.arange(len(triple_count), dtype=np.int32), triple_count)
        image = {row: position for position, row in enumerate(order.tolist())}
        return Table(
            names=names,
            unsized=[name for name in self.rows if name not in self.sizes],
            unannotated=[name for name in self.sizes if name not in self.rows],
            sizes=np.array([self.sizes[name] or (0, 0) for name in names], np.int32).reshape(-1, 2),
            relationships=np.array(self.relationships, np.int32)[order],
            entity_start=entity_start[order],
            entity_count=entity_count[order].astype(np.int32),
            triple_start=triple_start[order],
            triple_count=triple_count[order].astype(np.int32),
            queries=count_queries(triples, rows, categories, entity_start)[order],
            draws=count_draws(triples, rows, len(entity_start))[order],
            categories=categories,
            boxes=boxes,
            triples=triples,
            reports={image[row]: found for row, found in self.reports.items() if row in image},
            faults={image[row]: text for row, text in self.faults.items() if row in image},
        )


def _narrow(values: np.ndarray) -> np.ndarray:
    """Non-negative integers in as few bytes as hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
