"""VG150: Visual Genome's scene graphs with 150 categories and 50 predicates, as `VG-SGG.h5` or
`VG-SGG-with-attri.h5`, its dictionaries (JSON) and `image_data.json`.

Categories and predicates are numbered from 0 in alphabetical order; in the files they are from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.errors import UserError
from dsg.runtime.hdf5 import read_hdf5
from dsg.runtime.ids import whole_number
from dsg.runtime.text import read_json

REMOVED = (1592, 1722, 4616, 4617)
"""Ids of `image_data.json` that the rows of the HDF5 file leave out."""
VALIDATION_IMAGES = 5000
LONGER_SIDE = 1024  # of an image in the units of `boxes_1024`
LIMIT = 10**12
"""Coordinates, ids and numbers of rows are below."""
BOXES = "boxes_1024"
TRAIN, TEST = 0, 2  # in `split`
RANGES = ("img_to_first_box", "img_to_last_box", "img_to_first_rel", "img_to_last_rel")
SIZES = {BOXES: 4, "labels": 1, "relationships": 2, "predicates": 1}
"""The columns of the arrays that have a row for each box or relation."""
ATTRIBUTES = "attributes"


@dataclass(frozen=True, eq=False)
class GraphImage:
    """An image with its scene graph, in pixels of the original image."""

    name: str  # image file
    path: Path
    width: int
    height: int
    boxes: np.ndarray  # float64 [B, 4]: x1 y1 x2 y2, widths are x2 - x1; corners may lie outside
    labels: np.ndarray  # int32 [B], from 0
    attributes: np.ndarray  # int32 [B, 10], from 1, 0 none; empty [B, 0] where the file has none
    relations: np.ndarray  # int32 [T, 3]: subject row, object row, predicate from 0; rows may repeat
    flipped: bool = False


@dataclass(frozen=True, eq=False)
class GraphSet:
    """The images of a split."""

    objects: tuple[str, ...]
    predicates: tuple[str, ...]
    images: list[GraphImage]
    skipped: dict[str, list[str]] = field(default_factory=dict)  # reason -> images


@dataclass(frozen=True)
class Vg150Files:
    """Where the files lie."""

    graphs: Path  # VG-SGG.h5 or VG-SGG-with-attri.h5
    dictionary: Path  # VG-SGG-dicts.json or VG-SGG-dicts-with-attri.json
    image_data: Path
    images: Path  # folder of <image id>.jpg


def read_vg150(
    files: Vg150Files,
    split: str,
    *,
    need_relations: bool = True,
    validation_images: int | None = VALIDATION_IMAGES,
) -> GraphSet:
    """The images of a split, in the order of the file.

    Images without boxes are left out. With `need_relations` also images without relations, and in training
    relations whose boxes do not overlap, with the images that then have none; `skipped` names them all. The
    first `validation_images` of the train rows, counted before that last filter, are the validation split.

    Args:
        files: the data set.
        split: train, validation or test.
        need_relations: as the scene-graph stage needs them; False: as the detector's stage does.
        validation_images: 0: no validation split, all are for training; None: a tenth, at most
            `VALIDATION_IMAGES`.

    Raises:
        UserError: a file is missing, damaged, or does not belong to the others; no image is left.
    """
    arrays = read_graph_arrays(files.graphs)
    dictionary = read_json(files.dictionary)
    objects = _names(dictionary, "label_to_idx", files.dictionary)
    predicates = _names(dictionary, "predicate_to_idx", files.dictionary)
    _check_numbers(arrays, len(objects), len(predicates), files)
    sizes = _image_sizes(files, len(arrays["split"]))
    rows, left_out = _rows(arrays, split, need_relations, validation_images, files.graphs)
    skipped = {reason: [f"{sizes[row][0]}.jpg" for row in rows] for reason, rows in left_out.items()}
    result = GraphSet(objects, predicates, [], skipped)
    for row in rows:
        image = _image(arrays, row, sizes[row], files)
        if need_relations and split == "train":
            image = _overlapping(image)
            if not len(image.relations):
                result.skipped.setdefault("no relation between boxes that overlap", []).append(image.name)
                continue
        result.images.append(image)
    if not result.images:
        raise UserError(f"{files.graphs}: no image of {split} can be used")
    return result


def draw_relations(relations: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One row for each ordered pair of boxes, in the order in which pairs first appear: int32 [T', 3].

    Each row of a pair is drawn with the same probability, so that a repeated one weighs more.
    """
    rows: dict[tuple[int, int], list[int]] = {}
    for row, (subject, object_, _) in enumerate(relations.tolist()):
        rows.setdefault((subject, object_), []).append(row)
    chosen = [choices[int(rng.integers(len(choices)))] for choices in rows.values()]
    return relations[chosen]


