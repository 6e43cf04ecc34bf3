"""`load_dataset`: from a name and a split to the records that everything else works on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.annotations import (
    annotation_file,
    metadata_file,
    read_annotations,
    read_sizes,
    read_vocabulary,
)
from dsg.datasets.catalogue import Entry, ImageFolders, find_dataset
from dsg.datasets.mirror import mirror_map, mirrored
from dsg.datasets.records import Dataset, ImageRecord, Vocabulary
from dsg.datasets.roidb import build_record
from dsg.datasets.splits import SPLIT_RULES, SPLITS, dsg_split, rr_split
from dsg.errors import UserError

FLIPS = ("none", "released", "swap_lr")
MULTI_PREDICATE = ("sample_once", "sample_each_epoch")
RECORD_POLICIES = ("skip", "keep", "error")
BAD_RECORDS = ("category out of range", "predicate out of range", "box inverted", "box outside the image")

Skipped = dict[str, list[tuple[str, str]]]


def load_dataset(
    name: str | os.PathLike[str],
    split: str,
    *,
    data_dir: str | os.PathLike[str] = Path("data"),
    flip: bool | str = False,
    multi_predicate: str = "sample_once",
    split_rule: str = "rr",
    seed: int = 3,
    on_bad_record: str = "skip",
    max_images: int | None = None,
    keep_self: bool = False,
) -> Dataset:
    """The records of a split, in the order of the metadata file, without the images that ask nothing.

    Args:
        name: of the catalogue (visualgenome, vrd, clevr, shapes), or a folder of the same layout.
        split: train, validation, test, or trainval (the whole train file). A file `annotations_<split>.json`
            is used if there is one; otherwise validation is cut from train by `split_rule`.
        data_dir: folder of the data sets, or the data set's own folder.
        flip: False or "none"; "released" appends the mirror image of every record, labels untouched;
            "swap_lr" also exchanges predicates such as left and right. Only train (under "dsg" also
            validation) is mirrored, the argument may always be given.
        multi_predicate: which of several predicates of a pair `ImageRecord.predicates` holds. Either way it
            is drawn here, once; with "sample_each_epoch" the pipeline draws anew from `triples` with
            `draw_predicates`.
        split_rule: "rr" or "dsg", see `splits`.
        seed: of the draws, and of the shuffle of "dsg".
        on_bad_record: "skip" leaves out relationships and images that make no sense and counts them in
            `Dataset.skipped`; "error" stops at the first. "keep" is "skip", but boxes wholly outside their
            image stay, as in the release.
        max_images: only the first images of the split, before mirroring (0 and None: all).
        keep_self: relations of an entity to itself make queries, too (`roles` leaves them out).

    Raises:
        UserError: the data set or a file of it is missing or not of the format; more than half of the
            relationships make no sense; no image is left; an argument has an unknown value.

    Example:
        >>> dataset = load_dataset("vrd", "train", flip="released")
        >>> print(dataset.summary())
    """
    split = {"val": "validation"}.get(split, split)
    flip = {False: "none", True: "released"}[flip] if isinstance(flip, bool) else flip
    _check_choice("split", split, SPLITS)
    _check_choice("flip", flip, FLIPS)
    _check_choice("multi_predicate", multi_predicate, MULTI_PREDICATE)
    _check_choice("split_rule", split_rule, SPLIT_RULES)
    _check_choice("on_bad_record", on_bad_record, RECORD_POLICIES)
    label, folder, entry = find_dataset(name, Path(data_dir))
    source = _Source(label, folder, entry, split, on_bad_record, seed, keep_self)

    cut = split in ("train", "validation") and not annotation_file(folder, "validation").is_file()
    swap = mirror_map(source.vocabulary.predicates) if flip == "swap_lr" else None
    limit = max_images or None
    if cut and split_rule == "dsg":
        records = _dsg_records(source, split, flip != "none", swap, seed)[:limit]
    else:
        names = source.names
        if cut:
            train, validation = rr_split(names)
            names = validation if split == "validation" else train
        records = source.records(names, limit)
        if flip != "none" and split in ("train", "trainval"):
            records += [mirrored(record, swap) for record in records]
    source.check(records)
    return Dataset(label, split, folder, source.vocabulary, records, source.skipped)


class _Source:
    """The files of a split, read and joined; makes records and keeps the account of what is left out."""

    def __init__(
        self,
        label: str,
        folder: Path,
        entry: Entry | None,
        split: str,
        on_bad_record: str,
        seed: int,
        keep_self: bool,
    ) -> None:
        own = split == "test" or annotation_file(folder, split).is_file()
        self.file_split = split if own else "train"
        self.file = annotation_file(folder, self.file_split)
        self.vocabulary = _vocabulary(label, folder, entry)
        self.annotations = read_annotations(folder, self.file_split)
        self.sizes = read_sizes(folder, self.file_split)
        self.images = ImageFolders(folder, entry, self.file_split)
        self.rng = np.random.RandomState(seed)
        self.skipped: Skipped = {}
        self.relationships = 0
        self._strict = on_bad_record == "error"
        self._keep_outside = on_bad_record == "keep"
        self._keep_self = keep_self
        sizes_file = metadata_file(folder, self.file_split).name
        for name in self.annotations:
            if name not in self.sizes:
                self.skip("image without a size", name, f"not in {sizes_file}")
        for name in self.sizes:
            if name not in self.annotations:
                self.skip("size without annotations", name, f"not in {self.file.name}", sound=True)
        self.names = [name for name in self.sizes if name in self.annotations]

    def skip(self, reason: str, image: str, detail: str = "", sound: bool = False) -> None:
        """Counts what is left out; `sound` where it is no mistake."""
        if self._strict and not sound:
            place = f"{self.file}: image {image!r}"
            raise UserError(
                f"{place}: {reason}{f' ({detail})' if detail else ''}; correct it, or skip bad records"
            )
        self.skipped.setdefault(reason, []).append((image, detail))

    def records(self, names: list[str], limit: int | None = None) -> list[ImageRecord]:
        """Records with queries of the first `limit` such images."""
        found: list[ImageRecord] = []
        for name in names:
            if limit is not None and len(found) == limit:
                break
            record = self.record(name)
            if record is not None and self.has_queries(record):
                found.append(record)
        return found

    def record(self, name: str) -> ImageRecord | None:
        """The record of an image, maybe without queries; None where its size is not known."""
        size = self.sizes[name]
        if size is None:
            self.skip("image without a valid width and height", name)
            return None
        relationships = self.annotations[name]
        self.relationships += len(relationships)

        def report(reason: str, position: int, detail: str) -> None:
            self.skip(reason, name, f"relationship {position}: {detail}")

        return build_record(
            name,
            self.images.path(name),
            size,
            relationships,
            self.vocabulary,
            self.rng,
            report,
            str(self.file),
            self._keep_outside,
            self._keep_self,
        )

    def has_queries(self, record: ImageRecord) -> bool:
        """Whether the image asks anything; counts it where not."""
        if len(record.queries):
            return True
        if record.flipped:
            return False  # counted with its original
        if not self.annotations[record.name]:
            self.skip("image without relationships", record.name, sound=True)
        else:
            self.skip(
                "image without a query", record.name, "no relationship between two entities", sound=True
            )
        return False

    def check(self, records: list[ImageRecord]) -> None:
        """Refuses what is too broken to work with."""
        bad = {reason: self.skipped[reason] for reason in BAD_RECORDS if reason in self.skipped}
        number = sum(map(len, bad.values()))
        if number > self.relationships / 2:
            reason, cases = max(bad.items(), key=lambda item: len(item[1]))
            image, detail = cases[0]
            raise UserError(
                f"{self.file}: {number} of {self.relationships} relationships make no sense, mostly {reason}"
                f" (image {image!r}, {detail}); do annotations, metadata and vocabularies belong together?"
            )
        if not records:
            raise UserError(
                f"{self.file}: no image with a query for this split; the file is empty or too small to split"
            )


def _dsg_records(
    source: _Source, split: str, flip: bool, swap: np.ndarray | None, seed: int
) -> list[ImageRecord]:
    """Train or validation as the release cuts them: images without queries leave after the shuffle."""
    entries = [record for record in map(source.record, source.names) if record is not None]
    if flip:
        entries += [mirrored(record, swap) for record in entries]
    train, validation = dsg_split([record.name for record in entries], seed)
    chosen = [entries[position] for position in (validation if split == "validation" else train)]
    return [record for record in chosen if source.has_queries(record)]


def _vocabulary(label: str, folder: Path, entry: Entry | None) -> Vocabulary:
    vocabulary = read_vocabulary(folder)
    if entry is not None:
        for file, names, expected in (
            ("objects.json", vocabulary.objects, entry.objects),
            ("predicates.json", vocabulary.predicates, entry.predicates),
        ):
            if len(names) != expected:
                raise UserError(
                    f"{folder / file}: {len(names)} names where {label} has {expected}; "
                    "if this is another data set, give its folder as the data set's name"
                )
    return vocabulary


def _check_choice(option: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{option}: unknown value {value!r}; it is one of {', '.join(choices)}")
