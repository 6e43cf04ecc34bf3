"""COCO's boxes with relations beside them: `rel_categories` (id, name), and `rel_annotations` (id, image_id,
subject_id, predicate_id, object_id), where subject and object are ids of annotations.

`bbox` is [x, y, width, height]; crowds are left out. Written ids count from 1. An image's `split`, which COCO
has not, is written where it is known, and read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Relation, Thing
from dsg.datasets.formats.exchange.entries import (
    corners_of_sides,
    list_of,
    names_by_id,
    positions,
    read_object,
    score_of,
    sides_of_corners,
    text_of,
    write_json,
)
from dsg.datasets.formats.exchange.entries import stated_size as size_of
from dsg.datasets.formats.exchange.outlines import outline_box
from dsg.datasets.formats.exchange.sizes import measured
from dsg.errors import UserError
from dsg.runtime.ids import read_id

SPLITS = ("train", "validation", "test")


def recognised(content: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    return isinstance(content, dict) and {"images", "annotations", "rel_annotations"} <= set(content)


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a file.

    Args:
        pictures: the folder of the images, for sizes that the file lacks.

    Raises:
        UserError: it is not of the format; the message says where.
    """
    content = read_object(path, "an object with images and annotations")
    predicates = names_by_id(list_of(content, "rel_categories", path), "rel_categories", path)
    entries = list_of(content, "rel_annotations", path)
    result, places = _boxes(content, path, pictures)
    relations = _relations(entries, path, predicates, places, result)
    result.predicates = tuple(predicates.values())
    result.images = [replace(image, relations=tuple(relations.get(image.key, ()))) for image in result.images]
    return result


def boxes_of(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a file without its relations.

    Raises:
        UserError: as of `read`.
    """
    content = read_object(path, "an object with images and annotations")
    return _boxes(content, path, pictures)[0]


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation.

    Raises:
        UserError: it cannot be written.
    """
    write_json(path, coco_content(annotation))


def coco_content(annotation: Annotation) -> dict[str, Any]:
    """The content of a file."""
    categories, predicates = positions(annotation.categories, 1), positions(annotation.predicates, 1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    relations: list[dict[str, Any]] = []
    for number, image in enumerate(annotation.images, 1):
        entry = {"id": number, "file_name": image.file, "width": image.width, "height": image.height}
        images.append(entry if image.split is None else {**entry, "split": image.split})
        first = len(annotations) + 1
        for thing in image.things:
            sides = sides_of_corners(thing.box)
            box = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": categories[thing.name],
                "bbox": sides,
                "area": sides[2] * sides[3],
                "iscrowd": 0,
            }
            annotations.append(box if thing.score is None else {**box, "score": thing.score})
        for one in image.relations:
            relation = {
                "id": len(relations) + 1,
                "image_id": number,
                "subject_id": first + one.subject,
                "predicate_id": predicates[one.predicate],
                "object_id": first + one.object,
            }
            relations.append(relation if one.score is None else {**relation, "score": one.score})
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "rel_categories": [{"id": number, "name": name} for name, number in predicates.items()],
        "rel_annotations": relations,
    }


def _boxes(
    content: dict[str, Any], path: Path, pictures: Path | None
) -> tuple[Annotation, dict[str, tuple[str, int]]]:
    """Images with their things; and of each annotation's id the image and the position there."""
    names = names_by_id(list_of(content, "categories", path), "categories", path)
    result = Annotation([], tuple(names.values()), ())
    images = _images(content, path, pictures)
    things: dict[str, list[Thing]] = {key: [] for key in images}
    places: dict[str, tuple[str, int]] = {}
    for key, image, thing in _things(content, path, names, result):
        if image not in things:
            result.skip("box of an unknown image", key)
            continue
        places[key] = image, len(things[image])
        things[image].append(thing)
    result.images = [
        AnnotatedImage(key, file, width, height, tuple(things[key]), (), split)
        for key, (file, width, height, split) in images.items()
    ]
    return result, places


def _images(
    content: dict[str, Any], path: Path, pictures: Path | None
) -> dict[str, tuple[str, int, int, str | None]]:
    images: dict[str, tuple[str, int, int, str | None]] = {}
    for number, entry in enumerate(list_of(content, "images", path)):
        place = f"{path}: images, entry {number}"
        key, file = read_id(entry, "id", place), text_of(entry, "file_name", place)
        if key in images:
            raise UserError(f"{place}: the id {key} appears twice; ids must be unique")
        width, height = size_of(entry, place) or measured(pictures, file, place)
        images[key] = file, width, height, entry["split"] if entry.get("split") in SPLITS else None
    return images


def _things(
    content: dict[str, Any], path: Path, names: dict[str, str], result: Annotation
) -> list[tuple[str, str, Thing]]:
    """Id, image and thing of each annotation."""
    things, seen = [], set()
    for number, entry in enumerate(list_of(content, "annotations", path)):
        place = f"{path}: annotations, entry {number}"
        key, image, category = (read_id(entry, name, place) for name in ("id", "image_id", "category_id"))
        if category not in names:
            raise UserError(f"{place}: category {category} is not among the categories")
        if key in seen:
            raise UserError(f"{place}: the id {key} appears twice; relations need unique ids")
        seen.add(key)
        given = entry.get("bbox")
        box = corners_of_sides(given) if given else outline_box(entry.get("segmentation"))
        if box is None:
            raise UserError(f"{place}: the bbox is {given!r}, not [x, y, width, height]")
        if entry.get("iscrowd"):
            result.skip("crowd", key)
        else:
            things.append((key, image, Thing(key, names[category], box, score_of(entry))))
    return things


def _relations(
    entries: list[Any],
    path: Path,
    predicates: dict[str, str],
    places: dict[str, tuple[str, int]],
    result: Annotation,
) -> dict[str, list[Relation]]:
    """By image."""
    relations: dict[str, list[Relation]] = {}
    for number, entry in enumerate(entries):
        place = f"{path}: rel_annotations, entry {number}"
        keys = ("subject_id", "predicate_id", "object_id")
        subject, predicate, other = (read_id(entry, key, place) for key in keys)
        if predicate not in predicates:
            raise UserError(f"{place}: predicate {predicate} is not among rel_categories")
        image = places.get(subject, ("", 0))[0]
        if other in places and image and places[other][0] != image:
            result.skip("relation between two images", f"{place}: {subject} and {other}")
            continue
        known = {key: places[key][1] for key in (subject, other) if key in places}
        found = result.related(known, (subject, predicates[predicate], other), place, score_of(entry))
        relations.setdefault(image, []).extend(found)
    return relations
