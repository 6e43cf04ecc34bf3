"""What every foreign format is read into and written from: images, the things in them, and relations.

Boxes are x1 y1 x2 y2 in pixels of the original image, x2 - x1 being the width. A relation names its things by
their positions in the image, so that ids of a file, from 0 or 1, numbers or texts, have no meaning outside
its reader and writer. A pair may have several predicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dsg.datasets.formats.exchange.outlines import Box


@dataclass(frozen=True)
class Thing:
    """A box with the name of its category."""

    key: str  # id in the source, unique in its image
    name: str
    box: Box
    score: float | None = None  # of a prediction


@dataclass(frozen=True)
class Relation:
    """What is said of two things of an image, given by their positions."""

    subject: int
    predicate: str
    object: int
    score: float | None = None  # of a prediction


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with what is in it."""

    key: str  # id in the source
    file: str  # file name, maybe with folders before it
    width: int
    height: int
    things: tuple[Thing, ...]
    relations: tuple[Relation, ...]
    split: str | None = None  # train, validation or test, where the source tells


@dataclass
class Annotation:
    """Images, the vocabularies in the order of their numbers, and what was left out when they were read."""

    images: list[AnnotatedImage]
    categories: tuple[str, ...]
    predicates: tuple[str, ...]
    skipped: dict[str, list[str]] = field(default_factory=dict)  # reason -> where

    def skip(self, reason: str, place: str) -> None:
        """Count something that is left out."""
        self.skipped.setdefault(reason, []).append(place)

    def related(
        self,
        known: Mapping[str, int],
        relation: tuple[str, str, str],
        place: str,
        score: float | None = None,
    ) -> list[Relation]:
        """The relation of two things by their ids, in a list; none, and counted, if one is not there.

        Args:
            known: positions of the image's things by id.
            relation: subject's id, predicate, object's id.
            place: file and entry, for messages.
        """
        subject, predicate, other = relation
        lost = [key for key in (subject, other) if key not in known]
        if lost:
            self.skip("relation of an unknown object", f"{place}: {lost[0]}")
            return []
        return [Relation(known[subject], predicate, known[other], score)]


def names_of(images: Iterable[AnnotatedImage]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The categories and predicates that occur, each sorted: for formats that list none."""
    images = list(images)
    categories = {thing.name for image in images for thing in image.things}
    predicates = {relation.predicate for image in images for relation in image.relations}
    return tuple(sorted(categories)), tuple(sorted(predicates))
