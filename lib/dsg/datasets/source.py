"""The files of a split as `load_dataset` sees them: which images there are, which of them are taken, and the
account of what is left out.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dsg.datasets.catalogue import LEADS_OUT, Entry, ImageFolders, leads_out
from dsg.datasets.formats.referring import (
    ANNOTATIONS,
    annotation_file,
    metadata_file,
    read_metadata,
    read_vocabulary,
    size_text,
    unused_files,
)
from dsg.datasets.picture_size import PictureSizes
from dsg.datasets.plausibility import BoxTally
from dsg.datasets.records import Vocabulary
from dsg.datasets.splits import dsg_split, rr_split
from dsg.datasets.table.cache import load_table
from dsg.datasets.table.counting import rows_of
from dsg.errors import UserError

BAD_RECORDS = ("category out of range", "predicate out of range", "box inverted", "box outside the image")

UNSIZED, UNANNOTATED = "image without a size", "size without annotations"
BOX_ORDER = "[ymin, ymax, xmin, xmax]"

Skipped = dict[str, list[tuple[str, str]]]


class Source:
    """The table of a split; chooses images and keeps the account of what is left out."""

    def __init__(
        self,
        label: str,
        folder: Path,
        entry: Entry | None,
        split: str,
        on_bad_record: str,
        keep_self: bool,
        cache: bool | str | os.PathLike[str],
    ) -> None:
        own = split == "test" or annotation_file(folder, split).is_file()
        file_split = split if own else "train"
        self.file = annotation_file(folder, file_split)
        self.vocabulary = _vocabulary(label, folder, entry)
        self.images = ImageFolders(folder, entry, file_split)
        self._pictures = PictureSizes(self.images.path)
        self.table = load_table(
            folder, file_split, self.vocabulary, on_bad_record == "keep", cache, self._pictures
        )
        self._folder, self._split, self._file_split = folder, split, file_split
        names = self.table.names
        self.outside = np.fromiter(map(leads_out, names), bool, len(names))  # [I]
        self.valid = (self.table.sizes > 0).all(axis=1) & ~self.outside  # [I]
        self.asks = (self.table.queries[:, int(keep_self)] > 0) & ~self.outside  # [I]
        self.skipped: Skipped = {}
        self.relationships = 0
        self._strict = on_bad_record == "error"
        for name in self.table.unsized:
            self.skip(UNSIZED, name, f"not in {metadata_file(folder, file_split).name}")
        for name in self.table.unannotated:
            self.skip(UNANNOTATED, name, f"not in {self.file.name}", sound=True)

    def skip(self, reason: str, image: str, detail: str = "", sound: bool = False) -> None:
        """Counts what is left out; `sound` where it is no mistake."""
        if self._strict and not sound:
            place = f"{self.file}: image {image!r}"
            raise UserError(
                f"{place}: {reason}{f' ({detail})' if detail else ''}; correct it, or skip bad records"
            )
        self.skipped.setdefault(reason, []).append((image, detail))

    def examine(self, images: np.ndarray, asked: bool) -> None:
        """Takes note of everything that is wrong with these images, in their order.

        Args:
            images: int [N], positions in the table.
            asked: take note, too, of those without a query.
        """
        self.relationships += int(self.table.relationships[images[self.valid[images]]].sum())
        noted = ~self.valid
        noted[[*self.table.reports, *self.table.faults]] = True
        if asked:
            noted |= ~self.asks
        shown = False
        for image in images[noted[images]].tolist():
            name = self.table.names[image]
            if self.outside[image]:
                self.skip(LEADS_OUT, name)
                continue
            if not self.valid[image]:
                detail = "" if shown else self._size_text(name)
                shown = True
                self.skip("image without a valid width and height", name, detail)
                continue
            if image in self.table.faults:
                raise UserError(f"{self.file}{self.table.faults[image]}")
            for reason, position, detail in self.table.reports.get(image, ()):
                self.skip(reason, name, f"relationship {position}: {detail}")
            if asked and not self.asks[image]:
                self.note_silent(image)

    def _size_text(self, image: str) -> str:
        return size_text(read_metadata(self._folder, self._file_split).get(image))

    def note_silent(self, image: int) -> None:
        """Counts an image that asks nothing."""
        if self.table.relationships[image] == 0:
            self.skip("image without relationships", self.table.names[image], sound=True)
        else:
            detail = "no relationship between two entities"
            self.skip("image without a query", self.table.names[image], detail, sound=True)

    def notes(self, split: str) -> tuple[str, ...]:
        """What is to be said of the files that were read."""
        notes = []
        if self.file.name != ANNOTATIONS.format(self._file_split):
            notes.append(f"{split} is read from {self.file.name}")
        for path in unused_files(self._folder, self._file_split):
            notes.append(f"{path.name} is not used: {self.file.name} also exists")
        if self._pictures.read:
            notes.append(f"sizes read from the images: {self._pictures.read:,}")
        return tuple(notes)

    def check(self, looked: np.ndarray, chosen: int) -> None:
        """Refuses what cannot be learned from: faulty relationships, boxes that cannot be meant, no image.

        Args:
            looked: int [N], positions in the table of the images that were looked at.
            chosen: how many were chosen.
        """
        bad = {reason: self.skipped[reason] for reason in BAD_RECORDS if reason in self.skipped}
        number = sum(map(len, bad.values()))
        if number > self.relationships / 2:
            reason, cases = max(bad.items(), key=lambda item: len(item[1]))
            image, detail = cases[0]
            raise UserError(
                f"{self.file}: {number} of {self.relationships} relationships are invalid, mostly {reason}"
                f" (image {image!r}, {detail}); do annotations, metadata and vocabularies belong together?"
            )
        tally = BoxTally(pixel=2.0)
        rows = rows_of(self.table.entity_start[looked], self.table.entity_count[looked])
        sizes = np.repeat(self.table.sizes[looked], self.table.entity_count[looked], axis=0)
        tally.add(self.table.boxes[rows], sizes)
        fault = tally.fault(BOX_ORDER)
        if fault:
            raise UserError(f"{self.file}: {fault}")
        if not chosen:
            raise UserError(f"{self.file}: no image with a query for {self._split}; {self._why_none()}")

    def _why_none(self) -> str:
        """The reasons for which images were left out, with their counts."""
        reasons = {reason: cases for reason, cases in self.skipped.items() if reason != UNANNOTATED}
        if not reasons:
            return "the file is empty or too small to split"
        texts = []
        for reason, cases in sorted(reasons.items(), key=lambda item: -len(item[1])):
            image, detail = cases[0]
            texts.append(f"{reason}: {len(cases):,} ({image!r}{f': {detail}' if detail else ''})")
        if LEADS_OUT in reasons:
            texts.append("names are relative to the folder of the images")
        elif UNSIZED in reasons:
            other = {Path(name).stem: name for name in self.table.unannotated}
            meant = other.get(Path(reasons[UNSIZED][0][0]).stem)
            texts += [f"the metadata call it {meant!r}, names must be equal"] if meant else []
        return "; ".join(texts)


def rr_images(source: Source, split: str, cut: bool, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the table: of the images that are looked at, and of those among them with a query."""
    looked = np.arange(len(source.table.names))
    if cut:
        position = {name: index for index, name in enumerate(source.table.names)}
        train, validation = rr_split(source.table.names)
        chosen = validation if split == "validation" else train
        looked = np.array([position[name] for name in chosen], np.int64)
    asking = np.flatnonzero(source.asks[looked])
    if limit is not None and len(asking) >= limit:
        looked = looked[: asking[limit - 1] + 1]
    source.examine(looked, asked=True)
    return looked, looked[source.asks[looked]]


