"""VG150's HDF5 file with its dictionary and `image_data.json`, in a folder: train and test images.

Names of images are `<image_id>.jpg`. Images that are called otherwise are numbered from 1 when written; their
own names stand as `file_name` in `image_data.json`, which VG150 has not, and are read from there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation, Relation, Thing
from dsg.datasets.formats.exchange.entries import positions
from dsg.datasets.formats.vg150 import REMOVED, TEST, TRAIN, GraphImage, read_graph_arrays, read_vg150
from dsg.datasets.formats.vg150_writing import StoredGraph, write_vg150
from dsg.datasets.scene_graph_layout import find_graphs, is_graph_folder
from dsg.errors import UserError
from dsg.runtime.ids import whole_number
from dsg.runtime.text import read_json

NUMBERED = re.compile(r"[1-9]\d{0,8}\.jpg")


def recognised(folder: Path) -> bool:
    """Whether a folder is of this format."""
    return is_graph_folder(folder)


def read(folder: Path, pictures: Path | None = None) -> Annotation:
    """The annotation of a folder. Images without boxes are left out, and counted.

    Raises:
        UserError: a file is missing, damaged, or does not belong to the others.
    """
    files = find_graphs(folder, folder).files
    arrays = read_graph_arrays(files.graphs)
    result = Annotation([], (), ())
    for split, number in (("train", TRAIN), ("test", TEST)):
        rows = arrays["split"] == number
        if not (rows & (arrays["img_to_first_box"] >= 0)).any():
            continue
        graphs = read_vg150(files, split, need_relations=False, validation_images=0)
        result.categories, result.predicates = graphs.objects, graphs.predicates
        result.images += [_image(image, split, result) for image in graphs.images]
    if not result.images:
        raise UserError(f"{files.graphs}: no image has a box")
    names = {
        str(whole_number(entry.get("image_id"))): entry["file_name"]
        for entry in read_json(files.image_data)
        if isinstance(entry.get("file_name"), str) and entry["file_name"]
    }
    result.images = [_renamed(image, names) for image in result.images]
    lost = len(arrays["split"]) - len(result.images)
    result.skipped.update({"image without a box": [str(files.graphs)] * lost} if lost else {})
    return result


def write(folder: Path, annotation: Annotation) -> None:
    """Write an annotation; validation images are for training.

    Raises:
        UserError: there are no images, or the files cannot be written.
    """
    if not any(image.things for image in annotation.images):
        raise UserError(f"{folder}: nothing to write: no image has a box")
    categories, predicates = positions(annotation.categories), positions(annotation.predicates)
    graphs = [
        _stored(image, entry, categories, predicates)
        for image, entry in zip(annotation.images, entries(annotation.images))
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_vg150(folder, graphs, tuple(categories), tuple(predicates))
    except OSError as error:
        raise UserError(f"{folder}: cannot write the data set ({error.strerror or error})") from error


def entries(images: Sequence[AnnotatedImage]) -> list[dict[str, Any]]:
    """What `image_data.json` says of each image."""
    names = [image.file for image in images]
    own = all(map(NUMBERED.fullmatch, names)) and len(set(names)) == len(names)
    own = own and not {f"{number}.jpg" for number in REMOVED} & set(names)
    free = (number for number in range(1, len(images) + len(REMOVED) + 1) if number not in REMOVED)
    result = []
    for image, number in zip(images, free):
        size: dict[str, Any] = {"width": image.width, "height": image.height}
        if own:
            result.append({"image_id": int(image.file[:-4]), **size})
        else:
            result.append({"image_id": number, **size, "file_name": image.file})
    return result


def _stored(
    image: AnnotatedImage, entry: dict[str, Any], categories: dict[str, int], predicates: dict[str, int]
) -> StoredGraph:
    return StoredGraph(
        entry,
        image.split == "test",
        np.array([thing.box for thing in image.things], np.float64).reshape(-1, 4),
        np.array([categories[thing.name] for thing in image.things], np.int64),
        np.array(
            [(one.subject, one.object, predicates[one.predicate]) for one in image.relations], np.int64
        ).reshape(-1, 3),
    )


def _image(image: GraphImage, split: str, result: Annotation) -> AnnotatedImage:
    things = [
        Thing(str(number), result.categories[label], (box[0], box[1], box[2], box[3]))
        for number, (label, box) in enumerate(zip(image.labels.tolist(), image.boxes.tolist()))
    ]
    relations = [Relation(s, result.predicates[p], o) for s, o, p in image.relations.tolist()]
    key = image.name.rpartition(".")[0]
    sides = image.width, image.height
    return AnnotatedImage(key, image.name, *sides, tuple(things), tuple(relations), split)


def _renamed(image: AnnotatedImage, names: dict[str, str]) -> AnnotatedImage:
    return AnnotatedImage(**{**vars(image), "file": names.get(image.key, image.file)})
