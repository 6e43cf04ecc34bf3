"""The scene graphs that `dsg graph` writes (docs/scene-graph.schema.json): a file, or a folder with one for
each image. Names of images are the files' `image`; where there is none, that of the file with `.jpg`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import (
    AnnotatedImage,
    Annotation,
    Relation,
    Thing,
    names_of,
)
from dsg.datasets.formats.exchange.entries import (
    four_numbers,
    list_of,
    read_object,
    score_of,
    stated_size,
    text_of,
)
from dsg.datasets.formats.exchange.sizes import measured
from dsg.errors import UserError
from dsg.runtime.ids import read_id, twice
from dsg.runtime.text import read_json

KIND = "a scene graph of `dsg graph`"
VERSIONS = (1,)


def recognised(content: Any) -> bool:
    """Whether the content of a JSON file, or a folder's first JSON file, is of this format."""
    if isinstance(content, Path):
        first = next(iter(sorted(content.glob("*.json"))), None)
        content = read_json(first) if first is not None else None
    return isinstance(content, dict) and {"nodes", "edges"} <= set(content)


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a file, or of all JSON files of a folder, by name; with scores.

    Args:
        pictures: the folder of the images, for sizes that a file lacks.

    Raises:
        UserError: a file is not of the format; the message says where.
    """
    result = Annotation([], (), ())
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        content = read_object(file, KIND)
        if not recognised(content):
            result.skip("file that is no scene graph", file.name)
            continue
        result.images.append(_image(content, file, pictures, result))
    result.categories, result.predicates = names_of(result.images)
    return result


def _image(content: dict[str, Any], file: Path, pictures: Path | None, result: Annotation) -> AnnotatedImage:
    version = content.get("version", 1)
    if version not in VERSIONS:
        raise UserError(
            f"{file}: is of version {version!r}; versions {', '.join(map(str, VERSIONS))} are read"
        )
    name = text_of(content, "image", str(file)) if "image" in content else f"{file.stem}.jpg"
    things: list[Thing] = []
    known: dict[str, int] = {}
    for number, node in enumerate(list_of(content, "nodes", file, KIND)):
        place = f"{file}: nodes, entry {number}"
        key, label = read_id(node, "id", place), text_of(node, "label", place)
        box = four_numbers(node.get("box"))
        if box is None:
            raise UserError(f"{place}: the box is {node.get('box')!r}, not [x1, y1, x2, y2]")
        if key in known:
            raise twice(f"{file}: nodes", key, repr(things[known[key]].name), repr(label))
        known[key] = len(things)
        things.append(Thing(key, label, box, score_of(node)))
    relations: list[Relation] = []
    for number, edge in enumerate(list_of(content, "edges", file, KIND)):
        place = f"{file}: edges, entry {number}"
        triple = (
            read_id(edge, "subject", place),
            text_of(edge, "predicate", place),
            read_id(edge, "object", place),
        )
        relations += result.related(known, triple, place, score_of(edge))
    width, height = stated_size(content, str(file)) or measured(pictures, name, str(file))
    key = name.rpartition(".")[0] or name
    return AnnotatedImage(key, name, width, height, tuple(things), tuple(relations))