def read_graph_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an HDF5 file, of the shapes that the format has.

    Raises:
        UserError: the file is missing, damaged or not VG150's.
    """
    arrays = read_hdf5(path, ["split", *RANGES, *SIZES], optional=[ATTRIBUTES])
    arrays = {name: _numbers(values, name, path) for name, values in arrays.items()}
    images = len(arrays["split"]) if arrays["split"].ndim == 1 else -1
    for name in RANGES:
        if arrays[name].shape != (images,):
            raise UserError(f"{path}: {name} is {list(arrays[name].shape)}; it must be as long as split")
    for name, columns in SIZES.items():
        if arrays[name].ndim != 2 or arrays[name].shape[1] != columns:
            raise UserError(f"{path}: {name} is {list(arrays[name].shape)}, not [*, {columns}]")
    for first, second in ((BOXES, "labels"), ("relationships", "predicates")):
        if len(arrays[first]) != len(arrays[second]):
            raise UserError(f"{path}: {first} and {second} are not of the same length")
    attributes = arrays.setdefault(ATTRIBUTES, np.zeros((len(arrays["labels"]), 0), np.int32))
    if attributes.ndim != 2 or len(attributes) != len(arrays["labels"]):
        raise UserError(f"{path}: {ATTRIBUTES} is {list(attributes.shape)}; it must be as long as labels")
    return arrays


def _numbers(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """The numbers of an array: of boxes as they are, all others whole, int64.

    Raises:
        UserError: they are none that pixels, categories or rows can have.
    """
    if values.size and not (values.min() > -LIMIT and values.max() < LIMIT):  # also what is not a number
        raise UserError(f"{path}: {name} from {values.min()} to {values.max()}; the file is damaged")
    return values if name == BOXES else values.astype(np.int64, copy=False)


def _names(dictionary: Any, key: str, path: Path) -> tuple[str, ...]:
    numbers = dictionary.get(key) if isinstance(dictionary, dict) else None
    if not isinstance(numbers, dict) or not numbers:
        raise UserError(f"{path}: has no {key}; it must be VG-SGG-dicts.json")
    names = sorted(numbers, key=lambda name: whole_number(numbers[name]) or 0)
    if [whole_number(numbers[name]) for name in names] != list(range(1, len(names) + 1)):
        raise UserError(f"{path}: {key} does not count from 1 to {len(names)}")
    return tuple(names)


def _check_numbers(
    arrays: Mapping[str, np.ndarray], objects: int, predicates: int, files: Vg150Files
) -> None:
    """See that labels and predicates are in the dictionary, and ranges in the arrays."""
    for name, limit in (("labels", objects), ("predicates", predicates)):
        numbers = arrays[name]
        if numbers.size and not 1 <= numbers.min() <= numbers.max() <= limit:
            bad = int(np.flatnonzero((numbers < 1) | (numbers > limit))[0])
            raise UserError(
                f"{files.graphs}: {name}[{bad}] is {numbers.flat[bad]}, {files.dictionary.name} has 1 "
                f"to {limit}; the two files must be of one release"
            )
    for kind, rows in (("box", "labels"), ("rel", "predicates")):
        first, last = arrays[f"img_to_first_{kind}"], arrays[f"img_to_last_{kind}"]
        outside = (first >= 0) & ((last < first) | (last >= len(arrays[rows])))
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise UserError(
                f"{files.graphs}: row {row} has {rows} {first[row]} to {last[row]} of {len(arrays[rows])}; "
                "the file is cut or damaged, fetch it again"
            )


def _image_sizes(files: Vg150Files, rows: int) -> list[tuple[int, int, int]]:
    """Id, width and height of each row."""
    path, content = files.image_data, read_json(files.image_data)
    if not isinstance(content, list):
        raise UserError(f"{path}: is not a list of images; it must be Visual Genome's image_data.json")
    sizes = []
    for number, image in enumerate(content):
        entry = image if isinstance(image, dict) else {}
        values = [whole_number(entry.get(key)) for key in ("image_id", "width", "height")]
        if not all(value is not None and 1 <= value < LIMIT for value in values):
            raise UserError(f"{path}: image {number} has no image_id, width and height: {str(image)[:60]}")
        if values[0] not in REMOVED:
            sizes.append((int(values[0] or 0), int(values[1] or 0), int(values[2] or 0)))
    if len(sizes) != rows:
        raise UserError(
            f"{path}: {len(sizes):,} images (without ids {', '.join(map(str, REMOVED))}), "
            f"{files.graphs.name} has {rows:,}; the two must belong together"
        )
    return sizes


def _rows(
    arrays: Mapping[str, np.ndarray],
    split: str,
    need_relations: bool,
    validation_images: int | None,
    path: Path,
) -> tuple[list[int], dict[str, list[int]]]:
    """The rows of a split, and those that are left out of it by the reason."""
    if split not in ("train", "validation", "test"):
        raise UserError(f"{path}: no split {split!r}; VG150 has train, validation and test")
    boxes, relations = (arrays[f"img_to_first_{kind}"] >= 0 for kind in ("box", "rel"))
    usable = boxes & relations if need_relations else boxes
    own = arrays["split"] == (TEST if split == "test" else TRAIN)
    rows = np.flatnonzero(usable & own)
    if split != "test":
        if validation_images is None:
            validation_images = min(VALIDATION_IMAGES, len(rows) // 10)
        first = rows[validation_images] if validation_images < len(rows) else len(own)  # of training
        first = first if validation_images else 0
        own &= (np.arange(len(own)) < first) == (split == "validation")
    reasons = {"no objects": ~boxes, "no relations": boxes & ~usable}
    left_out = {reason: np.flatnonzero(own & which).tolist() for reason, which in reasons.items()}
    return np.flatnonzero(usable & own).tolist(), {
        reason: found for reason, found in left_out.items() if found
    }


def _image(
    arrays: Mapping[str, np.ndarray], row: int, size: tuple[int, int, int], files: Vg150Files
) -> GraphImage:
    identity, width, height = size
    first = int(arrays["img_to_first_box"][row])
    own = slice(first, int(arrays["img_to_last_box"][row]) + 1)
    boxes = arrays[BOXES][own].astype(np.float64)
    # As the release reads them: corners are whole numbers, halves go towards zero.
    corners = np.trunc(boxes[:, :2] - boxes[:, 2:] / 2)
    boxes = np.concatenate([corners, corners + boxes[:, 2:]], 1) * (max(width, height) / LONGER_SIDE)
    name = f"{identity}.jpg"
    return GraphImage(
        *(name, files.images / name, width, height),
        boxes=boxes,
        labels=arrays["labels"][own, 0].astype(np.int32) - 1,
        attributes=arrays[ATTRIBUTES][own].astype(np.int32),
        relations=_relations(arrays, row, first, len(boxes), files.graphs),
    )


def _relations(
    arrays: Mapping[str, np.ndarray], row: int, first_box: int, boxes: int, path: Path
) -> np.ndarray:
    first = int(arrays["img_to_first_rel"][row])
    if first < 0:
        return np.zeros((0, 3), np.int32)
    own = slice(first, int(arrays["img_to_last_rel"][row]) + 1)
    pairs = arrays["relationships"][own].astype(np.int64) - first_box
    if pairs.min() < 0 or pairs.max() >= boxes:
        raise UserError(
            f"{path}: row {row} relates boxes of another image; the file is damaged, fetch it again"
        )
    return np.concatenate([pairs, arrays["predicates"][own].astype(np.int64) - 1], 1).astype(np.int32)


def _overlapping(image: GraphImage) -> GraphImage:
    overlaps = iou(image.boxes, image.boxes, inclusive=False)
    kept = overlaps[image.relations[:, 0], image.relations[:, 1]] > 0
    return GraphImage(**{**vars(image), "relations": image.relations[kept]})
