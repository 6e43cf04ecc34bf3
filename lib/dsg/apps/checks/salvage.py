"""What of a data set can still be read where the loader stops: image by image, relationship by relationship.

The loader refuses a file for one fault in it. A report of all faults looks at the rest, too: at its images,
and at its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets import Dataset, Vocabulary
from dsg.datasets.catalogue import Entry, ImageFolders, leads_out
from dsg.datasets.formats.referring import annotation_file, iterate_annotations, read_sizes
from dsg.datasets.formats.relationships import format_fault
from dsg.datasets.records import ImageRecord
from dsg.datasets.splits import rr_split
from dsg.datasets.table.build import Table, build_table
from dsg.datasets.table.stored import StoredRecords
from dsg.errors import UserError

MOST_NAMES = 10_000  # numbers beyond are mistakes, not names of a vocabulary that cannot be read

Size = tuple[int, int]


@dataclass(frozen=True)
class Picture:
    """An image that is to be read."""

    name: str
    path: Path
    size: Size | None  # width and height; None if the metadata cannot be read


@dataclass(frozen=True, eq=False)
class Salvaged:
    """What is left of a split."""

    dataset: Dataset  # its records are those of sound relationships; maybe none
    pictures: list[Picture]
    bad: int  # relationships of the format that are invalid
    relationships: int  # of the format
    whole: bool  # both of its files can be read to their end


def pictures_of(dataset: Dataset) -> list[Picture]:
    """The images of a split that was loaded."""
    return [
        Picture(record.name, record.path, (record.width, record.height))
        for record in dataset.records
        if not record.flipped
    ]


def file_split(folder: Path, split: str) -> str:
    """The split whose files hold a split: validation is cut from train if it has no file."""
    return split if split != "validation" or annotation_file(folder, split).is_file() else "train"


def readable_annotations(folder: Path, split: str) -> tuple[dict[str, Any], UserError | None]:
    """What stands in the annotations before the place where they cannot be read on, by image name, and why
    they cannot; None if they can."""
    found: dict[str, Any] = {}
    try:
        for name, relationships in iterate_annotations(folder, split):
            found[name] = relationships
    except UserError as error:
        return found, error
    return found, None


def numbered_vocabulary(folder: Path, splits: Sequence[str]) -> Vocabulary:
    """A vocabulary whose names are numbers, as many as the annotations use."""
    categories = predicates = 0
    for split in splits:
        for relationship in _sound(readable_annotations(folder, split)[0]):
            used = (relationship["subject"]["category"], relationship["object"]["category"])
            categories = max(categories, *(number + 1 for number in used if number < MOST_NAMES), 0)
            if relationship["predicate"] < MOST_NAMES:
                predicates = max(predicates, relationship["predicate"] + 1)
    return Vocabulary(
        tuple(f"category {number}" for number in range(categories)),
        tuple(f"predicate {number}" for number in range(predicates)),
    )


def salvage(label: str, folder: Path, entry: Entry | None, split: str, vocabulary: Vocabulary) -> Salvaged:
    """Everything of a split that can be read and is of the format.

    Args:
        vocabulary: may have another number of names than the data set of that name should have.
    """
    files = file_split(folder, split)
    annotated, fault = readable_annotations(folder, files)
    sizes = _readable_sizes(folder, files)
    names = _names(annotated, sizes, whole=fault is None)
    if files == "train":
        own = annotation_file(folder, "validation").is_file()
        names = names if own else rr_split(names)[split == "validation"]
    names = [name for name in names if not leads_out(name)]
    path = ImageFolders(folder, entry, files).path
    # Without relationships an image is not used, and without a valid size neither.
    pictures = [
        Picture(name, path(name), None if sizes is None else sizes[name])
        for name in names
        if annotated.get(name) != [] and (sizes is None or sizes[name] is not None)
    ]
    rows = {name: _of_the_format(annotated.get(name)) for name in names}
    table = build_table(rows.items(), {name: (sizes or {}).get(name) for name in names}, vocabulary)
    records = _records(table, path)
    bad = sum(map(len, table.reports.values()))
    valid = (table.sizes > 0).all(axis=1)
    return Salvaged(
        Dataset(label, split, folder, vocabulary, records),
        pictures,
        bad,
        int(table.relationships[valid].sum()),
        fault is None and sizes is not None,
    )


def _names(annotated: Mapping[str, Any], sizes: Mapping[str, Size | None] | None, whole: bool) -> list[str]:
    """The images of a split, as far as its files tell; the loader's where both files can be read."""
    if sizes is None:
        return list(annotated)
    return [name for name in sizes if name in annotated or not whole]


def _readable_sizes(folder: Path, split: str) -> dict[str, Size | None] | None:
    try:
        return read_sizes(folder, split)
    except UserError:
        return None


def _of_the_format(found: Any) -> list[Any]:
    if not isinstance(found, list):
        return []
    return [relationship for relationship in found if format_fault(relationship) is None]


def _sound(annotated: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for found in annotated.values():
        yield from _of_the_format(found)


def _records(table: Table, path: Callable[[str], Path]) -> Sequence[ImageRecord]:
    """Records of the images that ask something. Which of several predicates of a pair is drawn does not show
    in any number of a report: it is the first."""
    images = np.flatnonzero(table.queries[:, 0] > 0)
    draws = table.draws.astype(np.int64)
    first = np.cumsum(draws) - draws
    return StoredRecords(table, images, np.zeros(len(images), bool), np.zeros(int(draws.sum())), first, path)
