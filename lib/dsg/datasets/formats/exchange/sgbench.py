"""SGBench's file of predictions, version 1: for each image its `id`, `bboxes` [x1, y1, x2, y2], `categories`,
and `triplets` [subject, object, predicate], the best first, all numbers from 0.

`annotation` says boxes and categories once more, in the way in which SGBench 0.1's own reader looks for them.
Numbers are those of the vocabularies, which the file does not hold: they must be those of the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation
from dsg.datasets.formats.exchange.entries import positions, write_json

VERSION = 1


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation.

    Raises:
        UserError: it cannot be written.
    """
    numbers = positions(annotation.categories), positions(annotation.predicates)
    images = [_entry(image, *numbers) for image in annotation.images]
    write_json(path, {"version": VERSION, "images": images})


def _entry(image: AnnotatedImage, categories: dict[str, int], predicates: dict[str, int]) -> dict[str, Any]:
    best_first = sorted(image.relations, key=lambda one: 0.0 if one.score is None else -one.score)
    boxes = [list(thing.box) for thing in image.things]
    labels = [categories[thing.name] for thing in image.things]
    return {
        "id": image.key,
        "bboxes": boxes,
        "categories": labels,
        "triplets": [[one.subject, one.object, predicates[one.predicate]] for one in best_first],
        "annotation": [{"bbox": box, "category": label} for box, label in zip(boxes, labels)],
    }
