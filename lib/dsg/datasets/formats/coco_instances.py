"""COCO's instance annotations (2017): `annotations/instances_<split>.json` and a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.formats.instances import (
    LONGEST_SIDE,
    Instances,
    InstanceSet,
    are_finite,
    clipped_box,
    is_inside,
)
from dsg.datasets.formats.segmentations import check_segmentation
from dsg.errors import UserError
from dsg.runtime.ids import whole_number


def read_coco(folder: str | Path, split: str) -> InstanceSet:
    """The images of a split with their objects, crowds included, masks as they are encoded.

    Categories are numbered from 1 in the order of their ids (80 of 1..90 in COCO); images keep the file's
    order. Ids and sizes such as 11.0 and "11" are 11. Objects of an unknown image or category, without a box
    in their image or with a segmentation that cannot be one are left out and counted.

    Args:
        folder: holds `annotations/` and the images in a folder named as the split.
        split: `train2017`, `val2017`, ...

    Raises:
        UserError: the file is missing, not COCO's, or without images or categories.
    """
    path = annotation_file(Path(folder), split)
    content = _content(path)
    names = _categories(content, path)
    result = InstanceSet(("__background__", *names.values()), [])
    numbers = {identity: number for number, identity in enumerate(names, 1)}
    images: dict[int, dict[str, Any]] = {}
    for entry in content["images"]:
        image = _sound(entry, result)
        if image is not None:
            if image["id"] in images:
                result.skip("image whose id another image has", image["file_name"])
            images.setdefault(image["id"], image)
    if not images:
        reasons = ", ".join(f"{len(cases):,} x {reason}" for reason, cases in result.skipped.items())
        raise UserError(f"{path}: lists no images that can be used" + f" ({reasons})" * bool(reasons))
    objects: dict[int, list[dict[str, Any]]] = {identity: [] for identity in images}
    for annotation in content["annotations"]:
        stated = annotation.get("image_id") if isinstance(annotation, dict) else None
        identity = whole_number(stated)
        if identity is None or identity not in objects:
            result.skip("object of an unknown image", str(stated)[:40])
        else:
            objects[identity].append(annotation)
    for identity, image in images.items():
        path = Path(folder) / split / image["file_name"]
        result.images.append(_image(path, image, objects[identity], numbers, result))
    return result


def annotation_file(folder: Path, split: str) -> Path:
    """The file of a split's annotations."""
    return folder / "annotations" / f"instances_{split}.json"


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `annotations/instances_<split>.json` is looked for") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON ({str(error)[:80]}); fetch it again") from error
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UserError(f"{path}: not COCO's annotations; lists {', '.join(keys)} are looked for")
    return content


def _categories(content: dict[str, Any], path: Path) -> dict[int, str]:
    names = {}
    for category in content["categories"]:
        number = whole_number(category.get("id")) if isinstance(category, dict) else None
        if number is None or not isinstance(category.get("name"), str):
            raise UserError(f"{path}: a category without id or name: {str(category)[:60]}")
        names[number] = category["name"]
    if not names or len(names) != len(content["categories"]):
        raise UserError(
            f"{path}: {'categories that share an id' if names else 'the list of categories is empty'}"
        )
    return dict(sorted(names.items()))


def _sound(image: Any, result: InstanceSet) -> dict[str, Any] | None:
    """What is read of an image, its numbers whole; None if it cannot be used."""
    fields = image if isinstance(image, dict) else {}
    name = fields.get("file_name")
    numbers = {key: whole_number(fields.get(key)) for key in ("id", "width", "height")}
    if numbers["id"] is None or not name:
        result.skip("image without id or file name", str(name)[:40])
    elif not is_inside(name):
        result.skip("image whose file name leads out of its folder", repr(name)[:60])
    elif not all(0 < (numbers[key] or 0) <= LONGEST_SIDE for key in ("width", "height")):
        result.skip("image without size", name)
    else:
        return {**numbers, "file_name": name}
    return None


def _image(
    path: Path,
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    numbers: dict[int, int],
    result: InstanceSet,
) -> Instances:
    name, width, height = image["file_name"], image["width"], image["height"]
    boxes, classes, crowd, segmentations = [], [], [], []
    for annotation in annotations:
        category, box = whole_number(annotation.get("category_id")), _box(annotation.get("bbox"))
        number = None if category is None else numbers.get(category)
        cut = None
        if box:
            result.stated.append((*box, width, height))
            cut = clipped_box(box, width, height)
        if number is None:
            result.skip("object of an unknown category", name, str(annotation.get("category_id"))[:40])
            continue
        if cut is None:
            result.skip("object without a box in its image", name, str(annotation.get("bbox"))[:60])
            continue
        segmentation = annotation.get("segmentation") or None  # many programs write [] for boxes alone
        if segmentation is not None:
            try:
                check_segmentation(segmentation, height, width, name)
            except UserError as error:
                result.skip("object with a bad segmentation", "", str(error))
                continue
        boxes.append(cut)
        classes.append(number)
        crowd.append(annotation.get("iscrowd") == 1)
        segmentations.append(segmentation)
    return Instances(
        *(name, path, width, height),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        classes=np.array(classes, np.int32),
        difficult=np.zeros(len(boxes), bool),
        crowd=np.array(crowd, bool),
        segmentations=segmentations,
    )


def _box(value: Any) -> tuple[float, float, float, float] | None:
    """x1 y1 x2 y2 from COCO's x, y, width, height."""
    if not are_finite(value) or len(value) != 4:
        return None
    x, y, width, height = value
    return x, y, x + width, y + height
