"""Label Studio's JSON: a list of tasks, each with `data` (the image's address) and `annotations` or
`predictions`, whose `result` are regions and relations.

A region's box is in percent of the image, from its upper left corner; a turned one is replaced by the box
around it. Of a region with several labels each is a thing. A relation leads `from_id` to `to_id`; with the
`direction` left it leads back, with bi both ways; its `labels` are predicates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from dsg.datasets.formats.exchange.annotation import (
    AnnotatedImage,
    Annotation,
    Relation,
    Thing,
    names_of,
)
from dsg.datasets.formats.exchange.entries import (
    optional_list,
    score_of,
    sides_of_corners,
    write_json,
)
from dsg.datasets.formats.exchange.outlines import Box
from dsg.datasets.formats.exchange.sizes import measured
from dsg.datasets.formats.relationships import is_coordinate
from dsg.errors import UserError
from dsg.runtime.ids import described, read_id, whole_number
from dsg.runtime.text import json_kind, read_json

ADDRESS = "/data/local-files/?d="
LABELS = ("rectanglelabels", "labels")
TYPES = ("rectanglelabels", "rectangle", "labels")
RIGHT, LEFT, BOTH = "right", "left", "bi"


def recognised(content: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "data" in first and ("annotations" in first or "predictions" in first)


def read(path: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of an export: of each task the newest annotation that was not cancelled, else the
    newest prediction.

    Args:
        pictures: the folder of the images, for sizes that the file lacks.

    Raises:
        UserError: it is not of the format; the message says where.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise UserError(f"{path}: a JSON {json_kind(content)}, not a list of tasks")
    result = Annotation([], (), ())
    for number, task in enumerate(content):
        place = f"{path}: task {number}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise UserError(f"{place}: has no data; it is not an export of Label Studio")
        made = [one for one in _objects(task, "annotations", place) if not one.get("was_cancelled")]
        made = made or _objects(task, "predictions", place)
        if not made:
            result.skip("task without an annotation", place)
            continue
        if len(made) > 1:
            result.skip("older annotation of a task", place)
        entries = optional_list(made[-1], "result", place)
        file = _file(task["data"], place)
        width, height = _size(entries) or measured(pictures, file, place)
        things, relations = _graph(entries, (width, height), place, result)
        key = read_id(task, "id", place) if "id" in task else str(number)
        image = AnnotatedImage(key, file, width, height, tuple(things), tuple(relations))
        result.images.append(image)
    result.categories, result.predicates = names_of(result.images)
    return result


def write(path: Path, annotation: Annotation) -> None:
    """Write an annotation as tasks: predictions, where things have scores, for people to correct.

    Raises:
        UserError: it cannot be written.
    """
    tasks = []
    for number, image in enumerate(annotation.images, 1):
        predicted = any(thing.score is not None for thing in image.things)
        kind = "predictions" if predicted else "annotations"
        entry = {"data": {"image": ADDRESS + image.file}, kind: [{"result": _result(image)}]}
        tasks.append({"id": number, **entry})
    write_json(path, tasks)


def _objects(task: dict[str, Any], key: str, place: str) -> list[dict[str, Any]]:
    """The entries of a task's list; what is none of them is an old form, ids alone."""
    return [one for one in optional_list(task, key, place) if isinstance(one, dict)]


def _result(image: AnnotatedImage) -> list[dict[str, Any]]:
    regions: list[dict[str, Any]] = []
    for position, thing in enumerate(image.things):
        sides = sides_of_corners(thing.box)
        long = image.width, image.height, image.width, image.height
        x, y, width, height = (100 * value / side for value, side in zip(sides, long))
        region = {
            "id": f"r{position}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": image.width,
            "original_height": image.height,
            "image_rotation": 0,
            "value": {
                **{"x": x, "y": y, "width": width, "height": height},
                **{"rotation": 0, "rectanglelabels": [thing.name]},
            },
        }
        regions.append(region if thing.score is None else {**region, "score": thing.score})
    said: dict[tuple[int, int], list[str]] = {}  # one relation a pair, with all its predicates
    for one in image.relations:
        said.setdefault((one.subject, one.object), []).append(one.predicate)
    relations = [
        {
            "type": "relation",
            "from_id": f"r{subject}",
            "to_id": f"r{other}",
            "direction": RIGHT,
            "labels": labels,
        }
        for (subject, other), labels in said.items()
    ]
    return [*regions, *relations]


