"""Visual Genome's own files as pictures with relationships: `relationships.json`, `image_data.json`, and, if
given, `objects.json`, whose names and boxes then count.

The files are gigabytes: each is read as a stream, once to count names and once to write, and only the images'
sizes are held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.apps.convert.records import Account, Entity, Picture
from dsg.apps.convert.vocabulary import plain
from dsg.errors import UserError
from dsg.runtime.json_stream import list_elements
from dsg.runtime.progress import Progress

NAMES = ("name", "synset")
Objects = dict[int, Entity]  # by object id


@dataclass(frozen=True)
class VisualGenomeSource:
    """Where the files lie and how names are read.

    A category is an object's (first) name, or its first WordNet synset; then other spellings become the name
    they stand for.
    """

    relationships: Path
    image_data: Path
    objects: Path | None = None
    names: str = "name"
    category_aliases: Mapping[str, str] | None = None
    predicate_aliases: Mapping[str, str] | None = None

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Width and height by image id.

        Raises:
            UserError: the file is not `image_data.json`.
        """
        result = {}
        for number, entry in enumerate(list_elements(self.image_data)):
            key, width, height = (_whole(entry, name) for name in ("image_id", "width", "height"))
            if key is None or not width or not height or width < 0 or height < 0:
                raise UserError(
                    f"{self.image_data}: element {number}: no image_id, width and height; "
                    "is this image_data.json?"
                )
            result[key] = width, height
        return result

    def counts(self, images: int) -> tuple[Counter[str], Counter[str]]:
        """How often each category and each predicate occurs.

        Categories are counted in `objects.json` where it is given, else as the relationships mention them.

        Args:
            images: their number, for the progress.
        """
        categories: Counter[str] = Counter()
        predicates: Counter[str] = Counter()
        with Progress("counting names, images", images) as progress:
            for number, entry in enumerate(list_elements(self.relationships)):
                for relationship in _group(entry, "relationships", self.relationships, number):
                    predicates[self._predicate(relationship)] += 1
                    if self.objects is None:
                        categories.update(
                            self._name(relationship.get(role)) for role in ("subject", "object")
                        )
                progress.advance()
        if self.objects is not None:
            with Progress("counting objects, images", images) as progress:
                for number, entry in enumerate(list_elements(self.objects)):
                    for item in _group(entry, "objects", self.objects, number):
                        categories[self._name(item)] += 1
                    progress.advance()
        for counter in (categories, predicates):
            counter.pop("", None)
        return categories, predicates

    def pictures(self, sizes: Mapping[int, tuple[int, int]], account: Account) -> Iterator[Picture]:
        """Every image of `relationships.json`, in its order; after `counts`."""
        objects = self._objects_by_image()
        with Progress("writing images", len(sizes)) as progress:
            for number, entry in enumerate(list_elements(self.relationships, again=True)):
                found = _group(entry, "relationships", self.relationships, number)
                key = _whole(entry, "image_id")
                progress.advance()
                if key not in sizes:
                    account.skip("image not in image_data.json", str(key))
                    continue
                assert key is not None
                file = f"{key}.jpg"
                known = objects.take(key) if objects is not None else {}
                triples = []
                for position, item in enumerate(found):
                    subject, other = (self._entity(item.get(role), known) for role in ("subject", "object"))
                    predicate = self._predicate(item)
                    if subject is None or other is None or not predicate:
                        account.skip(
                            "relationship without names or boxes", f"{file}, relationship {position}"
                        )
                    else:
                        triples.append((subject, predicate, other))
                yield Picture(str(key), file, *sizes[key], triples)

    def _objects_by_image(self) -> _Stream | None:
        return _Stream(self) if self.objects is not None else None

    def _entity(self, item: Any, known: Objects) -> Entity | None:
        number = _whole(item, "object_id")
        if number is not None and number in known:
            return known[number]
        name = self._name(item)
        sides: list[Any] = [item.get(key) if isinstance(item, dict) else None for key in ("x", "y", "w", "h")]
        if not name or not all(isinstance(side, (int, float)) for side in sides):
            return None
        x, y, width, height = sides
        return Entity(name, (x, y, x + width, y + height))

    def _name(self, item: Any) -> str:
        if not isinstance(item, dict):
            return ""
        name = _first(item.get("synsets")) if self.names == "synset" else ""
        name = plain(name or _first(item.get("names")) or _first(item.get("name")))
        return (self.category_aliases or {}).get(name, name)

    def _predicate(self, item: dict[str, Any]) -> str:
        name = plain(_first(item.get("predicate")))
        return (self.predicate_aliases or {}).get(name, name)


class _Stream:
    """`objects.json` beside `relationships.json`: as long as both list images in the same order, no more than
    one image is held.
    """

    def __init__(self, source: VisualGenomeSource) -> None:
        assert source.objects is not None
        self._source, self._path = source, source.objects
        self._entries = enumerate(list_elements(source.objects, again=True))
        self._waiting: dict[int, Objects] = {}

    def take(self, image: int) -> Objects:
        """The objects of an image by their id, and by the ids that were merged into them."""
        while image not in self._waiting:
            number, entry = next(self._entries, (0, None))
            if entry is None:
                return {}
            key = _whole(entry, "image_id")
            if key is not None:
                items = _group(entry, "objects", self._path, number)
                self._waiting[key] = self._by_id(items)
        return self._waiting.pop(image)

    def _by_id(self, items: list[dict[str, Any]]) -> Objects:
        result: Objects = {}
        for item in items:
            entity = self._source._entity(item, {})
            if entity is None:
                continue
            for number in (item.get("object_id"), *(item.get("merged_object_ids") or ())):
                if isinstance(number, int):
                    result.setdefault(number, entity)
        return result


def _group(entry: Any, key: str, path: Path, number: int) -> list[dict[str, Any]]:
    """The list of an image's relationships or objects."""
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UserError(f"{path}: element {number}: has no list {key!r}; is this Visual Genome's file?")
    return found


def _whole(entry: Any, key: str) -> int | None:
    """A whole number; in the first version of the data an image's id is called `id`."""
    if not isinstance(entry, dict):
        return None
    value = entry.get(key, entry.get("id") if key == "image_id" else None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first(value: Any) -> str:
    """A text, or the first one of a list."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""
