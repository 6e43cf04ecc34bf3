"""A small annotation made by hand, for tests of the formats."""

from __future__ import annotations

from dataclasses import replace

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Relation, Thing

CATEGORIES, PREDICATES = ("cup", "table", "person"), ("on", "under", "holding")


def made() -> Annotation:
    """Two images: a pair with two predicates, relations in both directions, a thing without relations, two
    things of one category; and an image without any relation.
    """
    kitchen = (
        Thing("0", "cup", (50.0, 200.0, 130.0, 290.0)),
        Thing("1", "table", (10.0, 280.0, 410.0, 430.0)),
        Thing("2", "person", (300.5, 20.25, 420.0, 300.0)),
        Thing("3", "cup", (0.0, 0.0, 640.0, 480.0)),
    )
    said = (Relation(0, "on", 1), Relation(1, "under", 0), Relation(2, "holding", 0), Relation(2, "on", 0))
    garden = (Thing("0", "table", (40.0, 340.0, 420.0, 580.0)),)
    return Annotation(
        [
            AnnotatedImage("7", "7.jpg", 640, 480, kitchen, said, "train"),
            AnnotatedImage("9", "9.jpg", 480, 640, garden, (), "test"),
        ],
        CATEGORIES,
        PREDICATES,
    )


def without(annotation: Annotation, *, splits: bool = False, keys: bool = True) -> Annotation:
    """An annotation without what a format does not keep.

    Args:
        splits, keys: whether these stay.
    """
    images = [
        replace(
            image,
            key=image.key if keys else "",
            things=tuple(replace(one, key="") for one in image.things),
            split=image.split if splits else None,
        )
        for image in annotation.images
    ]
    return Annotation(images, annotation.categories, annotation.predicates)
