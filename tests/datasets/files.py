"""Small data sets written to disk for tests, in the format of the release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OBJECTS = ["cat", "dog", "bus", "tree"]
PREDICATES = ["on", "left of", "right of"]


def mention(category: int, x1: float, y1: float, x2: float, y2: float) -> dict[str, Any]:
    """One subject or object; the file's box is [ymin, ymax, xmin, xmax]."""
    return {"category": category, "bbox": [y1, y2, x1, x2]}


def relation(subject: Any, predicate: Any, obj: Any) -> dict[str, Any]:
    """One relationship, of whatever is given."""
    return {"predicate": predicate, "subject": subject, "object": obj}


CAT, DOG, BUS = mention(0, 10, 20, 50, 60), mention(1, 60, 20, 90, 70), mention(2, 5, 5, 95, 75)
GOOD = [relation(CAT, 1, DOG), relation(DOG, 2, CAT)]


def write_dataset(
    folder: Path, train: dict[str, Any] | None = None, test: dict[str, Any] | None = None
) -> Path:
    """A data set of images of 100 x 80 pixels; `train` and `test` map image names to relationships."""
    folder.mkdir(parents=True, exist_ok=True)
    train = {f"{number:02d}.jpg": GOOD for number in range(20)} if train is None else train
    test = {"t.jpg": GOOD} if test is None else test
    for split, content in (("train", train), ("test", test)):
        write_json(folder / f"annotations_{split}.json", content)
        sizes = {name: {"width": 100, "height": 80} for name in content}
        write_json(folder / f"{split}_image_metadata.json", sizes)
    write_json(folder / "objects.json", OBJECTS)
    write_json(folder / "predicates.json", PREDICATES)
    return folder


def write_json(path: Path, content: Any) -> None:
    """Any JSON content."""
    path.write_text(json.dumps(content))
