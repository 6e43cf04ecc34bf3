"""`load_instances`: from a name and a split to images with their objects, which a detector learns from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.datasets.catalogue import ImageFolders
from dsg.datasets.formats.coco_instances import read_coco
from dsg.datasets.formats.instances import Instances, InstanceSet, mirrored_instances
from dsg.datasets.formats.voc import classes_of, read_classes, read_voc
from dsg.datasets.instance_layouts import COCO, VOC, Choice, List, Source, choose, find_instances
from dsg.datasets.plausibility import BoxTally
from dsg.datasets.records import Dataset, Vocabulary
from dsg.datasets.splits import SPLITS, rr_split
from dsg.errors import UserError

RECORD_POLICIES = ("skip", "error")
LOST = ("object", "box")
"""How reasons begin for which an object is left out; others concern images, or parts of boxes."""
EMPTY = "image without an object to learn from"
BOX_ORDERS = {COCO: "[x, y, width, height]", VOC: "xmin, ymin, xmax, ymax"}
CLASS_FILE = "classes.txt"


@dataclass(frozen=True, eq=False)
class InstanceDataset(Dataset):
    """A split of a data set for detection; `vocabulary.predicates` is empty."""

    records: Sequence[Instances]  # type: ignore[assignment]

    def amount(self) -> str:
        """What the images hold, in words."""
        objects = sum(len(record.boxes) for record in self.records if not record.flipped)
        return f"{objects:,} objects of {len(self.vocabulary.objects)} classes"


def load_instances(
    name: str | os.PathLike[str],
    split: str,
    *,
    data_dir: str | os.PathLike[str] = Path("data"),
    flip: bool = False,
    on_bad_record: str = "skip",
    max_images: int | None = None,
    layout: str = "",
) -> InstanceDataset:
    """The images of a split with their objects, in the order of its files.

    Class k of a record is `vocabulary.objects[k - 1]`. Which files are which split: see
    `dsg.datasets.instance_layouts`; where validation has none of its own it is cut from those for training,
    the last tenth of the images by name.

    Args:
        name: pascal_voc (2007), pascal_voc_0712 (trained on 2007 and 2012, tested on 2007), coco (2017),
            shapes, or a folder in VOC's or COCO's layout.
        split: train, validation, test, or trainval: train and validation together.
        data_dir: folder of the data sets, or the data set's own folder.
        flip: append the mirror image of every record of train and trainval; ignored for other splits.
        on_bad_record: "skip" leaves out objects and images that are invalid and counts them in
            `Dataset.skipped`; "error" stops at the first.
        max_images: only the first images of the split, before mirroring (0 and None: all).
        layout: "voc" or "coco" where a folder has both; empty: COCO's, which has masks.

    Returns:
        The records; those of train and trainval have an object to learn from, neither difficult nor a crowd.

    Raises:
        UserError: the data set or a file of it is missing or not of the format; more than half of the
            objects are invalid, or of the boxes smaller than a pixel, or leave their images; no image is
            left; an argument has an unknown value.

    Example:
        >>> dataset = load_instances("shapes", "test")
        >>> print(dataset.summary())
        shapes test: 400 images, 2,017 objects of 48 classes (data/shapes)
    """
    split = {"val": "validation"}.get(split, split)
    _check_choice("split", split, SPLITS)
    _check_choice("on_bad_record", on_bad_record, RECORD_POLICIES)
    _check_choice("layout", layout, ("", VOC, COCO))
    source = find_instances(name, Path(data_dir), layout)
    choice = choose(source, split)
    loaded = _read_all(source, split, choice)
    if on_bad_record == "error" and loaded.skipped:
        reason, cases = next(iter(loaded.skipped.items()))
        detail = f" ({cases[0][1]})" if cases[0][1] else ""
        raise UserError(
            f"{source.folder}: image {cases[0][0]!r}: {reason}{detail}; correct it, or skip bad records"
        )
    _check(source, loaded)
    images = _cut(loaded.images, split) if choice.cut else loaded.images
    learns = split in ("train", "trainval")
    records = [image for image in images if not learns or can_teach(image).any()]
    if learns and len(records) < len(images):
        loaded.skipped[EMPTY] = [(image.name, "") for image in images if not can_teach(image).any()]
    records = records[: max_images or None]
    if not records:
        raise UserError(f"{source.folder}: no image for {split} with an object; {_why_none(loaded)}")
    if flip and learns:
        records = [*records, *map(mirrored_instances, records)]
    vocabulary = Vocabulary(loaded.classes[1:], ())
    return InstanceDataset(source.label, split, source.folder, vocabulary, records, loaded.skipped)


def can_teach(image: Instances) -> np.ndarray:
    """Which objects a detector is trained on, bool [G]: neither difficult ones nor crowds."""
    return ~(image.difficult | image.crowd)


def _read_all(source: Source, split: str, choice: Choice) -> InstanceSet:
    """The images of all lists, one after the other."""
    classes = _classes(source)
    read = [_read(source, part, split, classes) for part in choice.lists]
    first = read[0]
    for part, other in zip(choice.lists[1:], read[1:]):
        if other.classes != first.classes:
            raise UserError(
                f"{part.folder}: {part.name} and {choice.lists[0].name} have different categories; "
                "write the same list of categories into both files"
            )
        first.images.extend(other.images)
        first.stated.extend(other.stated)
        for reason, cases in other.skipped.items():
            first.skipped.setdefault(reason, []).extend(cases)
    return first


def _classes(source: Source) -> tuple[str, ...] | None:
    """Of a folder in VOC's layout: what it lists, or the names in the annotations to train on."""
    if source.classes is not None or source.layout == COCO:
        return source.classes
    path = source.folder / CLASS_FILE
    if path.is_file():
        return read_classes(path)
    (part,) = choose(source, "train").lists
    return classes_of(part.folder, part.name)


