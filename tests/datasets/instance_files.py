"""Small data sets in the layouts of detectors, written where a test asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.config import Config, load_config

Box = tuple[float, float, float, float]


def coco_document(count: int, *, first: int = 1, **changes: Any) -> dict[str, Any]:
    """Images of 60 x 50 pixels with an owl and, behind it, a cat.

    Args:
        count: of the images.
        first: their first id.
        changes: of every owl.
    """
    images, objects = [], []
    for identity in range(first, first + count):
        images.append({"id": identity, "file_name": f"{identity:04}.png", "width": 60, "height": 50})
        cat = {"image_id": identity, "category_id": 3, "bbox": [10, 5, 20, 30], "iscrowd": 0}
        objects += [{**cat, "category_id": 7, "bbox": [1, 2, 30, 20], **changes}, cat]
    categories = [{"id": 7, "name": "owl"}, {"id": 3, "name": "cat"}]
    return {"images": images, "annotations": objects, "categories": categories}


def write_coco(folder: Path, files: Mapping[str, Any]) -> Path:
    """`annotations/instances_<name>.json` of each document."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "annotations" / f"instances_{name}.json").write_text(json.dumps(content))
    return folder


def voc_annotation(objects: Sequence[tuple[str, Box]], size: str = "60 50") -> str:
    """An XML file; without a size if that is empty."""
    sides = "".join(f"<{side}>{value}</{side}>" for side, value in zip(("width", "height"), size.split()))
    text = ""
    for name, box in objects:
        corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
        text += f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"
    return f"<annotation><size>{sides}</size>{text}</annotation>"


def write_voc(folder: Path, lists: Mapping[str, Sequence[str]], names: Sequence[str] = ("dog",)) -> Path:
    """A folder like VOC2007: an object of each name in every image."""
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, images in lists.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{i}\n" for i in images))
        for image in images:
            text = voc_annotation([(label, (2, 3, 31, 22)) for label in names])
            (folder / "Annotations" / f"{image}.xml").write_text(text)
    return folder


def detector_config(*overrides: str) -> Config:
    """A configuration of a detector."""
    return load_config(overrides=["MODEL", "detector", *overrides])
