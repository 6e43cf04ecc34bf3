"""`load_instances`: from a name and a split to images with their objects, which a detector learns from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from dsg.datasets.formats.instances import Instances
from dsg.datasets.instance_layouts import COCO, VOC, Source, choose, find_instances
from dsg.datasets.instance_reading import image_paths, read_tables
from dsg.datasets.instance_table import InstanceTable, Skipped, StoredInstances, joined
from dsg.datasets.records import Dataset, Vocabulary
from dsg.datasets.splits import SPLITS, rr_split
from dsg.errors import UserError

RECORD_POLICIES = ("skip", "error")
LEARNED = ("train", "trainval")
LOST = ("object", "box")
"""How reasons begin for which an object is left out; others concern images, or parts of boxes."""
EMPTY = "image without an object to learn from"


@dataclass(frozen=True, eq=False)
class InstanceDataset(Dataset):
    """A split of a data set for detection; `vocabulary.predicates` is empty."""

    records: Sequence[Instances]  # type: ignore[assignment]
    layout: str = COCO  # or VOC: of its files

    def amount(self) -> str:
        """What the images hold, in words."""
        if isinstance(self.records, StoredInstances):
            objects = int(self.records.object_counts[~self.records.flipped].sum())
        else:
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
    cache: bool | str | os.PathLike[str] = True,
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
        cache: whether large files of COCO's are kept in checked form for the next time, and maybe the folder
            for it; see `dsg.datasets.kept`.

    Returns:
        The records; those of train and trainval have an object to learn from, neither difficult nor a crowd.

    Raises:
        UserError: the data set or a file of it is missing or not of the format; more than half of the
            objects are invalid, or of the boxes smaller than a pixel, or leave their images; no image is
            left; an argument has an unknown value.

    Example:

        dataset = load_instances("shapes", "train", flip=True)
        print(dataset.summary())  # shapes train: 2,700 images and 2,700 mirrored, ... objects of 48 classes
    """
    split = {"val": "validation"}.get(split, split)
    _check_choice("split", split, SPLITS)
    _check_choice("on_bad_record", on_bad_record, RECORD_POLICIES)
    _check_choice("layout", layout, ("", VOC, COCO))
    source = find_instances(name, Path(data_dir), layout)
    choice = choose(source, split)
    tables = read_tables(source, choice, cache)
    table = joined(tables)
    if on_bad_record == "error" and table.skipped:
        reason, cases = next(iter(table.skipped.items()))
        detail = f" ({cases[0][1]})" if cases[0][1] else ""
        raise UserError(
            f"{source.folder}: image {cases[0][0]!r}: {reason}{detail}; correct it, or skip bad records"
        )
    _check_losses(source, table)
    images, skipped = np.arange(len(table.names)), table.skipped
    if choice.cut:
        images = _cut(table.names, split)
    if split in LEARNED:
        teaches = _teaches(table)[images]
        empty = [(table.names[image], "") for image in images[~teaches].tolist()]
        skipped = {**skipped, **({EMPTY: empty} if empty else {})}
        images = images[teaches]
    images = images[: max_images or None]
    if not len(images):
        raise UserError(f"{source.folder}: no image for {split} with an object; {_why_none(skipped)}")
    flipped = np.zeros(len(images), bool)
    if flip and split in LEARNED:
        images, flipped = np.concatenate([images, images]), np.concatenate([flipped, ~flipped])
    records = StoredInstances(table, images, flipped, image_paths(source, choice, split, tables))
    vocabulary = Vocabulary(table.classes[1:], ())
    return InstanceDataset(
        *(source.label, split, source.folder, vocabulary, records, skipped), layout=source.layout
    )


def instances_of(dataset: Dataset) -> Sequence[Instances]:
    """The records of a data set that `load_instances` gave."""
    return cast("Sequence[Instances]", dataset.records)


def can_teach(image: Instances) -> np.ndarray:
    """Which objects a detector is trained on, bool [G]: neither difficult ones nor crowds."""
    return ~(image.difficult | image.crowd)


def _cut(names: list[str], split: str) -> np.ndarray:
    """Positions of the images of train or validation, cut from the same list."""
    train, validation = rr_split(names)
    chosen = set(train if split == "train" else validation)
    return np.array([position for position, name in enumerate(names) if name in chosen], np.int64)


def _teaches(table: InstanceTable) -> np.ndarray:
    """Which images show an object that is learned from, bool [I]."""
    before = np.concatenate([[0], np.cumsum(~table.marks.any(axis=1))])
    return before[table.starts[1:]] > before[table.starts[:-1]]


def _check_losses(source: Source, table: InstanceTable) -> None:
    """Refuses annotations of which most cannot be used."""
    lost = {reason: cases for reason, cases in table.skipped.items() if reason.startswith(LOST)}
    number = sum(map(len, lost.values()))
    total = number + len(table.boxes)
    if 2 * number > total:
        reason, cases = max(lost.items(), key=lambda item: len(item[1]))
        raise UserError(
            f"{source.folder}: {number:,} of {total:,} objects cannot be used, mostly {reason} (image "
            f"{cases[0][0]!r}, {cases[0][1]}); do images, categories and annotations belong together?"
        )


def _why_none(skipped: Skipped) -> str:
    reasons = sorted(skipped.items(), key=lambda item: -len(item[1]))
    texts = [f"{reason}: {len(cases):,} ({cases[0][0]!r})" for reason, cases in reasons]
    return "; ".join(texts) or "the list is too short to be split"


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise UserError(f"{option}: unknown value {value!r}; it is one of {known}")