def _read(source: Source, part: List, split: str, classes: tuple[str, ...] | None) -> InstanceSet:
    images = (part.name, f"images/{part.name}")
    file_split = "test" if split == "test" else "train"
    if source.layout == COCO:
        folders = ImageFolders(part.folder, None, file_split, images)
        return read_coco(part.folder, part.name, folders.path)
    folders = ImageFolders(part.folder, None, file_split, ("JPEGImages", *images))
    assert classes is not None
    return read_voc(part.folder, part.name, classes, folders.path_of_stem)


def _cut(images: list[Instances], split: str) -> list[Instances]:
    train, validation = rr_split([image.name for image in images])
    chosen = set(train if split == "train" else validation)
    return [image for image in images if image.name in chosen]


def _check(source: Source, loaded: InstanceSet) -> None:
    """Refuses annotations of which most cannot be used."""
    lost = {reason: cases for reason, cases in loaded.skipped.items() if reason.startswith(LOST)}
    number = sum(map(len, lost.values()))
    total = number + sum(len(image.boxes) for image in loaded.images)
    tally = BoxTally()
    if loaded.stated:
        stated = np.array(loaded.stated, np.float64)
        tally.add(stated[:, :4], stated[:, 4:])
    fault = tally.fault(BOX_ORDERS[source.layout])
    if fault:
        raise UserError(f"{source.folder}: {fault}")
    if 2 * number > total:
        reason, cases = max(lost.items(), key=lambda item: len(item[1]))
        raise UserError(
            f"{source.folder}: {number:,} of {total:,} objects cannot be used, mostly {reason} (image "
            f"{cases[0][0]!r}, {cases[0][1]}); do images, categories and annotations belong together?"
        )


def _why_none(loaded: InstanceSet) -> str:
    reasons = sorted(loaded.skipped.items(), key=lambda item: -len(item[1]))
    texts = [f"{reason}: {len(cases):,} ({cases[0][0]!r})" for reason, cases in reasons]
    return "; ".join(texts) or "the list is too short to be split"


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise UserError(f"{option}: unknown value {value!r}; it is one of {known}")
