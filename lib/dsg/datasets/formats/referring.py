"""Reading the files of a data set: annotations, image sizes, vocabularies.

The format is that of the referring-relationships release: `annotations_<split>.json` maps an image's file
name to its list of relationships, `<split>_image_metadata.json` to its width and height, `objects.json` and
`predicates.json` list names. A box is [ymin, ymax, xmin, xmax] in pixels. What is not of this format is
refused with the place of the fault; what is of the format but is invalid (a box outside its image, a
category that does not exist) is left to `roidb`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dsg.datasets.formats.relationships import LIMIT
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.runtime.ids import described, whole_number
from dsg.runtime.json_stream import WrongKindError, object_members
from dsg.runtime.text import json_kind, read_json

Size = tuple[int, int]  # width and height
MISSING = "no such file; data/README.md lists the files of a data set"
FORMAT = (
    '{"image.jpg": [{"predicate": 0, "subject": {"category": 0, "bbox": [ymin, ymax, xmin, xmax]}, '
    '"object": {...}}]}'
)

ANNOTATIONS, METADATA = "annotations_{}.json", "{}_image_metadata.json"
SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
"""What people call a split in the names of its files; ours comes first."""
KEYS = 7
"""Of a relationship: its own three, and two each of subject and object."""


def annotation_file(folder: Path, split: str) -> Path:
    """The file with the relationships of a split: under the first of its words (`SPLIT_WORDS`) that one has;
    where none has, under its own."""
    return _first_there(folder, ANNOTATIONS, SPLIT_WORDS.get(split, (split,)))


def metadata_file(folder: Path, split: str) -> Path:
    """The file with the image sizes of a split, under the word of its annotations if it can be."""
    words = SPLIT_WORDS.get(split, (split,))
    used = annotation_file(folder, split).name
    return _first_there(folder, METADATA, sorted(words, key=lambda word: ANNOTATIONS.format(word) != used))


def unused_files(folder: Path, split: str) -> list[Path]:
    """Annotations of a split that are not read, because there are others under a better word."""
    files = [folder / ANNOTATIONS.format(word) for word in SPLIT_WORDS.get(split, ())]
    return [path for path in files if path.is_file() and path != annotation_file(folder, split)]


def _first_there(folder: Path, pattern: str, words: Sequence[str]) -> Path:
    paths = [folder / pattern.format(word) for word in words]
    return next((path for path in paths if path.is_file()), paths[0])


def iterate_annotations(folder: Path, split: str) -> Iterator[tuple[str, Any]]:
    """Image names and their relationships, in the order of the file, one image in memory at a time. What they
    are is for the caller to check.

    Raises:
        UserError: the file is missing, not JSON, not an object, or has an image twice.
    """
    path = annotation_file(folder, split)
    try:
        yield from object_members(path, _fewest_keys, _missing(split))
    except WrongKindError:
        kind = json_kind(read_json(path))
        raise UserError(f"{path}: holds a JSON {kind}, not an object of the form {FORMAT}") from None


def not_a_list(path: Path, name: str, value: Any) -> UserError:
    """An image that has something other than a list."""
    return UserError(
        f"{path}: image {name!r}: a JSON {json_kind(value)} where a list of relationships is expected: "
        f"{FORMAT}"
    )


def read_sizes(
    folder: Path, split: str, picture_size: Callable[[str], Size | None] = lambda name: None
) -> dict[str, Size | None]:
    """(width, height) by image name, in the order of the file; None if the two are not positive whole
    numbers (below a thousand million: what no picture reaches is a mistake).

    Args:
        picture_size: asked for images whose entry says nothing of width and height.

    Raises:
        UserError: the file is missing, not JSON, or not an object.
    """
    return {
        name: picture_size(name) if is_unstated(entry) else _size(entry)
        for name, entry in read_metadata(folder, split).items()
    }


def read_metadata(folder: Path, split: str) -> dict[str, Any]:
    """The entries of the metadata by image name, as they stand there.

    Raises:
        UserError: the file is missing, not JSON, or not an object.
    """
    path = metadata_file(folder, split)
    content = read_json(path, _missing(split))
    if not isinstance(content, dict):
        expected = '{"image.jpg": {"width": 640, "height": 480}}'
        raise UserError(f"{path}: holds a JSON {json_kind(content)}, not an object of the form {expected}")
    return content


def size_text(entry: Any) -> str:
    """What an image's entry in the metadata says that is no valid size, for messages."""
    if is_unstated(entry):
        return "not in the metadata, and no image to read it from"
    if not isinstance(entry, dict):
        return f"a JSON {json_kind(entry)}"
    return f"width {described(entry.get('width'))}, height {described(entry.get('height'))}"


def is_unstated(entry: Any) -> bool:
    """Whether an image's entry in the metadata says nothing of its size."""
    return entry is None or (isinstance(entry, dict) and entry.get("width") is entry.get("height") is None)


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
    repeated = sorted(name for name, number in Counter(content).items() if number > 1)
    if repeated:
        raise UserError(f"{path}: {repeated[0]!r} is listed twice; each index needs a name of its own")
    return tuple(content)


def _size(entry: Any) -> Size | None:
    if not isinstance(entry, dict):
        return None
    width, height = whole_number(entry.get("width")), whole_number(entry.get("height"))
    if width is None or height is None or not (0 < width < LIMIT and 0 < height < LIMIT):
        return None
    return width, height


def _missing(split: str) -> str:
    """What is said where a file of a split is absent."""
    return f"{MISSING}; --no-test trains without testing" if split == "test" else MISSING


def _fewest_keys(relationships: Any) -> int:
    """How many keys the relationships of an image have at least: one with fewer is not of the format."""
    return KEYS * len(relationships) if isinstance(relationships, list) else -1
