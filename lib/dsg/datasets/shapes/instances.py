"""The objects of `shapes` as detectors read them, beside the relations: COCO's files, with masks of what is
seen of each solid, and VOC's. Both speak of the same images.

    annotations/instances_train.json      COCO's, for train/ and test/ images
    Annotations/shapes_train_000000.xml   VOC's
    ImageSets/Main/trainval.txt           and test.txt
    classes.txt                           VOC's names, in the order of COCO's categories
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from dsg.datasets.formats.segmentations import encode
from dsg.datasets.shapes.render import View, visible_masks

COCO_FILE = "annotations/instances_{}.json"
LISTS = {"train": "trainval", "test": "test"}
CLASSES = "classes.txt"

Solid = dict[str, Any]
"""A solid as an annotation of COCO's: category_id, bbox, area, segmentation."""


def solids_of(view: View, objects: Sequence[str]) -> list[Solid]:
    """The solids of a picture in the order of the scene.

    Args:
        view: of the scene, in which each is seen.
        objects: the categories.
    """
    return annotated(view, [objects.index(solid.name) + 1 for solid in view.scene.solids])


def annotated(view: View, numbers: Sequence[int]) -> list[Solid]:
    """The solids of a picture in the order of the scene.

    Args:
        view: of the scene, in which each is seen.
        numbers: of the category of each, from 1.
    """
    solids = []
    for number, (x, y, mask) in zip(numbers, visible_masks(view)):
        whole = np.zeros((view.scene.camera.height, view.scene.camera.width), bool)
        whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = x + columns[0], y + rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
        solids.append(
            {
                "category_id": int(number),
                "bbox": [int(side) for side in box],
                "area": int(mask.sum()),
                "segmentation": encode(whole),
                "iscrowd": 0,
            }
        )
    return solids


def write_instances(
    folder: Path,
    pictures: Mapping[str, Mapping[str, Sequence[Solid]]],
    size: Sequence[int],
    objects: Sequence[str],
    image_folders: Mapping[str, str],
) -> None:
    """Write both layouts into the folder of the data set.

    Args:
        folder: in which none of the files exists.
        pictures: the solids of each picture by split and name.
        size: width and height.
        objects: the categories.
        image_folders: of each split.
    """
    for name in ("annotations", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)  # on some disks two are one
    for split, content in pictures.items():
        for name, solids in content.items():
            text = _xml(name, image_folders[split], size, solids, objects)
            (folder / "Annotations" / f"{Path(name).stem}.xml").write_text(text, encoding="utf-8")
        names = "".join(f"{Path(name).stem}\n" for name in content)
        (folder / "ImageSets" / "Main" / f"{LISTS[split]}.txt").write_text(names, encoding="utf-8")
        text = json.dumps(coco_content(content, size, objects), separators=(",", ":"))
        (folder / COCO_FILE.format(split)).write_text(text, encoding="utf-8")
    (folder / CLASSES).write_text("".join(f"{name}\n" for name in objects), encoding="utf-8")


def has_instances(folder: Path) -> bool:
    """Whether the files are there: those of data sets made by earlier versions are not."""
    return all((folder / COCO_FILE.format(split)).is_file() for split in LISTS)


def move_into(made: Path, folder: Path) -> None:
    """Move what `write_instances` wrote in one folder to another; COCO's files come last and say that all
    are there. What exists already stays: it is the same.

    Raises:
        OSError: it cannot be moved.
    """
    for name in (CLASSES, "ImageSets", "Annotations", "annotations"):
        try:
            os.rename(made / name, folder / name)
        except OSError:
            if not (folder / name).exists():
                raise


def coco_content(
    content: Mapping[str, Sequence[Solid]], size: Sequence[int], objects: Sequence[str]
) -> dict[str, Any]:
    """What a file of COCO's says of pictures, all of one size (width, height): their solids by name."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, solids) in enumerate(content.items(), 1):
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        for solid in solids:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **solid})
    categories = [
        {"id": number, "name": name, "supercategory": name.rpartition("_")[2]}
        for number, name in enumerate(objects, 1)
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _xml(name: str, folder: str, size: Sequence[int], solids: Sequence[Solid], objects: Sequence[str]) -> str:
    lines = [
        "<annotation>",
        f"<folder>{escape(folder)}</folder>",
        f"<filename>{escape(name)}</filename>",
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>",
    ]
    for solid in solids:
        x, y, width, height = solid["bbox"]  # VOC's pixels count from 1, and the last one is inside
        corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
        box = "".join(f"<{corner}>{value}</{corner}>" for corner, value in corners.items())
        label = escape(objects[solid["category_id"] - 1])
        lines.append(f"<object><name>{label}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>")
    return "\n".join([*lines, "</annotation>", ""])
