"""Visual Genome's own files, `objects.json`, `relationships.json` and `image_data.json`, in a folder: written
here, and read, as a stream, by `dsg.apps.convert.visual_genome`.

Images are named as in `vg150`: `<image_id>.jpg`, others are numbered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.datasets.formats.exchange.annotation import Annotation, Thing
from dsg.datasets.formats.exchange.entries import sides_of_corners, write_json
from dsg.datasets.formats.exchange.vg150 import entries
from dsg.errors import UserError


def write(folder: Path, annotation: Annotation) -> None:
    """Write an annotation; ids of objects and relationships count from 1 through all images.

    Raises:
        UserError: the files cannot be written.
    """
    sizes = entries(annotation.images)
    objects: list[dict[str, Any]] = []
    relationships: list[dict[str, Any]] = []
    first, said = 1, 0
    for image, size in zip(annotation.images, sizes):
        key = {"image_id": size["image_id"]}
        things = [_object(thing, first + place) for place, thing in enumerate(image.things)]
        found = [
            {
                "relationship_id": said + number,
                "predicate": one.predicate,
                "synsets": [],
                "subject": _mention(things[one.subject]),
                "object": _mention(things[one.object]),
            }
            for number, one in enumerate(image.relations, 1)
        ]
        objects.append({**key, "objects": things})
        relationships.append({**key, "relationships": found})
        first, said = first + len(things), said + len(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error})") from error
    contents = {"objects": objects, "relationships": relationships, "image_data": sizes}
    for name, content in contents.items():
        write_json(folder / f"{name}.json", content)


def _object(thing: Thing, number: int) -> dict[str, Any]:
    box = dict(zip(("x", "y", "w", "h"), sides_of_corners(thing.box)))
    return {"object_id": number, "names": [thing.name], "synsets": [], **box}


def _mention(item: dict[str, Any]) -> dict[str, Any]:
    """An object as relationships mention it, with one name."""
    rest = {key: value for key, value in item.items() if key != "names"}
    return {**rest, "name": item["names"][0]}
