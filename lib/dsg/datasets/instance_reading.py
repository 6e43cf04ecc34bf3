"""From the lists of a data set for detection to tables, out of caches where there are some."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dsg.datasets.catalogue import ImageFolders
from dsg.datasets.formats.coco_instances import annotation_file, read_coco
from dsg.datasets.formats.instances import InstanceSet
from dsg.datasets.formats.voc import classes_of, read_classes, read_voc
from dsg.datasets.instance_layouts import COCO, VOC, Choice, List, Source, choose
from dsg.datasets.instance_table import InstanceTable, table_of
from dsg.datasets.kept import cache_of, states
from dsg.datasets.plausibility import BoxTally
from dsg.errors import UserError
from dsg.runtime.cocotools import has_cocotools
from dsg.runtime.progress import Progress

FORMAT = 2
"""To be raised with every change of what the arrays of a table mean, or of what is left out."""
BOX_ORDERS = {COCO: "[x, y, width, height]", VOC: "xmin, ymin, xmax, ymax"}
CLASS_FILE = "classes.txt"


def read_tables(source: Source, choice: Choice, cache: bool | str | os.PathLike[str]) -> list[InstanceTable]:
    """The images of each list.

    Raises:
        UserError: a file cannot be used, or two have different categories.
    """
    classes = _classes(source)
    tables = [
        _coco_table(part, cache) if classes is None else _voc_table(part, classes) for part in choice.lists
    ]
    for part, other in zip(choice.lists[1:], tables[1:]):
        if other.classes != tables[0].classes:
            raise UserError(
                f"{part.folder}: {part.name} and {choice.lists[0].name} have different categories; "
                "write the same list of categories into both files"
            )
    return tables


def image_paths(
    source: Source, choice: Choice, split: str, tables: list[InstanceTable]
) -> Callable[[int], Path]:
    """From an image's position in the joined tables to its file."""
    finders = [_finder(source, part, split) for part in choice.lists]
    owners = np.repeat(np.arange(len(tables)), [len(table.names) for table in tables])
    names = [name for table in tables for name in table.names]
    return lambda image: finders[owners[image]](names[image])


def _finder(source: Source, part: List, split: str) -> Callable[[str], Path]:
    first = (part.name, f"images/{part.name}")
    file_split = "test" if split == "test" else "train"
    if source.layout == COCO:
        return ImageFolders(part.folder, None, file_split, first).path
    return ImageFolders(part.folder, None, file_split, ("JPEGImages", *first)).path_of_stem


def _classes(source: Source) -> tuple[str, ...] | None:
    """Of a folder in VOC's layout: what it lists, or the names in the annotations to train on."""
    if source.classes is not None or source.layout == COCO:
        return source.classes
    path = source.folder / CLASS_FILE
    if path.is_file():
        return read_classes(path)
    (part,) = choose(source, "train").lists
    return classes_of(part.folder, part.name)


def _coco_table(part: List, cache: bool | str | os.PathLike[str]) -> InstanceTable:
    files = [annotation_file(part.folder, part.name)]
    before, library = states(files), has_cocotools()
    kept = cache_of(part.folder, files, [FORMAT, COCO, library], cache)
    table = kept.load(InstanceTable.of)
    if table is None:
        read = read_coco(part.folder, part.name)
        _check_boxes(part, read, BOX_ORDERS[COCO])
        with _shown(part, len(read.images) if kept.places else 0) as advance:
            table = table_of(read, library, advance)
        if states(files) == before:  # else the key may be that of other contents
            kept.save(*table.kept())
    return table


def _voc_table(part: List, classes: tuple[str, ...]) -> InstanceTable:
    read = read_voc(part.folder, part.name, classes)
    _check_boxes(part, read, BOX_ORDERS[VOC])
    return table_of(read, library=False)


@contextlib.contextmanager
def _shown(part: List, images: int) -> Iterator[Callable[[], None]]:
    """What is called after each image; shown only of large files."""
    if not images:
        yield lambda: None
        return
    with Progress(f"reading {part.name}", images) as progress:
        yield progress.advance


def _check_boxes(part: List, read: InstanceSet, order: str) -> None:
    """Refuses boxes that cannot be meant as they stand."""
    if not read.stated:
        return
    tally, stated = BoxTally(), np.array(read.stated, np.float64)
    tally.add(stated[:, :4], stated[:, 4:])
    fault = tally.fault(order)
    if fault:
        raise UserError(f"{part.folder}: {fault}")
