"""Reading the files of a data set: annotations, image sizes, vocabularies.

The format is that of the referring-relationships release: `annotations_<split>.json` maps an image's file
name to its list of relationships, `<split>_image_metadata.json` to its width and height, `objects.json` and
`predicates.json` list names. A box is [ymin, ymax, xmin, xmax] in pixels. What is not of this format is
refused with the place of the fault; what is of the format but makes no sense (a box outside its image, a
category that does not exist) is left to `roidb`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dsg.datasets.formats.relationships import LIMIT, is_whole
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.runtime.json_stream import WrongKindError, object_members
from dsg.runtime.text import json_kind, read_json

MISSING = "no such file; data/README.md says which files a data set needs"
FORMAT = (
    '{"image.jpg": [{"predicate": 0, "subject": {"category": 0, "bbox": [ymin, ymax, xmin, xmax]}, '
    '"object": {...}}]}'
)

KEYS = 7
"""Of a relationship: its own three, and two each of subject and object."""


def annotation_file(folder: Path, split: str) -> Path:
    """The file with the relationships of a split."""
    return folder / f"annotations_{split}.json"


def metadata_file(folder: Path, split: str) -> Path:
    """The file with the image sizes of a split."""
    return folder / f"{split}_image_metadata.json"


def iterate_annotations(folder: Path, split: str) -> Iterator[tuple[str, Any]]:
    """Image names and their relationships, in the order of the file, one image in memory at a time. What they
    are is for the caller to check.

    Raises:
        UserError: the file is missing, not JSON, not an object, or has an image twice.
    """
    path = annotation_file(folder, split)
    try:
        yield from object_members(path, _fewest_keys, MISSING)
    except WrongKindError:
        kind = json_kind(read_json(path, MISSING))
        raise UserError(f"{path}: holds a JSON {kind}, not an object of the form {FORMAT}") from None


def not_a_list(path: Path, name: str, value: Any) -> UserError:
    """An image that has something else than a list."""
    return UserError(
        f"{path}: image {name!r}: a JSON {json_kind(value)} where a list of relationships is expected: "
        f"{FORMAT}"
    )


def read_sizes(folder: Path, split: str) -> dict[str, tuple[int, int] | None]:
    """(width, height) by image name, in the order of the file; None where the two are not positive whole
    numbers (below a thousand million: what no picture reaches is a mistake).

    Raises:
        UserError: the file is missing, not JSON, or not an object.
    """
    path = metadata_file(folder, split)
    content = read_json(path, MISSING)
    if not isinstance(content, dict):
        expected = '{"image.jpg": {"width": 640, "height": 480}}'
        raise UserError(f"{path}: holds a JSON {json_kind(content)}, not an object of the form {expected}")
    return {name: _size(entry) for name, entry in content.items()}


def read_vocabulary(folder: Path) -> Vocabulary:
    """The names of categories and predicates.

    Raises:
        UserError: a file is missing, not JSON, not a list of different names, or empty.
    """
    return Vocabulary(read_names(folder / "objects.json"), read_names(folder / "predicates.json"))


def read_names(path: Path) -> tuple[str, ...]:
    """The names of one vocabulary, `objects.json` or `predicates.json`.

    Raises:
        UserError: the file is missing, not JSON, not a list of different names, or empty.
    """
    content = read_json(path, MISSING)
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise UserError(f'{path}: not a JSON list of names such as ["person", "bus"]')
    if not content:
        raise UserError(
            f"{path}: an empty list; it must name every category or predicate, in the order of the indices"
        )
    repeated = (
        sorted({name for name in content if content.count(name) > 1})
        if len(set(content)) < len(content)
        else []
    )
    if repeated:
        raise UserError(f"{path}: {repeated[0]!r} is listed twice; each index needs a name of its own")
    return tuple(content)


def _size(entry: Any) -> tuple[int, int] | None:
    if not isinstance(entry, dict):
        return None
    width: Any = entry.get("width")
    height: Any = entry.get("height")
    if not (is_whole(width) and is_whole(height) and 0 < width < LIMIT and 0 < height < LIMIT):
        return None
    return width, height


def _fewest_keys(relationships: Any) -> int:
    """How many keys the relationships of an image have at least: one with fewer is not of the format."""
    return KEYS * len(relationships) if isinstance(relationships, list) else -1
