"""GQA's scene graphs: an object with an entry for each image, by its id, of `width`, `height` and `objects`.

An object, by its id, has a `name`, a box `x`, `y`, `w`, `h`, and `relations`, each a `name` and the id of
another `object`. The image's file is `<id>.jpg`; attributes and the place are left aside.
"""

from __future__ import annotations

import re
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
    corners_of_sides,
    needed_size,
    optional_list,
    read_object,
    sides_of_corners,
    text_of,
    write_json,
)
from dsg.errors import UserError
from dsg.runtime.ids import described, read_id
from dsg.runtime.picture_names import PlainNames

WORDS = {"train": "train", "val": "validation", "test": "test"}
"""What a file's name says of the split of its images."""


def recognised(content: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and {"width", "height", "objects"} <= set(first)


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a file; the split is that of its name (`train_sceneGraphs.json`), if it tells one.

    Raises:
        UserError: it is not of the format; the message says where.
    """
    result = Annotation([], (), ())
    word = re.match(r"(train|val|test)_", path.name)
    split = WORDS[word[1]] if word else None
    for key, entry in read_object(path, "an object with a scene graph for each image").items():
        place = f"{path}: image {key!r}"
        objects = entry.get("objects") if isinstance(entry, dict) else None
        if not isinstance(objects, dict):
            raise UserError(f"{place}: has no objects; it is not a file of GQA's scene graphs")
        things = [_thing(name, item, place) for name, item in objects.items()]
        known = {thing.key: position for position, thing in enumerate(things)}
        relations: list[Relation] = []
        for name, item in objects.items():
            for relation in optional_list(item, "relations", f"{place}, object {name!r}"):
                here = f"{place}, object {name!r}"
                triple = (name, text_of(relation, "name", here), read_id(relation, "object", here))
                relations += result.related(known, triple, here)
        size = needed_size(entry, place)
        image = AnnotatedImage(key, f"{key}.jpg", *size, tuple(things), tuple(relations), split)
        result.images.append(image)
    result.categories, result.predicates = names_of(result.images)
    return result


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation. Images are named by their files, without folder and ending.

    Raises:
        UserError: it cannot be written.
    """
    names = PlainNames()
    content = {}
    for number, image in enumerate(annotation.images):
        objects: dict[str, dict[str, Any]] = {}
        for position, thing in enumerate(image.things):
            x, y, w, h = sides_of_corners(thing.box)
            box = {"name": thing.name, "x": x, "y": y, "w": w, "h": h}
            objects[_id(number, position)] = {**box, "attributes": [], "relations": []}
        for one in image.relations:
            said = {"name": one.predicate, "object": _id(number, one.object)}
            objects[_id(number, one.subject)]["relations"].append(said)
        size = {"width": image.width, "height": image.height}
        content[names.of(image.file)] = {**size, "objects": objects}
    write_json(path, content)


def _id(image: int, position: int) -> str:
    """An id that no other image has."""
    return str(100_000 * (image + 1) + position)


def _thing(key: str, item: Any, place: str) -> Thing:
    here = f"{place}, object {key!r}"
    if not isinstance(item, dict):
        raise UserError(f"{here}: {described(item)}, not an object with name, x, y, w, h")
    box = corners_of_sides([item.get(side) for side in ("x", "y", "w", "h")])
    if box is None:
        raise UserError(f"{here}: no box of four numbers x, y, w, h")
    return Thing(key, text_of(item, "name", here), box)
