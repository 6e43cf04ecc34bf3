"""Which image goes into which file: by lists of ids, or a share drawn by a hash of the id.

The hash makes the choice the same on every machine and whatever other images there are. Only where it would
leave nothing for testing, or nothing for training, the image that is next in the order of the hash moves
there (`writer`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsg.apps.convert.listed import unmatched_text
from dsg.errors import UserError
from dsg.runtime.ids import described, whole_number
from dsg.runtime.paths import expanded
from dsg.runtime.text import parse_json, read_text


@dataclass(frozen=True)
class IdList:
    """A list of images that an option names."""

    option: str
    path: Path
    ids: frozenset[str]

    def unknown(self, known: Collection[str]) -> str:
        """Which of its entries are no image, in words; empty if all are.

        Args:
            known: ids and file names of all images.
        """
        missing = sorted(self.ids - set(known))
        if not missing:
            return ""
        return f"{self.option} {self.path}: {unmatched_text(missing, len(self.ids), known, 'images')}"


@dataclass(frozen=True)
class SplitRule:
    """Where images go; what is in no list and not drawn is for training."""

    test: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()
    train: frozenset[str] | None = None  # only these for training; None: all others
    test_share: float = 0.0
    seed: int = 0
    names: tuple[str, ...] = field(default=("train", "test"))
    lists: tuple[IdList, ...] = ()  # as they were given

    def of(self, key: str, file: str) -> str | None:
        """train, validation or test, for an image's id or file name; None if it is in no list."""
        for split, ids in (("test", self.test), ("validation", self.validation)):
            if key in ids or file in ids:
                return split
        if self.train is not None:
            return "train" if key in self.train or file in self.train else None
        return "test" if self.place(key) < self.test_share else "train"

    @property
    def draws(self) -> bool:
        """Whether a share decides which images are for testing."""
        return self.train is None and self.test_share > 0

    def place(self, key: str) -> float:
        """Where an image stands in the order of the draw, in 0..1: with a larger share it is for testing."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{key}".encode()).digest()[:8], "big") / 2.0**64


def make_rule(
    test_ids: Path | None,
    validation_ids: Path | None,
    train_ids: Path | None,
    test_share: float,
    seed: int,
) -> SplitRule:
    """The rule of a program's options.

    Raises:
        UserError: a list cannot be read, is empty, or shares an id with another; the share is not in 0..1.
    """
    given = (("test", test_ids), ("validation", validation_ids), ("train", train_ids))
    lists = {split: _read_ids(path) if path is not None else frozenset() for split, path in given}
    named = [IdList(f"--{split}-ids", path, lists[split]) for split, path in given if path is not None]
    pairs = (("test", "validation"), ("test", "train"), ("validation", "train"))
    for first, second in pairs:
        common = sorted(lists[first] & lists[second])
        if common:
            raise UserError(f"image {common[0]!r} is listed for {first} and for {second}")
    if not 0 <= test_share < 1:
        raise UserError(f"--test-share must be at least 0 and below 1, not {test_share}")
    names = ("train", "validation", "test") if validation_ids else ("train", "test")
    share = 0.0 if test_ids else test_share
    return SplitRule(
        lists["test"],
        lists["validation"],
        lists["train"] if train_ids else None,
        share,
        seed,
        names,
        tuple(named),
    )


def _read_ids(path: Path) -> frozenset[str]:
    """Ids or file names, a line each, or as a JSON list of texts and whole numbers."""
    text = read_text(expanded(path))
    entries: list[Any] = text.splitlines()
    if text.lstrip().startswith(("[", "{")):
        entries = parse_json(text, path)
        if not isinstance(entries, list):
            raise UserError(f"{path}: {described(entries)}, not a list of ids or file names")
        for number, entry in enumerate(entries):
            whole = whole_number(entry)
            if not isinstance(entry, str) and whole is None:
                raise UserError(f"{path}: {described(entry)} is neither the id nor the file name of an image")
            entries[number] = entry if isinstance(entry, str) else whole
    ids = frozenset(str(entry).strip() for entry in entries) - {""}
    if not ids:
        raise UserError(f"{path}: the list of images is empty; write one id or file name per line")
    return ids
