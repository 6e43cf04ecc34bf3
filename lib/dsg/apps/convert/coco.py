"""COCO-style boxes, and relations between them, as pictures with relationships.

Boxes are a JSON object with `images` (id, file_name, width, height), `annotations` (id, image_id,
category_id, bbox [x, y, width, height]; crowds are left out) and `categories` (id, name). Relations name two
annotations and a predicate. They are a table (.csv or .tsv) with the columns subject, predicate, object; or a
JSON list of such objects, or of triples [subject, predicate, object]; or the entry `relationships` of the
file of boxes.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dsg.apps.convert.records import Account, Entity, Picture
from dsg.apps.convert.vocabulary import plain
from dsg.errors import UserError
from dsg.runtime.text import json_kind, read_json, read_text

KEYS = ("subject", "predicate", "object")
Triple = tuple[str, str, str]  # ids of annotations as text, and the predicate's name


class CocoSource:
    """The files of one COCO-style annotation, joined.

    Args:
        boxes: the COCO file.
        relations: .csv, .tsv or JSON; None where the file of boxes has them.
        category_aliases, predicate_aliases: other spellings and what they stand for.

    Raises:
        UserError: a file cannot be used, with the place of the fault.
    """

    def __init__(
        self,
        boxes: Path,
        relations: Path | None,
        account: Account,
        category_aliases: Mapping[str, str] | None = None,
        predicate_aliases: Mapping[str, str] | None = None,
    ) -> None:
        content = read_json(boxes)
        if not isinstance(content, dict):
            raise UserError(
                f"{boxes}: a JSON {json_kind(content)}, not an object with images and annotations"
            )
        self.path, self._account = boxes, account
        aliases = category_aliases or {}
        names = {
            _key(entry, "id", boxes, "categories", number): _text(entry, "name", boxes, "categories", number)
            for number, entry in enumerate(_list(content, "categories", boxes))
        }
        self._names = {key: aliases.get(plain(name), plain(name)) for key, name in names.items()}
        self.images = _images(_list(content, "images", boxes), boxes)
        self._entities, self._image_of = self._read_entities(_list(content, "annotations", boxes))
        found = _relations(relations, content, boxes)
        renamed = predicate_aliases or {}
        self._relations = [(s, renamed.get(plain(p), plain(p)), o) for s, p, o in found]
        self._relations_path = relations or boxes

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

    def _read_entities(self, annotations: list[Any]) -> tuple[dict[str, Entity], dict[str, str]]:
        entities: dict[str, Entity] = {}
        image_of: dict[str, str] = {}
        for number, entry in enumerate(annotations):
            key = _key(entry, "id", self.path, "annotations", number)
            image = _key(entry, "image_id", self.path, "annotations", number)
            category = _key(entry, "category_id", self.path, "annotations", number)
            place = f"{self.path}: annotations, entry {number} (id {key})"
            if category not in self._names:
                raise UserError(f"{place}: category {category} is not among the categories")
            if key in entities:
                raise UserError(f"{place}: this id is there twice; relations need ids of their own")
            box = entry.get("bbox")
            if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
                raise UserError(f"{place}: the bbox is {box!r}, not [x, y, width, height]")
            if entry.get("iscrowd"):
                self._account.skip("crowd", place.rpartition(": ")[2])
            elif image not in self.images:
                self._account.skip("box of an unknown image", place.rpartition(": ")[2])
            else:
                x, y, width, height = box
                entities[key] = Entity(self._names[category], (x, y, x + width, y + height))
                image_of[key] = image
        return entities, image_of


def _images(entries: list[Any], path: Path) -> dict[str, tuple[str, int, int]]:
    result = {}
    for number, entry in enumerate(entries):
        key = _key(entry, "id", path, "images", number)
        width, height = entry.get("width"), entry.get("height")
        if not (_is_number(width) and _is_number(height) and width > 0 and height > 0):
            raise UserError(f"{path}: images, entry {number} (id {key}): no valid width and height")
        result[key] = _text(entry, "file_name", path, "images", number), int(width), int(height)
    return result


def _relations(path: Path | None, content: dict[str, Any], boxes: Path) -> list[Triple]:
    if path is None:
        if not isinstance(content.get("relationships"), list):
            raise UserError(f"{boxes}: has no list `relationships`; name a file of relations")
        return [_triple(item, boxes, number) for number, item in enumerate(content["relationships"])]
    if path.suffix.lower() in (".csv", ".tsv"):
        return _read_csv(path)
    items = read_json(path)
    if isinstance(items, dict) and isinstance(items.get("relationships"), list):
        items = items["relationships"]
    if not isinstance(items, list):
        raise UserError(f"{path}: a JSON {json_kind(items)}, not a list of relations")
    return [_triple(item, path, number) for number, item in enumerate(items)]


def _read_csv(path: Path) -> list[Triple]:
    """Relations of a table whose columns are parted by commas, semicolons or tabs, whichever its first line
    has."""
    text = read_text(path)
    heading = text.partition("\n")[0]
    parting = max(",;\t", key=heading.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=parting, skipinitialspace=True)
    result = []
    try:
        if not set(KEYS) <= set(reader.fieldnames or ()):
            raise UserError(
                f"{path}: line 1: the columns subject, predicate, object are expected, not {heading[:80]!r}"
            )
        for row in reader:
            if any(not (row[key] or "").strip() for key in KEYS):
                raise UserError(f"{path}: line {reader.line_num}: subject, predicate or object is missing")
            result.append((row["subject"].strip(), row["predicate"], row["object"].strip()))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: {error}; is a quote not closed?") from error
    return result


def _triple(item: Any, path: Path, number: int) -> Triple:
    values = [item.get(key, item.get(f"{key}_id")) for key in KEYS] if isinstance(item, dict) else item
    if not (isinstance(values, list) and len(values) == 3):
        raise UserError(f"{path}: relation {number}: not [subject, predicate, object]")
    subject, predicate, other = values
    if not isinstance(predicate, str) or not all(isinstance(v, (int, str)) for v in (subject, other)):
        raise UserError(
            f"{path}: relation {number}: {values!r} is not the id of an annotation, the name of a predicate, "
            "the id of an annotation"
        )
    return str(subject), predicate, str(other)


def _list(content: dict[str, Any], key: str, path: Path) -> list[Any]:
    if not isinstance(content.get(key), list):
        raise UserError(f"{path}: has no list `{key}`; it is not a COCO file")
    return list(content[key])


def _key(entry: Any, name: str, path: Path, group: str, number: int) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get(name), (int, str)):
        raise UserError(f"{path}: {group}, entry {number}: has no {name!r}")
    return str(entry[name])


def _text(entry: dict[str, Any], name: str, path: Path, group: str, number: int) -> str:
    if not isinstance(entry.get(name), str) or not entry[name]:
        raise UserError(f"{path}: {group}, entry {number}: has no {name!r}")
    return str(entry[name])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
