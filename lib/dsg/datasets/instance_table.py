"""Images with their objects as flat arrays, and records that are made of them when they are requested: a
split of a hundred thousand images takes no more memory than its arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from dsg.datasets.formats.instances import (
    LONGEST_SIDE,
    Instances,
    InstanceSet,
    is_inside,
    mirrored_instances,
)
from dsg.datasets.formats.segmentations import run_lengths
from dsg.datasets.kept import Kept

Skipped = dict[str, list[tuple[str, str]]]
ARRAYS = {
    "sizes": "int32",
    "starts": "int64",
    "boxes": "float32",
    "labels": "int32",
    "marks": "bool",
    "mask_starts": "int64",
    "mask_text": "uint8",
    "digests": "uint64",
}


@dataclass(frozen=True, eq=False)
class InstanceTable:
    """The images of a list or file, I of them with N objects in all."""

    classes: tuple[str, ...]  # names by number, the background first
    names: list[str]
    skipped: Skipped
    sizes: np.ndarray  # int32 [I, 2]: width, height
    starts: np.ndarray  # int64 [I + 1]: where the objects of each image begin
    boxes: np.ndarray  # float32 [N, 4]
    labels: np.ndarray  # int32 [N]: from 1
    marks: np.ndarray  # bool [N, 2]: difficult, crowd
    mask_starts: np.ndarray  # int64 [N + 1]: where the text of each mask begins; no text, no mask
    mask_text: np.ndarray  # uint8: run lengths in COCO's text
    digests: np.ndarray  # uint64 [I]: of the segmentations as they are in the file

    def kept(self) -> Kept:
        """As a cache holds it."""
        about = {"classes": self.classes, "names": self.names, "skipped": self.skipped}
        return Kept(about, {name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def of(cls, kept: Kept) -> InstanceTable:
        """The table in a cache.

        Raises:
            ValueError, TypeError, LookupError: it holds none.
        """
        about, arrays = kept
        if set(arrays) != set(ARRAYS):
            raise ValueError("other arrays")
        skipped = {
            str(reason): [(str(image), str(detail)) for image, detail in cases]
            for reason, cases in about["skipped"].items()
        }
        names = [str(name) for name in about["names"]]
        table = cls(tuple(map(str, about["classes"])), names, skipped, **arrays)
        if not _is_sound(table):
            raise ValueError("no table of images and objects")
        return table


def table_of(read: InstanceSet, library: bool, progress: Callable[[], None] = lambda: None) -> InstanceTable:
    """The table of what a reader has read. Polygons become run lengths.

    Args:
        read: its images are let go, one by one.
        library: whether pycocotools is installed, without which objects have no masks.
        progress: called after each image.
    """
    counts, masks, digests = [0], [0], []
    text = bytearray()
    names, sizes, arrays = [], [], []
    read.images.reverse()
    while read.images:
        image = read.images.pop()
        names.append(image.name)
        sizes.append((image.width, image.height))
        arrays.append((image.boxes, image.classes, np.stack([image.difficult, image.crowd], 1)))
        counts.append(len(image.boxes))
        digests.append(digest_of(image.segmentations))
        for segmentation in image.segmentations or [None] * len(image.boxes):
            if segmentation is not None and library:
                runs = run_lengths(segmentation, image.height, image.width, image.name)
                text += runs["counts"]
            masks.append(len(text))
        progress()
    boxes, labels, marks = zip(*arrays) if arrays else ([], [], [])
    return InstanceTable(
        *(read.classes, names, dict(read.skipped)),
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        starts=np.cumsum(counts, dtype=np.int64),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        labels=np.concatenate([np.zeros(0, np.int32), *labels]),
        marks=np.concatenate([np.zeros((0, 2), bool), *marks]),
        mask_starts=np.array(masks, np.int64),
        mask_text=np.frombuffer(bytes(text), np.uint8),
        digests=np.array(digests, np.uint64),
    )


def digest_of(segmentations: Sequence[Any]) -> int:
    """A number for the segmentations of an image as they are in the file; 0 for none."""
    if not any(mask is not None for mask in segmentations):
        return 0
    text = json.dumps(list(segmentations), default=_text).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def joined(tables: Sequence[InstanceTable]) -> InstanceTable:
    """The images of tables with the same classes, one after the other."""
    if len(tables) == 1:
        return tables[0]
    skipped: Skipped = {}
    for table in tables:
        for reason, cases in table.skipped.items():
            skipped.setdefault(reason, []).extend(cases)

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(table, name) for table in tables])

    def ends(name: str) -> np.ndarray:
        counts = [np.diff(getattr(table, name)) for table in tables]
        return np.concatenate([[0], np.cumsum(np.concatenate(counts))])

    names = [name for table in tables for name in table.names]
    arrays = {name: ends(name) if name.endswith("starts") else stacked(name) for name in ARRAYS}
    return InstanceTable(tables[0].classes, names, skipped, **arrays)


class Masks(Sequence[Any]):
    """The masks of an image's objects, run lengths in COCO's text; None of an object that has none."""

    def __init__(self, table: InstanceTable, image: int) -> None:
        self._table, self._image = table, image

    def __len__(self) -> int:
        first, end = self._table.starts[self._image : self._image + 2]
        return int(end - first)

    @overload
    def __getitem__(self, position: int) -> Any: ...
    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...
    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(len(self)))]
        table = self._table
        row = int(table.starts[self._image]) + range(len(self))[position]
        first, end = table.mask_starts[row : row + 2].tolist()
        if first == end:
            return None
        width, height = table.sizes[self._image].tolist()
        return {"size": [height, width], "counts": table.mask_text[first:end].tobytes()}

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))


class StoredInstances(Sequence[Instances]):
    """The records of some images of a table.

    Args:
        table: everything about the images.
        images: int [R], positions in the table, one for each record.
        flipped: bool [R], which of them are the mirror image.
        path: from an image's position in the table to its file.
    """

    def __init__(
        self, table: InstanceTable, images: np.ndarray, flipped: np.ndarray, path: Callable[[int], Path]
    ) -> None:
        self.table, self.images, self.flipped, self._path = table, images, flipped, path
        self._masked = len(table.mask_text) > 0

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, position: int) -> Instances: ...
    @overload
    def __getitem__(self, position: slice) -> list[Instances]: ...
    def __getitem__(self, position: int | slice) -> Instances | list[Instances]:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(len(self)))]
        index = range(len(self))[position]  # negative ones, too; IndexError beyond
        image, table = int(self.images[index]), self.table
        width, height = table.sizes[image].tolist()
        own = slice(*table.starts[image : image + 2].tolist())
        record = Instances(
            *(table.names[image], self._path(image), width, height),
            boxes=table.boxes[own].copy(),
            classes=table.labels[own].copy(),
            difficult=table.marks[own, 0],
            crowd=table.marks[own, 1],
            segmentations=Masks(table, image) if self._masked else (),
        )
        return mirrored_instances(record) if self.flipped[index] else record

    @property
    def object_counts(self) -> np.ndarray:
        """How many objects each record has, int64 [R]."""
        return np.diff(self.table.starts)[self.images]


def _is_sound(table: InstanceTable) -> bool:
    """Whether arrays that may come from anywhere are those of a table."""
    images, objects = len(table.names), len(table.boxes)
    shapes = {
        "sizes": (images, 2),
        "starts": (images + 1,),
        "boxes": (objects, 4),
        "labels": (objects,),
        "marks": (objects, 2),
        "mask_starts": (objects + 1,),
        "mask_text": (len(table.mask_text),),
        "digests": (images,),
    }
    if any(getattr(table, name).shape != shape for name, shape in shapes.items()):
        return False
    if any(getattr(table, name).dtype != np.dtype(kind) for name, kind in ARRAYS.items()):
        return False
    for starts, end in ((table.starts, objects), (table.mask_starts, len(table.mask_text))):
        if starts[0] != 0 or starts[-1] != end or (np.diff(starts) < 0).any():
            return False
    sizes = np.repeat(table.sizes, np.diff(table.starts), axis=0)
    inside = (
        (table.boxes[:, :2] >= 0) & (table.boxes[:, 2:] <= sizes) & (table.boxes[:, 2:] >= table.boxes[:, :2])
    )
    return bool(
        all(map(is_inside, table.names))
        and ((table.sizes > 0) & (table.sizes <= LONGEST_SIDE)).all()
        and ((table.labels > 0) & (table.labels < len(table.classes))).all()
        and inside.all()
    )


def _text(value: object) -> str:
    """Run lengths in bytes, which JSON does not know."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