def dsg_images(
    source: Source, split: str, flip: bool, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train or validation as the release cuts them, images without queries leave after the shuffle.

    Returns:
        positions in the table: of the images that are looked at, of the chosen ones; which of these are
        mirrored.
    """
    looked = np.arange(len(source.table.names))
    source.examine(looked, asked=False)
    entries = looked[source.valid]
    names = [source.table.names[image] for image in entries.tolist()]
    train, validation = dsg_split(names * 2 if flip else names, seed)
    chosen = np.array(validation if split == "validation" else train, np.int64)
    flipped = chosen >= len(entries)
    images = entries[chosen % max(len(entries), 1)]
    asks = source.asks[images]
    for image in images[~asks & ~flipped].tolist():  # mirrored ones are counted with their originals
        source.note_silent(image)
    return looked, images[asks], flipped[asks]


def _vocabulary(label: str, folder: Path, entry: Entry | None) -> Vocabulary:
    vocabulary = read_vocabulary(folder)
    if entry is not None:
        for file, names, expected in (
            ("objects.json", vocabulary.objects, entry.objects),
            ("predicates.json", vocabulary.predicates, entry.predicates),
        ):
            if len(names) != expected:
                raise UserError(
                    f"{folder / file}: {len(names)} names, but {label} has {expected}; "
                    "if this is another data set, give its folder as the data set's name"
                )
    return vocabulary
