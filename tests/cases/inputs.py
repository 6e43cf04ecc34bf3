"""The smallest inputs of each kind, written where a test asks for them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 200, 150
OBJECTS = ("cup", "table", "dog")
PREDICATES = ("on", "under")
Box = list[float]


def write(path: Path, content: Any, encoding: str = "utf-8") -> Path:
    """A text as it is, anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    return path


def noise(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def relationships(shift: float = 0, change: Callable[[Box], Box] = list) -> list[dict[str, Any]]:
    """Three things and what they are to each other; a box is [ymin, ymax, xmin, xmax]."""
    things = [
        {
            "category": place % 2,
            "bbox": change(
                [20 + 5 * place + shift, 60 + 5 * place + shift, 10 + 40 * place, 45 + 40 * place]
            ),
        }
        for place in range(3)
    ]
    return [
        {"predicate": predicate, "subject": things[subject], "object": things[other]}
        for predicate, subject, other in ((0, 0, 1), (0, 2, 1), (1, 1, 0))
    ]


def dataset(
    folder: Path,
    *,
    name: str = "im{}.jpg",
    key: Callable[[str], str] = str,
    size: Callable[[], Any] = lambda: {"width": WIDTH, "height": HEIGHT},
    change: Callable[[Box], Box] = list,
    shift: float = 0,
    encoding: str = "utf-8",
    images: bool = True,
    train: int = 12,
    test: int = 4,
    objects: Sequence[str] = OBJECTS,
    predicates: Sequence[str] = PREDICATES,
) -> Path:
    """A data set of the referring-relationships layout.

    Args:
        name: of the images, from their number.
        key: the name of an image in the metadata, from that in the annotations.
        size: an image's entry in the metadata.
        change: what a box becomes.
        shift: what boxes move down by.
    """
    for split, numbers in (("train", range(train)), ("test", range(train, train + test))):
        names = [name.format(number) for number in numbers]
        write(
            folder / f"annotations_{split}.json", {n: relationships(shift, change) for n in names}, encoding
        )
        write(folder / f"{split}_image_metadata.json", {key(n): size() for n in names}, encoding)
        for number, image in zip(numbers, names):
            if images:
                noise(folder / "images" / image, number)
    write(folder / "objects.json", list(objects), encoding)
    write(folder / "predicates.json", list(predicates), encoding)
    return folder


def coco(change: Callable[[dict[str, Any]], Any] = lambda content: None, images: int = 4) -> dict[str, Any]:
    """COCO-style boxes of two cups on a table in each image."""
    content: dict[str, Any] = {
        "images": [
            {"id": n, "file_name": f"im{n}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in range(1, images + 1)
        ],
        "annotations": [
            {"id": 10 * n + place, "image_id": n, "category_id": category, "bbox": list(box)}
            for n in range(1, images + 1)
            for place, (category, box) in enumerate(
                ((1, (10, 10, 30, 40)), (2, (5, 50, 150, 90)), (1, (90, 10, 30, 40))), 1
            )
        ],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "table"}],
    }
    content = copy.deepcopy(content)
    change(content)
    return content


def change_boxes(change: Callable[[Box], Box]) -> Callable[[dict[str, Any]], None]:
    """What to give to `coco`."""

    def changed(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            entry["bbox"] = change(entry["bbox"])

    return changed


def relations(
    images: int = 4, comma: str = ",", head: Sequence[str] = ("subject", "predicate", "object")
) -> str:
    """Both cups of each image are on its table, as CSV."""
    rows = [head] if head else []
    rows += [(str(10 * n + s), "on", str(10 * n + 2)) for n in range(1, images + 1) for s in (1, 3)]
    return "".join(comma.join(row) + "\n" for row in rows)


def genome(images: int = 6, synsets: bool = True) -> list[dict[str, Any]]:
    """Visual Genome's relationships.json: a man on a horse; every other man has no synset."""

    def entity(number: int, name: str, x: int, known: list[str]) -> dict[str, Any]:
        return {"object_id": number, "name": name, "synsets": known, "x": x, "y": 10, "w": 50, "h": 80}

    return [
        {
            "image_id": n,
            "relationships": [
                {
                    "relationship_id": n,
                    "predicate": "ON",
                    "synsets": ["along.r.01"],
                    "subject": entity(10 * n, "man", 10, ["man.n.01"] if synsets and n % 2 else []),
                    "object": entity(10 * n + 1, "horse", 70, ["horse.n.01"] if synsets else []),
                }
            ],
        }
        for n in range(1, images + 1)
    ]


def image_data(images: int = 6) -> list[dict[str, Any]]:
    """Visual Genome's image_data.json."""
    return [{"image_id": n, "width": WIDTH, "height": HEIGHT} for n in range(1, images + 1)]


def repeated(content: dict[str, Any], key: str, value: Any) -> str:
    """JSON of an object in which a key stands a second time."""
    pairs = [*content.items(), (key, value)]
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in pairs) + "}"
