"""PSG's JSON: `data` with an entry for each image, `thing_classes`, `stuff_classes`, `predicate_classes` and
`test_image_ids`.

A `bbox` is [x1, y1, x2, y2] (`bbox_mode` 0; 1 is [x, y, width, height]); `category_id` counts from 0 through
things, then stuff; `relations` are [subject, object, predicate], positions in `annotations` and a number from
0. Masks are left aside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Thing
from dsg.datasets.formats.exchange.entries import (
    corners_of_sides,
    four_numbers,
    list_of,
    name_list,
    needed_size,
    numbered,
    optional_list,
    positions,
    read_object,
    text_of,
    write_json,
)
from dsg.errors import UserError
from dsg.runtime.ids import described, read_id, whole_number

KIND = "a PSG file"
MODES = {0: four_numbers, 1: corners_of_sides}
"""How a box is read, by its `bbox_mode`."""


def recognised(content: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    return isinstance(content, dict) and {"data", "predicate_classes"} <= set(content)


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a file.

    Raises:
        UserError: it is not of the format; the message says where.
    """
    content = read_object(path, "an object with data and predicate_classes")
    stuff = name_list(content, "stuff_classes", path, KIND) if "stuff_classes" in content else ()
    categories = (*name_list(content, "thing_classes", path, KIND), *stuff)
    result = Annotation([], categories, name_list(content, "predicate_classes", path, KIND))
    tested = content.get("test_image_ids")
    test = {read_id({"id": one}, "id", str(path)) for one in tested} if isinstance(tested, list) else None
    for number, entry in enumerate(list_of(content, "data", path, KIND)):
        place = f"{path}: data, entry {number}"
        key, file = read_id(entry, "image_id", place), text_of(entry, "file_name", place)
        things = _things(entry, place, result)
        known = {thing.key: position for position, thing in enumerate(things)}
        relations = []
        for relation in optional_list(entry, "relations", place):
            if not isinstance(relation, list) or len(relation) != 3:
                raise UserError(
                    f"{place}: a relation is {described(relation)}, not [subject, object, predicate]"
                )
            predicate = numbered(relation[2], result.predicates, "predicate", place)
            subject, other = (str(whole_number(value)) for value in relation[:2])
            relations += result.related(known, (subject, predicate, other), place)
        split = None if test is None else "test" if key in test else "train"
        size = needed_size(entry, place)
        result.images.append(AnnotatedImage(key, file, *size, tuple(things), tuple(relations), split))
    return result


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation, all categories as things; validation images are for training.

    Raises:
        UserError: it cannot be written.
    """
    categories, predicates = positions(annotation.categories), positions(annotation.predicates)
    data = [
        {
            "image_id": image.key,
            "file_name": image.file,
            "width": image.width,
            "height": image.height,
            "annotations": [
                {"bbox": list(thing.box), "bbox_mode": 0, "category_id": categories[thing.name]}
                for thing in image.things
            ],
            "segments_info": [],
            "relations": [[r.subject, r.object, predicates[r.predicate]] for r in image.relations],
        }
        for image in annotation.images
    ]
    content: dict[str, Any] = {
        "data": data,
        "thing_classes": list(annotation.categories),
        "stuff_classes": [],
        "predicate_classes": list(annotation.predicates),
    }
    if any(image.split is not None for image in annotation.images):
        content["test_image_ids"] = [image.key for image in annotation.images if image.split == "test"]
    write_json(path, content)


def _things(entry: dict[str, Any], place: str, result: Annotation) -> list[Thing]:
    things = []
    for position, item in enumerate(optional_list(entry, "annotations", place)):
        here = f"{place}, annotation {position}"
        if not isinstance(item, dict):
            raise UserError(f"{here}: {described(item)}, not an object with bbox and category_id")
        mode = MODES.get(item.get("bbox_mode", 0))
        box = mode(item.get("bbox")) if mode is not None else None
        if box is None:
            raise UserError(f"{here}: the bbox is {described(item.get('bbox'))}, not [x1, y1, x2, y2]")
        name = numbered(item.get("category_id"), result.categories, "category_id", here)
        things.append(Thing(str(position), name, box))
    return things
