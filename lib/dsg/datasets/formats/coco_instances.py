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


def read_coco(folder: str | Path, split: str) -> InstanceSet:
    """The images of a split with their objects, crowds included, masks as they are encoded.

    Categories are numbered from 1 in the order of their ids (80 of 1..90 in COCO); images keep the file's
    order. Objects of an unknown image or category, without a box in their image or with a segmentation that
    cannot be one are left out and counted.

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
    for image in content["images"]:
        if _sound(image, result):
            if image["id"] in images:
                result.skip("image whose id another image has", image["file_name"])
            images.setdefault(image["id"], image)
    if not images:
        raise UserError(f"{path}: lists no images that can be used")
    objects: dict[int, list[dict[str, Any]]] = {identity: [] for identity in images}
    for annotation in content["annotations"]:
        identity = annotation.get("image_id") if isinstance(annotation, dict) else None
        if not isinstance(identity, int) or identity not in objects:
            result.skip("object of an unknown image", str(identity)[:40])
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
        known = isinstance(category, dict) and isinstance(category.get("id"), int)
        if not known or not isinstance(category.get("name"), str):
            raise UserError(f"{path}: a category without id or name: {str(category)[:60]}")
        names[category["id"]] = category["name"]
    if not names or len(names) != len(content["categories"]):
        raise UserError(
            f"{path}: {'categories that share an id' if names else 'the list of categories is empty'}"
        )
    return dict(sorted(names.items()))


def _sound(image: Any, result: InstanceSet) -> bool:
    fields = image if isinstance(image, dict) else {}
    sizes = [fields.get(key) for key in ("width", "height")]
    if not isinstance(fields.get("id"), int) or not is_inside(fields.get("file_name")):
        result.skip("image without id or file name", str(fields.get("file_name"))[:40])
    elif not all(isinstance(size, int) and 0 < size <= LONGEST_SIDE for size in sizes):
        result.skip("image without size", fields["file_name"])
    else:
        return True
    return False


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
        number, box = numbers.get(_whole(annotation.get("category_id"))), _box(annotation.get("bbox"))
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


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else -1


def _box(value: Any) -> tuple[float, float, float, float] | None:
    """x1 y1 x2 y2 from COCO's x, y, width, height."""
    if not are_finite(value) or len(value) != 4:
        return None
    x, y, width, height = value
    return x, y, x + width, y + height
