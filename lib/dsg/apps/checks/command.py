"""`check_dataset`: a data set looked through from its files to its images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.checks.anchors import anchor_lines
from dsg.apps.checks.annotations import check_split, check_vocabulary
from dsg.apps.checks.findings import NOTE, UNUSABLE, Findings
from dsg.apps.checks.images import check_images
from dsg.apps.checks.plots import plot_statistics
from dsg.apps.checks.salvage import Picture, Salvaged, file_split, pictures_of, salvage
from dsg.apps.checks.statistics import Statistics, statistics_of
from dsg.config import Config
from dsg.datasets import Dataset, Vocabulary, load_dataset
from dsg.datasets.catalogue import find_dataset
from dsg.datasets.formats.referring import annotation_file, metadata_file
from dsg.errors import UserError
from dsg.runtime.files import write_text

SPLITS = ("train", "validation", "test")
NAMES_SHOWN = 6


@dataclass(frozen=True, eq=False)
class Check:
    """What came out."""

    name: str
    folder: Path
    findings: Findings
    statistics: dict[str, Statistics]  # by split, of what could be read
    vocabulary: Vocabulary  # numbers where the names cannot be read
    images: dict[str, tuple[int, int]]  # by split: how many were read, how many are bad
    partly: tuple[str, ...] = ()  # splits that cannot be loaded, of which the rest was looked at
    anchors: tuple[str, ...] = ()  # what those of a net reach, in words

    @property
    def usable(self) -> bool:
        """Whether training and testing would run."""
        return self.findings.usable

    def lines(self) -> list[str]:
        """The report as text."""
        result = [f"{self.name} ({self.folder})", *self._table()]
        if self.partly:
            result.append(f"only what can be read of {', '.join(self.partly)}")
        for split, (read, bad) in self.images.items():
            result.append(f"{split} images read: {read:,}, unusable: {bad:,}")
        result += [*self.anchors, *self.findings.lines()]
        verdict = "usable" if self.usable else "NOT usable: see the problems listed under `unusable`"
        return [*result, "", f"{self.name}: {verdict}"]

    def write(self, folder: Path) -> list[Path]:
        """Writes report.txt, problems.jsonl, statistics.json and statistics.png.

        Raises:
            UserError: a file cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be created ({error.strerror or error})") from error
        write_text(folder / "report.txt", "\n".join(self.lines()) + "\n")
        self.findings.write(folder / "problems.jsonl")
        written = [folder / "report.txt", folder / "problems.jsonl"]
        if self.statistics:
            content = {split: self._as_json(item) for split, item in self.statistics.items()}
            write_text(folder / "statistics.json", json.dumps(content, indent=1) + "\n")
            plot_statistics(self.statistics, self.vocabulary, folder / "statistics.png")
            written += [folder / "statistics.json", folder / "statistics.png"]
        return written

    def _table(self) -> list[str]:
        if not self.statistics:
            return ["no statistics: no image has a usable relationship"]
        columns = [item.summary() for item in self.statistics.values()]
        rows = [["", *self.statistics]]
        rows += [[key, *(f"{column[key]:,}" for column in columns)] for key in columns[0]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows
        ]

    def _as_json(self, item: Statistics) -> dict[str, object]:
        predicates = {
            name: {"queries": int(count), "ambiguous": int(unclear)}
            for name, count, unclear in zip(self.vocabulary.predicates, item.predicates, item.ambiguous)
        }
        categories = dict(zip(self.vocabulary.objects, map(int, item.categories)))
        return {**item.summary(), "by category": categories, "by predicate": predicates}


def check_dataset(
    name: str,
    data_dir: Path = Path("data"),
    *,
    images: bool = True,
    sample: int = 0,
    net: str = "",
    config: Config | None = None,
) -> Check:
    """Everything that is wrong with a data set, and its statistics; what cannot be read is passed over.

    Args:
        name: of the catalogue, or a folder.
        images: read the images, too.
        sample: read only so many of each split; 0: all.
        net: the name of a net whose anchors are to fit.
        config: the options of that net; None: no net.

    Raises:
        UserError: there is no such data set.
    """
    label, folder, entry = find_dataset(name, data_dir)
    findings = Findings()
    files = [split for split in SPLITS if file_split(folder, split) == split]
    vocabulary, named = check_vocabulary(folder, entry, files, findings)
    names = {split: check_split(folder, entry, split, vocabulary, findings) for split in files}
    _check_leaks(names, findings)
    datasets: dict[str, Dataset] = {}
    pictures: dict[str, list[Picture]] = {}
    partly = []
    whole = named
    for split in SPLITS:
        try:
            datasets[split] = load_dataset(name, split, data_dir=data_dir)
            pictures[split] = pictures_of(datasets[split])
        except UserError as error:
            partly.append(split)
            rest = salvage(label, folder, entry, split, vocabulary)
            _explain(split, folder, error, rest, findings)
            datasets[split], pictures[split] = rest.dataset, rest.pictures
            whole = whole and rest.whole
    statistics = {split: statistics_of(dataset) for split, dataset in datasets.items() if len(dataset)}
    if whole:
        _check_use(statistics, vocabulary, findings)
    read = {
        split: check_images(split, found, findings, sample)
        for split, found in pictures.items()
        if images and found
    }
    filled = {split: dataset for split, dataset in datasets.items() if len(dataset)}
    anchors = tuple(anchor_lines(net, config, filled)) if config is not None else ()
    return Check(label, folder, findings, statistics, vocabulary, read, tuple(partly), anchors)


def _explain(split: str, folder: Path, error: UserError, rest: Salvaged, findings: Findings) -> None:
    """Why a split could not be loaded, unless that is listed already, file by file."""
    files = file_split(folder, split)
    own = {annotation_file(folder, files).name, metadata_file(folder, files).name}
    if findings.unusable_files.isdisjoint(own | {"objects.json", "predicates.json"}):
        detail = " ".join(str(error).split())
        findings.add(UNUSABLE, "the split cannot be loaded", f"{split} split", detail=detail)
    elif 2 * rest.bad > rest.relationships:
        # What the loader would say next, were it not stopped by something else before.
        detail = f"{rest.bad:,} of {rest.relationships:,}; do annotations and vocabularies belong together?"
        findings.add(
            UNUSABLE, "more than half of the relationships are invalid", f"{split} split", detail=detail
        )


def _check_leaks(splits: dict[str, frozenset[str]], findings: Findings) -> None:
    """Images in two files: the score on the second is not that of unseen images."""
    names = list(splits)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            for image in sorted(splits[first] & splits[second]):
                findings.add(NOTE, f"image that is also in {first}", f"annotations_{second}.json", image)


def _check_use(statistics: dict[str, Statistics], vocabulary: Vocabulary, findings: Findings) -> None:
    """Names that are never learnt, and those that are tested all the same."""
    train = statistics.get("train")
    if train is None:
        return
    for kind, names in (("categories", vocabulary.objects), ("predicates", vocabulary.predicates)):
        file = "objects.json" if kind == "categories" else "predicates.json"
        learnt = getattr(train, kind) > 0
        for split, item in statistics.items():
            asked = [n for n, known, used in zip(names, learnt, getattr(item, kind)) if used and not known]
            if asked:
                findings.add(NOTE, f"{kind} of {split} that are not in train", file, detail=_listed(asked))
        unused = [n for i, n in enumerate(names) if not any(getattr(s, kind)[i] for s in statistics.values())]
        if unused:
            findings.add(NOTE, f"{kind} that are never used", file, detail=_listed(unused))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names):,}: {', '.join(names[:NAMES_SHOWN])}{more}"