def _graph(
    entries: list[Any], size: tuple[int, int], place: str, result: Annotation
) -> tuple[list[Thing], list[Relation]]:
    boxes: dict[str, Box] = {}
    labels: dict[str, list[str]] = {}
    scores: dict[str, float | None] = {}
    links = []
    for number, entry in enumerate(entries):
        here = f"{place}, result {number}"
        if not isinstance(entry, dict):
            raise UserError(f"{here}: {described(entry)}, not a region or relation")
        kind = entry.get("type")
        if kind == "relation":
            links.append((here, entry))
        elif kind in TYPES:
            key, value = read_id(entry, "id", here), entry.get("value")
            boxes[key] = _box(value, size, here)
            scores[key] = score_of(entry)
            chosen = value if isinstance(value, dict) else {}
            found: list[Any] = next((chosen[one] for one in LABELS if isinstance(chosen.get(one), list)), [])
            known_labels = labels.setdefault(key, [])
            known_labels += [name for name in found if isinstance(name, str) and name not in known_labels]
        else:
            result.skip(f"result that is no rectangle ({str(kind)[:40]})", here)
    things: list[Thing] = []
    known: dict[str, int] = {}
    for key, box in boxes.items():
        if not labels[key]:
            result.skip("region without a label", f"{place}, region {key}")
            continue
        known[key] = len(things)  # relations are of the first label
        things += [Thing(key, name, box, scores[key]) for name in labels[key]]
    relations = [one for here, entry in links for one in _links(entry, known, here, result)]
    return things, relations


def _links(
    entry: dict[str, Any], known: dict[str, int], place: str, result: Annotation
) -> Iterator[Relation]:
    first, second = read_id(entry, "from_id", place), read_id(entry, "to_id", place)
    direction = entry.get("direction", RIGHT)
    names = [name for name in optional_list(entry, "labels", place) if isinstance(name, str)]
    if direction not in (RIGHT, LEFT, BOTH):
        raise UserError(f"{place}: the direction is {described(direction)}; it is right, left or bi")
    if not names:
        result.skip("relation without a label", place)
    for name in names:
        if direction != LEFT:
            yield from result.related(known, (first, name, second), place)
        if direction != RIGHT:
            yield from result.related(known, (second, name, first), place)


def _box(value: Any, size: tuple[int, int], place: str) -> Box:
    """In pixels; of a box that is turned around its upper left corner, what it reaches."""
    found = value if isinstance(value, dict) else {}
    sides: list[Any] = [found.get(side) for side in ("x", "y", "width", "height")]
    if not all(map(is_coordinate, sides)):
        raise UserError(f"{place}: no box of x, y, width, height in percent")
    x, y, width, height = (share * side / 100 for share, side in zip(sides, (*size, *size)))
    turn = math.radians(found["rotation"]) if is_coordinate(found.get("rotation")) else 0.0
    along, across = (math.cos(turn), math.sin(turn)) if turn else (1.0, 0.0)
    corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    xs = [x + a * along - b * across for a, b in corners]
    ys = [y + a * across + b * along for a, b in corners]
    x1, y1, x2, y2 = (round(one, 6) for one in (min(xs), min(ys), max(xs), max(ys)))
    return x1, y1, x2, y2


def _size(entries: list[Any]) -> tuple[int, int] | None:
    """As the first region tells."""
    for entry in entries:
        if isinstance(entry, dict):
            sides = [whole_number(entry.get(f"original_{side}")) for side in ("width", "height")]
            if all(side is not None and side > 0 for side in sides):
                return int(sides[0] or 0), int(sides[1] or 0)
    return None


def _file(data: dict[str, Any], place: str) -> str:
    """The image's file name, of its address."""
    address = data.get("image") or next((one for one in data.values() if isinstance(one, str)), "")
    if not isinstance(address, str) or not address:
        raise UserError(f"{place}: data names no image")
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0].lstrip("/")
    return PurePosixPath(unquote(parts.path)).name
