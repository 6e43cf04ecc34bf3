"""Examples that cannot be used: a long run skips, counts and names them, and stops only where that is more
than half of its images.

`check_images` looks before a run whether the images are there at all, and whether any can be read;
`BadRecords` keeps the account during the run, and `iterate` reads batches with an eye on it. What counts is
the share of the whole split, so that neither the order of the images nor the place where a run resumes makes
a difference: training, validation, tests and the features that a baseline keeps judge a split alike.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from dsg.datasets import Dataset, ImageRecord
from dsg.datasets.catalogue import CATALOGUE, advice
from dsg.datasets.instance_layouts import FETCHED, data_folder
from dsg.datasets.remedies import fetch_command
from dsg.errors import UserError
from dsg.pipeline.examples import load_image

log = logging.getLogger(__name__)

READ = 20
"""A run begins unless so many images, drawn from the split, are all unusable."""


class BadRecords:
    """The account of skipped images; threads may share it.

    Args:
        shown: skipped images named in the log, each once; later ones are counted only.
        reasons: of an earlier account, which this one continues. They are no reason to stop: the images
            may have been fetched before the run is resumed.
    """

    def __init__(self, shown: int = 10, reasons: dict[str, str] | None = None) -> None:
        self.reasons: dict[str, str] = {} if reasons is None else reasons
        """Skipped images: name -> why. A mirror image has the name of its original."""
        self.fatal: UserError | None = None
        """Set once more than half of all images were bad."""
        self._shown = shown
        self._met: set[str] = set()  # without those of the earlier account
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, name: str, error: UserError, images: Callable[[], int]) -> None:
        """Count and name an image that could not be used; more than half of all `images` are `fatal`."""
        with self._lock:
            if name in self._met:
                return
            self._met.add(name)
            self.reasons[name] = str(error)
            self._report(str(error))
            if self.fatal is None and 2 * len(self._met) > images():
                self.fatal = UserError(
                    f"{len(self._met)} of {images()} images cannot be used, the run stops; {error}"
                )

    def summary(self) -> str:
        """One line about everything skipped so far; empty if nothing was."""
        if not self.reasons:
            return ""
        first = next(iter(self.reasons.values()))
        return f"images skipped: {len(self.reasons)}, the first: {first}"

    def _report(self, message: str) -> None:
        if len(self._met) <= self._shown:
            log.warning("skipped: %s", message)
        if len(self._met) == self._shown + 1:
            log.warning("from here on, skipped images are only counted")


def iterate(batches: Iterable[Any], bad: BadRecords, *, whole: bool = True) -> Generator[Any, None, None]:
    """The batches, one by one, and an error if `bad` has noted too many records to continue.

    Read this way, or look at `bad.fatal`: the batches themselves just end then.

    Args:
        whole: False where these are the rest of an epoch, which may well be one image that cannot be read.

    Raises:
        UserError: more than half of all images cannot be used, or no record of these batches.
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
    """Looks, before a run, whether the images of a data set are where they should be, and are images.

    Args:
        dataset: a loaded split.
        samples: images looked for, spread evenly over the split; of those that are there a few are read,
            until one can be used.

    Returns:
        How many of the samples are missing (half of them at most: the run will skip and name those).

    Raises:
        UserError: more than half are missing, none of those read can be used, or the data set has no image
            at all.
    """
    records = [record for record in dataset.records if not record.flipped]
    if not records:
        raise UserError(f"{dataset.folder}: {dataset.name} {dataset.split} has no image with a relationship")
    sample = records[:: max(1, len(records) // samples)]
    there = [record for record in sample if os.path.isfile(record.path)]
    if 2 * len(there) >= len(sample):
        _check_any_usable(dataset, there)
        return len(sample) - len(there)
    lost = [record.path for record in records if not os.path.isfile(record.path)]
    todo = "put them there, or into images/ of the data set's folder"
    if dataset.name in CATALOGUE:
        todo = advice(dataset.name, dataset.folder, images=True)
    elif dataset.name in FETCHED:
        todo = f"`{fetch_command(dataset.name, data_folder(dataset.folder))}` fetches them"
    raise UserError(
        f"{lost[0].parent}: {len(lost)} of {len(records)} images of {dataset.name} {dataset.split}"
        f" are missing, such as {lost[0].name}: {todo} (data/README.md)"
    )


def _check_any_usable(dataset: Dataset, records: Sequence[ImageRecord]) -> None:
    """Raises UserError where none of a few images, drawn alike in every run, can be used."""
    drawn, faults = random.Random(0).sample(records, min(READ, len(records))), []
    for record in drawn:
        try:
            load_image(record.path, (record.width, record.height))
        except UserError as error:
            faults.append(str(error))
        else:
            return
    split = f"{dataset.name} {dataset.split}"
    raise UserError(f"none of {len(drawn)} images of {split} can be used; {faults[0]} (data/README.md)")
