"""Visual Genome's own files as pictures with relationships: `relationships.json`, `image_data.json`, and, if
given, `objects.json`, whose names and boxes then count.

The files are gigabytes: each is read as a stream, once to count names and once to write, and only the images'
sizes are held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsg.apps.convert.records import Account, Entity, Picture
from dsg.apps.convert.vocabulary import Aliases, plain
from dsg.datasets.formats.relationships import LIMIT, is_coordinate
from dsg.errors import UserError
from dsg.runtime.ids import read_number, twice, whole_number
from dsg.runtime.json_stream import list_elements
from dsg.runtime.progress import Progress

NAMES = ("name", "synset")
ROLES = ("subject", "object")
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
    predicate_names: str = "name"
    strict: bool = False  # what has no synset is left out, instead of keeping its name
    unnamed: dict[str, int] = field(default_factory=dict)  # names without a synset that `pictures` met
    mentions: list[int] = field(default_factory=lambda: [0])  # how many it met

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Width and height by image id.

        Raises:
            UserError: the file is not `image_data.json`.
        """
        result: dict[int, tuple[int, int]] = {}
        for number, entry in enumerate(list_elements(self.image_data)):
            place, sides = f"{self.image_data}: element {number}", ("width", "height")
            width, height = (whole_number(entry.get(s)) if isinstance(entry, dict) else None for s in sides)
            if not (width and height and 0 < width < LIMIT and 0 < height < LIMIT):
                raise UserError(f"{place}: no image_id, width and height; is this image_data.json?")
            key = _image_id(entry, place)
            if key in result:
                both = (f"{size[0]} x {size[1]}" for size in (result[key], (width, height)))
                raise twice(f"{place}: image_id", str(key), *both)
            result[key] = width, height
        return result

    def notes(self) -> list[str]:
        """What is to be said of the names, once `pictures` has gone through all."""
        if not self.unnamed:
            return []
        done = "left out" if self.strict else "kept as names; --strict leaves them out"
        number = f"{sum(self.unnamed.values()):,} of {self.mentions[0]:,}"
        return [f"{number} names are without a synset, such as {next(iter(self.unnamed))!r}: {done}"]

    def counts(self, images: int) -> tuple[Counter[str], Counter[str]]:
        """How often each category and each predicate occurs.

        Categories are counted in `objects.json` if it is given, else as the relationships mention them.

        Args:
            images: their number, for the progress.
        """
        categories: Counter[str] = Counter()
        predicates: Counter[str] = Counter()
        with Progress("counting names, images", images) as progress:
            for number, entry in enumerate(list_elements(self.relationships)):
                own = _own_objects(entry)
                for relationship in _group(entry, "relationships", self.relationships, number):
                    predicates[self._predicate(relationship)] += 1
                    if self.objects is None:
                        categories.update(self._name(_mention(relationship, role, own)) for role in ROLES)
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
                key = _image_id(entry, f"{self.relationships}: element {number}")
                progress.advance()
                if key not in sizes:
                    account.skip("image not in image_data.json", str(key))
                    continue
                file = f"{key}.jpg"
                known = objects.take(key) if objects is not None else {}
                own, triples = _own_objects(entry), []
                for position, item in enumerate(found):
                    mentions = [_mention(item, role, own) for role in ROLES]
                    if self.names == "synset" and not self._have_synsets(mentions) and self.strict:
                        account.skip("relationship without a synset", f"{file}, relationship {position}")
                        continue
                    subject, other = (self._entity(mention, known) for mention in mentions)
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

    def _have_synsets(self, mentions: Sequence[Any]) -> bool:
        """Whether all have a synset; they are counted."""
        lacking = [item for item in mentions if isinstance(item, dict) and not _first(item.get("synsets"))]
        self.mentions[0] += len(mentions)
        for item in lacking:
            name = _first(item.get("names")) or _first(item.get("name"))
            self.unnamed[name] = self.unnamed.get(name, 0) + 1
        return not lacking

    def _entity(self, item: Any, known: Objects) -> Entity | None:
        number = whole_number(item.get("object_id")) if isinstance(item, dict) else None
        if number is not None and number in known:
            return known[number]
        name = self._name(item)
        sides: list[Any] = [item.get(key) if isinstance(item, dict) else None for key in ("x", "y", "w", "h")]
        if not name or not all(map(is_coordinate, sides)):
            return None
        x, y, width, height = sides
        return Entity(name, (x, y, x + width, y + height))

    def _name(self, item: Any) -> str:
        if not isinstance(item, dict):
            return ""
        name = _first(item.get("synsets")) if self.names == "synset" else ""
        if not (name or (self.strict and self.names == "synset")):
            name = _first(item.get("names")) or _first(item.get("name"))
        return _renamed(self.category_aliases, plain(name))

    def _predicate(self, item: dict[str, Any]) -> str:
        name = _first(item.get("synsets")) if self.predicate_names == "synset" else ""
        return _renamed(self.predicate_aliases, plain(name or _first(item.get("predicate"))))


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
            key = _image_id(entry, f"{self._path}: element {number}")
            self._waiting[key] = self._by_id(_group(entry, "objects", self._path, number))
        return self._waiting.pop(image)

    def _by_id(self, items: list[dict[str, Any]]) -> Objects:
        result: Objects = {}
        for item in items:
            entity = self._source._entity(item, {})
            if entity is None:
                continue
            merged = item.get("merged_object_ids")
            for number in (item.get("object_id"), *(merged if isinstance(merged, list) else ())):
                key = whole_number(number)
                if key is not None:
                    result.setdefault(key, entity)
        return result


def _group(entry: Any, key: str, path: Path, number: int) -> list[dict[str, Any]]:
    """The list of an image's relationships or objects."""
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UserError(f"{path}: element {number}: has no list {key!r}; is this Visual Genome's file?")
    return found


def _image_id(entry: Any, place: str) -> int:
    """An image's id; in the first version of the data it is called `id`."""
    old = isinstance(entry, dict) and "image_id" not in entry and "id" in entry
    return read_number(entry, "id" if old else "image_id", place)


def _own_objects(entry: Any) -> dict[int, Any]:
    """The objects that an image of scene_graphs.json lists itself, by id: its relationships name them."""
    items = entry.get("objects") if isinstance(entry, dict) else None
    found = (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    numbered = ((whole_number(item.get("object_id")), item) for item in found)
    return {number: item for number, item in numbered if number is not None}


def _mention(relationship: dict[str, Any], role: str, own: Mapping[int, Any]) -> Any:
    """The subject or object of a relationship."""
    number = whole_number(relationship.get(f"{role}_id"))
    if role in relationship or number is None:
        return relationship.get(role)
    return own.get(number, {"object_id": number})


def _renamed(aliases: Mapping[str, str] | None, name: str) -> str:
    return aliases.of(name) if isinstance(aliases, Aliases) else (aliases or {}).get(name, name)


def _first(value: Any) -> str:
    """A text, or the first one of a list."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""
