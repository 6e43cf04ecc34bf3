"""Open Images' relationships: a CSV table with a row for each; columns are ImageID, LabelName1, LabelName2,
XMin1, XMax1, YMin1, YMax1, XMin2, XMax2, YMin2, YMax2, RelationshipLabel.

Corners are shares of the image's sides, which the table does not tell: they are read from `<ImageID>.jpg`.
Labels are codes; a table of code and name beside it (`*class-descriptions*.csv`) gives names. Rows whose
predicate is `is` tell an attribute and are counted. There are no ids: a label with a box is a thing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import (
    AnnotatedImage,
    Annotation,
    Relation,
    Thing,
    names_of,
)
from dsg.datasets.formats.exchange.sizes import measured
from dsg.errors import UserError
from dsg.runtime.files import write_text
from dsg.runtime.picture_names import PlainNames
from dsg.runtime.text import read_text

SIDES = ("XMin", "XMax", "YMin", "YMax")
BOXES = tuple(f"{side}{number}" for number in (1, 2) for side in SIDES)
PREDICATES = ("RelationshipLabel", "RelationLabel")  # of the newer releases, and the older ones
COLUMNS = ("ImageID", "LabelName1", "LabelName2", *BOXES, PREDICATES[0])
ATTRIBUTE = "is"
DIGITS = 8  # after the point


def recognised(header: str) -> bool:
    """Whether the first line of a table is of this format."""
    names = {name.strip() for name in header.split(",")}
    return {*COLUMNS[:-1]} <= names and bool(names & {*PREDICATES})


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a table.

    Args:
        pictures: the folder of the images.

    Raises:
        UserError: it is not of the format, or an image's size cannot be read; the message says where.
    """
    result = Annotation([], (), ())
    names = _descriptions(path)
    found: dict[str, tuple[list[Thing], list[Relation]]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for place, row in _rows(path):
        key = row["ImageID"]
        if row["predicate"] == ATTRIBUTE:
            result.skip("attribute", place)
            continue
        if key not in sizes:
            sizes[key] = measured(pictures, f"{key}.jpg", f"{place}: image {key!r}")
        things, relations = found.setdefault(key, ([], []))
        ends = []
        for number in (1, 2):
            label = row[f"LabelName{number}"]
            thing = _thing(names.get(label, label), row, number, sizes[key], place)
            same = [k for k, one in enumerate(things) if (one.name, one.box) == (thing.name, thing.box)]
            if not same:
                things.append(Thing(str(len(things)), thing.name, thing.box))
            ends.append(same[0] if same else len(things) - 1)
        relations.append(Relation(ends[0], row["predicate"], ends[1]))
    result.images = [
        AnnotatedImage(key, f"{key}.jpg", *sizes[key], tuple(things), tuple(relations))
        for key, (things, relations) in found.items()
    ]
    result.categories, result.predicates = names_of(result.images)
    return result


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation, names as they are. Images are named by their files, without folder and ending.

    Raises:
        UserError: it cannot be written.
    """
    table, names = io.StringIO(), PlainNames()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for image in annotation.images:
        key = names.of(image.file)
        for one in image.relations:
            ends = image.things[one.subject], image.things[one.object]
            shares = [share for thing in ends for share in _shares(thing, image)]
            rows.writerow([key, *(thing.name for thing in ends), *shares, one.predicate])
    write_text(path, table.getvalue())


def _shares(thing: Thing, image: AnnotatedImage) -> list[float]:
    x1, y1, x2, y2 = thing.box
    sides = image.width, image.width, image.height, image.height
    return [round(value / side, DIGITS) for value, side in zip((x1, x2, y1, y2), sides)]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its place; `predicate` under either name of its column."""
    reader = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in COLUMNS[:-1] if name not in columns]
    predicate = next((name for name in PREDICATES if name in columns), None)
    if missing or predicate is None:
        raise UserError(f"{path}: has no column {(missing or PREDICATES)[0]}")
    reader.fieldnames = columns
    for row in reader:
        place = f"{path}: line {reader.line_num}"
        if any(row[name] in (None, "") for name in (*COLUMNS[:-1], predicate)):
            raise UserError(f"{place}: a cell is empty; each row has {len(columns)} columns")
        yield place, {**row, "predicate": row[predicate]}


def _thing(name: str, row: dict[str, Any], number: int, size: tuple[int, int], place: str) -> Thing:
    try:
        shares = [float(row[f"{side}{number}"]) for side in SIDES]
    except ValueError as error:
        raise UserError(f"{place}: {error}") from None
    if not all(0 <= share <= 1 for share in shares):
        raise UserError(f"{place}: a box is {shares}; corners are shares of the image's sides, 0 to 1")
    x1, x2, y1, y2 = shares
    # The digits of the table are those of the shares: beyond, pixels are not told.
    x1, x2, y1, y2 = (round(v * s, 4) for v, s in zip((x1, x2, y1, y2), (size[0], size[0], size[1], size[1])))
    return Thing("", name, (x1, y1, x2, y2))


def _descriptions(path: Path) -> dict[str, str]:
    """Names by code, of the tables beside one."""
    names: dict[str, str] = {}
    for table in sorted(path.parent.glob("*class-descriptions*.csv")):
        for row in csv.reader(io.StringIO(read_text(table))):
            if len(row) == 2:
                names.setdefault(row[0], row[1])
    return names
