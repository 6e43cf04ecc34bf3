"""The layout that training reads (data/README.md): it has relationships, and no things without one.

Two mentions of the same category and box are one thing, as training sees them. It is written by
`dsg.apps.convert.writer`, as by every converter.
"""

from __future__ import annotations

from pathlib import Path

from dsg.datasets.catalogue import holds_annotations
from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Relation, Thing
from dsg.datasets.formats.exchange.sizes import measured
from dsg.datasets.formats.referring import (
    annotation_file,
    iterate_annotations,
    not_a_list,
    read_sizes,
    read_vocabulary,
)
from dsg.datasets.formats.scene_graph import boxes_from_annotation, scene_graph
from dsg.datasets.records import Vocabulary

SPLITS = ("train", "validation", "test")


def recognised(folder: Path) -> bool:
    """Whether a folder is of this format."""
    return holds_annotations(folder)


def read(folder: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a folder, of all splits that have a file.

    Args:
        pictures: the folder of the images, for sizes that the metadata lack.

    Raises:
        UserError: a file is missing or not of the format; the message says where.
    """
    vocabulary = read_vocabulary(folder)
    result = Annotation([], vocabulary.objects, vocabulary.predicates)
    for split in SPLITS:
        if annotation_file(folder, split).is_file():
            _read_split(folder, split, pictures, vocabulary, result)
    return result


def _read_split(
    folder: Path, split: str, pictures: Path | None, vocabulary: Vocabulary, result: Annotation
) -> None:
    path = annotation_file(folder, split)
    sizes = read_sizes(folder, split)
    for name, relationships in iterate_annotations(folder, split):
        if not isinstance(relationships, list):
            raise not_a_list(path, name, relationships)
        if name not in sizes:
            result.skip("image not in the metadata", name)
            continue
        size = sizes[name] or measured(pictures, name, f"{path}: image {name!r}")

        def report(reason: str, position: int, detail: str, image: str = name) -> None:
            result.skip(reason, f"{image}, relationship {position}: {detail}")

        entities, triples = scene_graph(name, size, relationships, vocabulary, report, str(path))
        boxes = boxes_from_annotation([entity[1:] for entity in entities]).astype(float).tolist()
        things = [
            Thing(str(number), vocabulary.objects[entity[0]], (box[0], box[1], box[2], box[3]))
            for number, (entity, box) in enumerate(zip(entities, boxes))
        ]
        relations = [Relation(s, vocabulary.predicates[p], o) for s, p, o in triples]
        result.images.append(AnnotatedImage(name, name, *size, tuple(things), tuple(relations), split))
