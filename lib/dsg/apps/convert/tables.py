"""Tables of relations: CSV as programs and countries write it, with commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from dsg.errors import UserError

SEPARATORS = ",;\t|"
COLUMNS = ("subject", "predicate", "object")
SEPARATOR_LINE = "sep="  # what spreadsheet programs begin a table with
SHOWN = 60  # characters of a line


def read_relations(text: str, path: Path) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate and object of each line, as texts.

    Args:
        text: of the table; its first line names the columns subject, predicate and object, in any order and
            among others; `subject_id` and `object_id` are the same.
        path: for messages.

    Raises:
        UserError: the columns are not there, or a line lacks one of them.
    """
    stream = io.StringIO(text)
    skipped, head = 0, ""
    while not head and (line := stream.readline()):
        skipped += 1
        head = "" if line.strip().lower().startswith(SEPARATOR_LINE) else line.strip()
    names = next((found for found in (_columns(head, sign) for sign in SEPARATORS) if found), None)
    if names is None:
        shown = repr(head[:SHOWN]) if head else "an empty file"
        raise UserError(f"{path}: line {skipped}: the columns {', '.join(COLUMNS)} are expected, not {shown}")
    separator, places = names
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            cells = [row[place].strip() if place < len(row) else "" for place in places]
            if not all(cells):
                raise UserError(
                    f"{path}: line {skipped + reader.line_num}: subject, predicate or object is missing"
                )
            yield cells[0], cells[1], cells[2]
    except csv.Error as error:
        raise UserError(
            f"{path}: line {skipped + reader.line_num}: {error}; is a quote not closed?"
        ) from error


def _columns(head: str, separator: str) -> tuple[str, list[int]] | None:
    """The separator and the places of the columns, if the first line is one of names separated so."""
    try:
        cells = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # longer than any name
        return None
    names = [cell.strip().lower().removesuffix("_id") for cell in cells]
    return (separator, [names.index(name) for name in COLUMNS]) if set(COLUMNS) <= set(names) else None
