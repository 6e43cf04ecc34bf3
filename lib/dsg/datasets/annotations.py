"""Reading the files of a data set: annotations, image sizes, vocabularies.

The format is that of the referring-relationships release: `annotations_<split>.json` maps an image's file
name to its list of relationships, `<split>_image_metadata.json` to its width and height, `objects.json` and
`predicates.json` list names. A box is [ymin, ymax, xmin, xmax] in pixels. What is not of this format is
refused with the place of the fault; what is of the format but makes no sense (a box outside its image, a
category that does not exist) is left to `roidb`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dsg.datasets.records import Vocabulary
from dsg.datasets.validation import is_whole, json_kind
from dsg.errors import UserError

FORMAT = (
    '{"image.jpg": [{"predicate": 0, "subject": {"category": 0, "bbox": [ymin, ymax, xmin, xmax]}, '
    '"object": {...}}]}'
)


def annotation_file(folder: Path, split: str) -> Path:
    """The file with the relationships of a split."""
    return folder / f"annotations_{split}.json"


def metadata_file(folder: Path, split: str) -> Path:
    """The file with the image sizes of a split."""
    return folder / f"{split}_image_metadata.json"


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        UserError: it is missing, unreadable, truncated or not JSON; the message names file, line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; data/README.md says which files a data set needs") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not text in UTF-8 (byte {error.start}); fetch or write the file again"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = (
            "cut off"
            if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
            else "damaged"
        )
        where = f"line {error.lineno}, column {error.colno}"
        raise UserError(
            f"{path}: {where}: not valid JSON ({error.msg}); the file is {cut}, fetch it again"
        ) from None
    except (RecursionError, ValueError):  # lists within lists within lists; numbers of thousands of digits
        raise UserError(f"{path}: JSON, but no data set looks like this; fetch it again") from None


def read_annotations(folder: Path, split: str) -> dict[str, list[Any]]:
    """Relationships by image name, in the order of the file; the relationships themselves are checked by
    `roidb`.

    Raises:
        UserError: the file is missing, not JSON, or not an object of lists.
    """
    path = annotation_file(folder, split)
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a JSON {json_kind(content)}, not an object of the form {FORMAT}")
    for name, relationships in content.items():
        if not isinstance(relationships, list):
            raise UserError(
                f"{path}: image {name!r}: a JSON {json_kind(relationships)} where a list of relationships is "
                f"expected: {FORMAT}"
            )
    return content


def read_sizes(folder: Path, split: str) -> dict[str, tuple[int, int] | None]:
    """(width, height) by image name, in the order of the file; None where the two are not positive whole
    numbers.

    Raises:
        UserError: the file is missing, not JSON, or not an object.
    """
    path = metadata_file(folder, split)
    content = read_json(path)
    if not isinstance(content, dict):
        expected = '{"image.jpg": {"width": 640, "height": 480}}'
        raise UserError(f"{path}: holds a JSON {json_kind(content)}, not an object of the form {expected}")
    return {name: _size(entry) for name, entry in content.items()}


def read_vocabulary(folder: Path) -> Vocabulary:
    """The names of categories and predicates.

    Raises:
        UserError: a file is missing, not JSON, not a list of different names, or empty.
    """
    return Vocabulary(_names(folder / "objects.json"), _names(folder / "predicates.json"))


def _names(path: Path) -> tuple[str, ...]:
    content = read_json(path)
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
    if not (is_whole(width) and is_whole(height) and width > 0 and height > 0):
        return None
    return width, height
