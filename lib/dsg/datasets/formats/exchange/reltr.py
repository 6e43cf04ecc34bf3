"""RelTR's folder: `train.json`, `val.json` and `test.json` as COCO has them, and `rel.json`.

`rel.json` has `rel_categories`, of which the first is the background, and for each split the relations of
each image by its id: [subject, object, predicate], positions among the annotations of the image in the order
of COCO's file, and a number from 0, which is the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Relation
from dsg.datasets.formats.exchange.coco import boxes_of, coco_content
from dsg.datasets.formats.exchange.entries import (
    name_list,
    numbered,
    optional_list,
    positions,
    read_object,
    write_json,
)
from dsg.errors import UserError
from dsg.runtime.ids import described, whole_number

FILE, BACKGROUND, KIND = "rel.json", "__background__", "RelTR's rel.json"
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def recognised(folder: Path) -> bool:
    """Whether a folder is of this format."""
    return (folder / FILE).is_file()


def read(folder: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a folder, of the splits that have a file.

    Raises:
        UserError: a file is missing or not of the format; the message says where.
    """
    path = folder / FILE
    content = read_object(path, "an object with rel_categories")
    predicates = name_list(content, "rel_categories", path, KIND)
    result = Annotation([], (), predicates[1:])
    for word, split in SPLITS.items():
        if (folder / f"{word}.json").is_file():
            boxes = boxes_of(folder / f"{word}.json", pictures)
            result.categories = tuple(dict.fromkeys((*result.categories, *boxes.categories)))
            for reason, places in boxes.skipped.items():
                result.skipped.setdefault(reason, []).extend(places)
            said = content.get(word) or {}
            if not isinstance(said, dict):
                raise UserError(f"{path}: {word} is {described(said)}, not an object with relations by image")
            result.images += [
                _related(image, said, split, predicates, f"{path}: {word}", result) for image in boxes.images
            ]
    if not result.images:
        raise UserError(f"{folder}: has rel.json, but no images in {', '.join(f'{w}.json' for w in SPLITS)}")
    return result


def write(folder: Path, annotation: Annotation) -> None:
    """Write an annotation; images of no split are for training.

    Raises:
        UserError: it cannot be written.
    """
    numbers = positions(annotation.predicates, 1)
    content: dict[str, Any] = {"rel_categories": [BACKGROUND, *annotation.predicates]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error})") from error
    for word, split in SPLITS.items():
        images = [image for image in annotation.images if (image.split or "train") == split]
        part = coco_content(Annotation(images, annotation.categories, annotation.predicates))
        names = ("images", "annotations", "categories")
        write_json(folder / f"{word}.json", {name: part[name] for name in names})
        content[word] = {
            str(number): [[r.subject, r.object, numbers[r.predicate]] for r in image.relations]
            for number, image in enumerate(images, 1)
        }
    write_json(folder / FILE, content)


def _related(
    image: AnnotatedImage,
    said: dict[str, Any],
    split: str,
    predicates: Sequence[str],
    place: str,
    result: Annotation,
) -> AnnotatedImage:
    known = {str(position): position for position in range(len(image.things))}
    found: list[Relation] = []
    here = f"{place}, image {image.key}"
    for relation in optional_list(said, image.key, place):
        if not isinstance(relation, list) or len(relation) != 3:
            raise UserError(f"{here}: {described(relation)}, not [subject, object, predicate]")
        subject, other = (str(whole_number(value)) for value in relation[:2])
        if relation[2] == 0:
            result.skip("relation of the background", here)
            continue
        name = numbered(relation[2], predicates, "predicate", here)
        found += result.related(known, (subject, name, other), here)
    return AnnotatedImage(**{**vars(image), "relations": tuple(found), "split": split})
