"""Examples that cannot be used: a long run skips, counts and names them, and stops only where most images
turn out to be missing.

`check_images` looks before a run whether the images are there at all; `BadRecords` keeps the account during
the run, and `iterate` reads batches with an eye on it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from dsg.datasets import Dataset
from dsg.datasets.catalogue import CATALOGUE, advice
from dsg.errors import UserError

log = logging.getLogger(__name__)

PROBE = 20
"""A run goes on only if at least half of so many first examples are good."""


class BadRecords:
    """The account of skipped images; threads may share it.

    Args:
        shown: skipped images named in the log, each once; later ones are counted only.
    """

    def __init__(self, shown: int = 10) -> None:
        self.reasons: dict[str, str] = {}
        """Skipped images: name -> why. A mirror image has the name of its original."""
        self.fatal: UserError | None = None
        """Set once most of the first examples were bad."""
        self._shown = shown
        self._seen = 0
        self._failed = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.reasons)

    def good(self) -> None:
        """Count an example that could be used."""
        with self._lock:
            self._seen += 1

    def add(self, name: str, error: UserError, probe: int = PROBE) -> None:
        """Count and name an example that could not; more than half of the first `probe` are `fatal`."""
        with self._lock:
            self._seen += 1
            self._failed += 1
            if name not in self.reasons:
                self.reasons[name] = str(error)
                self._report(str(error))
            if self.fatal is None and self._seen <= probe and 2 * self._failed > probe:
                self.fatal = UserError(
                    f"{self._failed} of the first {self._seen} images cannot be used, the run stops; {error}"
                )

    def summary(self) -> str:
        """One line about everything skipped so far; empty if nothing was."""
        if not self.reasons:
            return ""
        first = next(iter(self.reasons.values()))
        return f"images skipped: {len(self.reasons)}, the first: {first}"

    def _report(self, message: str) -> None:
        if len(self.reasons) <= self._shown:
            log.warning("skipped: %s", message)
        if len(self.reasons) == self._shown + 1:
            log.warning("skipped images are only counted from here on")


def iterate(batches: Iterable[Any], bad: BadRecords, *, whole: bool = True) -> Iterator[Any]:
    """The batches, one by one, and an error where `bad` has noted too many records to go on.

    Read this way, or look at `bad.fatal`: the batches themselves just end then.

    Args:
        whole: False where these are the rest of an epoch, which may well be one image that cannot be read.

    Raises:
        UserError: more than half of the first records cannot be used, or none of all.
    """
    empty = True
    for batch in batches:
        empty = False
        yield batch
    if bad.fatal is not None:
        raise bad.fatal
    if whole and empty and len(bad):
        raise UserError(f"no image could be used; {bad.summary()}")


def check_images(dataset: Dataset, samples: int = 200) -> int:
    """Looks, before a run, whether the images of a data set are where they should be.

    Args:
        dataset: a loaded split.
        samples: images looked for, spread evenly over the split.

    Returns:
        How many of the samples are missing (half of them at most: the run will skip and name those).

    Raises:
        UserError: more than half are missing, or the data set has no image at all.
    """
    records = [record for record in dataset.records if not record.flipped]
    if not records:
        raise UserError(f"{dataset.folder}: {dataset.name} {dataset.split} has no image with a relationship")
    sample = records[:: max(1, len(records) // samples)]
    missing = sum(not os.path.isfile(record.path) for record in sample)
    if 2 * missing <= len(sample):
        return missing
    lost = [record.path for record in records if not os.path.isfile(record.path)]
    todo = "put them there, or into images/ of the data set's folder"
    if dataset.name in CATALOGUE:
        todo = advice(dataset.name, dataset.folder, images=True)
    raise UserError(
        f"{lost[0].parent}: {len(lost)} of {len(records)} images of {dataset.name} {dataset.split}"
        f" are missing, such as {lost[0].name}: {todo} (data/README.md)"
    )
