"""Records that are made when they are requested, out of a `Table`: a split of hundreds of thousands of images
costs no more memory than its flat arrays. What comes out is what `roidb.build_record` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, overload

import numpy as np

from dsg.datasets.mirror import mirrored
from dsg.datasets.records import ImageRecord
from dsg.datasets.roidb import assemble
from dsg.datasets.table.build import Table

KEPT = 64 * 1024 * 1024  # bytes: the records of so small a part stay in memory once they are made


class StoredRecords(Sequence[ImageRecord]):
    """The records of some images of a table.

    Args:
        table: everything about the images.
        images: int [N], positions in the table, one for each record.
        flipped: bool [N], which of them are the mirror image.
        draws: random numbers that choose between several predicates of a pair.
        first_draw: for each image of the table where its numbers begin in `draws`.
        path: from an image's name to its file.
        swap: what predicates become in a mirror (`mirror_map`), or None.
        keep_self: relations of an entity to itself make queries, too.
        exact_boxes: see `mirrored`.
    """

    def __init__(
        self,
        table: Table,
        images: np.ndarray,
        flipped: np.ndarray,
        draws: np.ndarray,
        first_draw: np.ndarray,
        path: Callable[[str], Path],
        swap: np.ndarray | None = None,
        keep_self: bool = False,
        exact_boxes: bool = False,
    ) -> None:
        self.table = table
        self.images = images
        self.flipped = flipped
        self.path = path
        self._draws = draws
        self._first_draw = first_draw
        self._swap = swap
        self._keep_self = keep_self
        self._exact_boxes = exact_boxes
        self._made: dict[int, ImageRecord] = {}
        self._kept = int(np.searchsorted(np.cumsum(self._bytes()), KEPT))

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, position: int) -> ImageRecord: ...
    @overload
    def __getitem__(self, position: slice) -> list[ImageRecord]: ...
    def __getitem__(self, position: int | slice) -> ImageRecord | list[ImageRecord]:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(len(self)))]
        index = range(len(self))[position]  # negative ones, too; IndexError beyond
        record = self._made.get(index)
        if record is None:
            record = StoredRecord.of(self, int(self.images[index]), bool(self.flipped[index]))
            if index < self._kept:
                self._made[index] = record
        return record

    @property
    def query_counts(self) -> np.ndarray:
        """How many queries each record has, int32 [N]."""
        return self.table.queries[self.images, int(self._keep_self)]

    def make(self, image: int, flipped: bool) -> ImageRecord:
        """The record of an image of the table, all of it."""
        table = self.table
        first, relation, draw = (
            int(start[image]) for start in (table.entity_start, table.triple_start, self._first_draw)
        )
        entities = slice(first, first + int(table.entity_count[image]))
        triples = slice(relation, relation + int(table.triple_count[image]))
        name = table.names[image]
        record = assemble(
            name,
            self.path(name),
            (int(table.sizes[image, 0]), int(table.sizes[image, 1])),
            table.boxes[entities].copy(),
            table.categories[entities].astype(np.int32),
            table.triples[triples].astype(np.int32),
            lambda number: self._draws[draw : draw + number],
            self._keep_self,
        )
        return mirrored(record, self._swap, self._exact_boxes) if flipped else record

    def _bytes(self) -> np.ndarray:
        """About how much memory each record takes."""
        entities = self.table.entity_count[self.images].astype(np.int64)
        relations = self.table.triple_count[self.images]
        return 2000 + entities * (16 + 4 * entities + 6 * self.query_counts) + 24 * relations


class StoredRecord(ImageRecord):
    """A record that knows its name and size, and makes the rest when something of it is requested."""

    @classmethod
    def of(cls, records: StoredRecords, image: int, flipped: bool) -> StoredRecord:
        """The record of an image of the table."""
        record = object.__new__(cls)
        width, height = records.table.sizes[image].tolist()
        record.__dict__.update(
            name=records.table.names[image],
            width=width,
            height=height,
            flipped=flipped,
            _path=records.path,
            _make=lambda: records.make(image, flipped),
        )
        return record

    def __getattr__(self, name: str) -> Any:
        # Called for what is not there yet. A record made by `dataclasses.replace` has everything.
        if name == "path" and "_path" in self.__dict__:
            return self._path(self.name)
        make = self.__dict__.get("_make") if name in FIELDS else None
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.__dict__.update(vars(make()))
        return self.__dict__[name]


FIELDS = {field.name for field in fields(ImageRecord)}
