"""COCO-style boxes, and relations between them, as pictures with relationships.

Boxes are a JSON object with `images` (id, file_name, width, height), `annotations` (id, image_id,
category_id, bbox [x, y, width, height] or else segmentation; crowds are left out) and `categories` (id,
name). Relations name two annotations and a predicate. They are a table (`tables`); or a JSON list of objects
with subject, predicate, object, or of triples; or the entry `relationships` of the file of boxes; or they are
computed from the boxes (`spatial`).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dsg.apps.convert.records import Account, Entity, Picture
from dsg.apps.convert.spatial import spatial_relations
from dsg.apps.convert.tables import COLUMNS, read_relations
from dsg.apps.convert.vocabulary import Aliases, plain
from dsg.datasets.catalogue import leads_out
from dsg.datasets.formats.exchange.entries import corners_of_sides, list_of, names_by_id, stated_size, text_of
from dsg.datasets.formats.exchange.outlines import outline_box
from dsg.datasets.picture_size import picture_size
from dsg.errors import UserError
from dsg.runtime.ids import described, read_id, twice
from dsg.runtime.text import json_kind, parse_json, read_json, read_text

SPATIAL = "spatial"
"""In place of a file of relations: they are computed from the boxes."""
Triple = tuple[str, str, str]  # ids of annotations as text, and the predicate's name


class CocoSource:
    """The files of one COCO-style annotation, joined.

    Args:
        boxes: the COCO file.
        relations: a file; None if the file of boxes has them; SPATIAL where they are computed.
        category_aliases, predicate_aliases: other spellings and what they stand for.
        pictures: the folder of the images, for sizes that the file lacks.

    Raises:
        UserError: a file cannot be used, with the place of the fault.
    """

    def __init__(
        self,
        boxes: Path,
        relations: Path | str | None,
        account: Account,
        category_aliases: Mapping[str, str] | None = None,
        predicate_aliases: Mapping[str, str] | None = None,
        pictures: Path | None = None,
    ) -> None:
        content = read_json(boxes)
        if not isinstance(content, dict):
            raise UserError(
                f"{boxes}: a JSON {json_kind(content)}, not an object with images and annotations"
            )
        self.path, self._account = boxes, account
        aliases, renamed = (Aliases.made(given) for given in (category_aliases, predicate_aliases))
        self._names = {
            key: aliases.of(plain(name))
            for key, name in names_by_id(list_of(content, "categories", boxes), "categories", boxes).items()
        }
        self.images = self._read_images(list_of(content, "images", boxes), pictures)
        self._entities, self._image_of = self._read_entities(list_of(content, "annotations", boxes))
        if relations == SPATIAL:
            found = self._computed()
        else:
            found = _relations(None if relations is None else Path(relations), content, boxes)
        self._relations = [(s, renamed.of(plain(p)), o) for s, p, o in found]
        self._relations_path = Path(relations or boxes)

    def categories(self) -> Counter[str]:
        """How many boxes each category has, 0 included."""
        counts = Counter({name: 0 for name in self._names.values()})
        counts.update(entity.name for entity in self._entities.values())
        return counts

    def predicates(self) -> Counter[str]:
        """How many relations each predicate has."""
        return Counter(predicate for _, predicate, _ in self._relations)

    def pictures(self, split: str | None = None) -> Iterator[Picture]:
        """Every image with its relations, in the order of the file; all for `split`, if one is given."""
        found: dict[str, list[tuple[Entity, str, Entity]]] = {}
        for number, (subject, predicate, other) in enumerate(self._relations):
            place = f"{self._relations_path.name}, relation {number}"
            image = self._image_of.get(subject)
            if image is None or other not in self._image_of:
                lost = subject if image is None else other
                self._account.skip("relation of an unknown annotation", f"{place}: {lost}")
            elif image != self._image_of[other]:
                self._account.skip("relation between two images", f"{place}: {subject} and {other}")
            else:
                relationship = self._entities[subject], predicate, self._entities[other]
                found.setdefault(image, []).append(relationship)
        for key, (file, width, height) in self.images.items():
            yield Picture(key, file, width, height, found.get(key, []), split)

    def _computed(self) -> list[Triple]:
        """Relations of all pairs of boxes of an image."""
        by_image: dict[str, list[str]] = {}
        for key, image in self._image_of.items():
            by_image.setdefault(image, []).append(key)
        return [
            (keys[first], predicate, keys[other])
            for keys in by_image.values()
            for first, predicate, other in spatial_relations([self._entities[key] for key in keys])
        ]

    def _read_images(self, entries: list[Any], folder: Path | None) -> dict[str, tuple[str, int, int]]:
        """File name, width and height by id; sizes that are not stated are read from the pictures."""
        result: dict[str, tuple[str, int, int]] = {}
        measured = 0
        for number, entry in enumerate(entries):
            place = f"{self.path}: images, entry {number}"
            key = read_id(entry, "id", place)
            place, file = f"{place} (id {key})", text_of(entry, "file_name", place)
            if key in result:
                raise twice(f"{self.path}: images", key, repr(result[key][0]), repr(file))
            size = stated_size(entry, place)
            if size is None:
                size = picture_size(folder / file) if folder is not None and not leads_out(file) else None
                if size is None:
                    todo = "no such image there" if folder else "--images DIR reads them from the images"
                    raise UserError(f"{place}: no width and height; {todo}")
                measured += 1
            result[key] = file, *size
        if measured:
            self._account.notes.append(f"{measured:,} image sizes read from the files")
        return result

    def _read_entities(self, annotations: list[Any]) -> tuple[dict[str, Entity], dict[str, str]]:
        entities: dict[str, Entity] = {}
        image_of: dict[str, str] = {}
        outlines = 0
        for number, entry in enumerate(annotations):
            place = f"{self.path}: annotations, entry {number}"
            key, image, category = (read_id(entry, name, place) for name in ("id", "image_id", "category_id"))
            place = f"{place} (id {key})"
            if category not in self._names:
                raise UserError(f"{place}: category {category} is not among the categories")
            if key in entities:
                raise UserError(f"{place}: this id appears twice; relations need unique ids")
            given = entry.get("bbox")
            box = corners_of_sides(given)
            if box is None and not given:
                box = outline_box(entry.get("segmentation"))
                outlines += box is not None
            if box is None:
                raise UserError(f"{place}: the bbox is {given!r}, not [x, y, width, height]")
            if entry.get("iscrowd"):
                self._account.skip("crowd", place.rpartition(": ")[2])
            elif image not in self.images:
                self._account.skip("box of an unknown image", place.rpartition(": ")[2])
            else:
                entities[key] = Entity(self._names[category], box)
                image_of[key] = image
        if outlines:
            self._account.notes.append(f"{outlines:,} boxes from outlines (segmentation), which have no bbox")
        return entities, image_of


def _relations(path: Path | None, content: dict[str, Any], boxes: Path) -> list[Triple]:
    if path is None:
        if "rel_annotations" in content:
            raise UserError(
                f"{boxes}: has its relations in rel_annotations; read it by `dsg convert {boxes} DIR`"
            )
        if not isinstance(content.get("relationships"), list):
            raise UserError(
                f"{boxes}: has no list `relationships`; name a file of relations, or `{SPATIAL}` to "
                "have them computed from the boxes"
            )
        return [_triple(item, boxes, number) for number, item in enumerate(content["relationships"])]
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if file.read(4) == b"PK\3\4":
            raise UserError(f"{path}: a spreadsheet or an archive; save the table of relations as CSV")
    text = read_text(path)
    if not text.lstrip().startswith(("[", "{")):
        return [(_id_of(s), p, _id_of(o)) for s, p, o in read_relations(text, path)]
    items = parse_json(text, path)
    if isinstance(items, dict) and isinstance(items.get("relationships"), list):
        items = items["relationships"]
    if not isinstance(items, list):
        raise UserError(f"{path}: a JSON {json_kind(items)}, not a list of relations")
    return [_triple(item, path, number) for number, item in enumerate(items)]


def _id_of(text: str) -> str:
    """The id in a cell of a table, without the point that programs give to whole numbers."""
    return read_id({"id": text}, "id", "")


def _triple(item: Any, path: Path, number: int) -> Triple:
    values = [item.get(key, item.get(f"{key}_id")) for key in COLUMNS] if isinstance(item, dict) else item
    if not (isinstance(values, list) and len(values) == 3):
        raise UserError(f"{path}: relation {number}: not [subject, predicate, object]")
    place, entry = f"{path}: relation {number}", dict(zip(COLUMNS, values))
    if not isinstance(values[1], str):
        raise UserError(f"{place}: the predicate is {described(values[1])}, not a name")
    return read_id(entry, "subject", place), values[1], read_id(entry, "object", place)
