"""`check_dataset`: a data set looked through from its files to its images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.checks.annotations import check_split, check_vocabulary
from dsg.checks.findings import NOTE, UNUSABLE, Findings
from dsg.checks.images import check_images
from dsg.checks.plots import plot_statistics
from dsg.checks.statistics import Statistics, statistics_of
from dsg.datasets import Dataset, Vocabulary, load_dataset
from dsg.datasets.annotations import annotation_file
from dsg.datasets.catalogue import find_dataset
from dsg.engine.files import write_text
from dsg.errors import UserError

SPLITS = ("train", "validation", "test")
NAMES_SHOWN = 6


@dataclass(frozen=True, eq=False)
class Check:
    """What came out."""

    name: str
    folder: Path
    findings: Findings
    statistics: dict[str, Statistics]  # by split, of those that could be loaded
    vocabulary: Vocabulary | None
    images: dict[str, tuple[int, int]]  # by split: how many were read, how many are bad

    @property
    def usable(self) -> bool:
        """Whether training and testing would run."""
        return self.findings.usable

    def lines(self) -> list[str]:
        """The report as text."""
        result = [f"{self.name} ({self.folder})", *self._table()]
        for split, (read, bad) in self.images.items():
            result.append(f"{split} images read: {read:,}, of them unusable: {bad:,}")
        result += self.findings.lines()
        verdict = "usable" if self.usable else "NOT usable: see what is listed under `unusable`"
        return [*result, "", f"{self.name}: {verdict}"]

    def write(self, folder: Path) -> list[Path]:
        """Writes report.txt, problems.jsonl, statistics.json and statistics.png.

        Raises:
            UserError: a file cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error})") from error
        write_text(folder / "report.txt", "\n".join(self.lines()) + "\n")
        self.findings.write(folder / "problems.jsonl")
        written = [folder / "report.txt", folder / "problems.jsonl"]
        if self.statistics and self.vocabulary is not None:
            content = {split: self._as_json(item) for split, item in self.statistics.items()}
            write_text(folder / "statistics.json", json.dumps(content, indent=1) + "\n")
            plot_statistics(self.statistics, self.vocabulary, folder / "statistics.png")
            written += [folder / "statistics.json", folder / "statistics.png"]
        return written

    def _table(self) -> list[str]:
        if not self.statistics:
            return ["no statistics: no split can be loaded"]
        columns = [item.summary() for item in self.statistics.values()]
        rows = [["", *self.statistics]]
        rows += [[key, *(f"{column[key]:,}" for column in columns)] for key in columns[0]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows
        ]

    def _as_json(self, item: Statistics) -> dict[str, object]:
        assert self.vocabulary is not None
        predicates = {
            name: {"queries": int(count), "ambiguous": int(unclear)}
            for name, count, unclear in zip(self.vocabulary.predicates, item.predicates, item.ambiguous)
        }
        categories = dict(zip(self.vocabulary.objects, map(int, item.categories)))
        return {**item.summary(), "by category": categories, "by predicate": predicates}


def check_dataset(name: str, data_dir: Path = Path("data"), *, images: bool = True, sample: int = 0) -> Check:
    """Everything that is wrong with a data set, and its statistics.

    Args:
        name: of the catalogue, or a folder.
        images: read the images, too.
        sample: read only so many of each split; 0: all.

    Raises:
        UserError: there is no such data set.
    """
    label, folder, entry = find_dataset(name, data_dir)
    findings = Findings()
    vocabulary = check_vocabulary(folder, entry, findings)
    files = [s for s in SPLITS if s != "validation" or annotation_file(folder, s).is_file()]
    splits = {split: check_split(folder, split, vocabulary, findings) for split in files}
    _check_leaks(splits, findings)
    loaded: dict[str, Dataset] = {}
    if findings.usable:
        for split in SPLITS:
            try:
                loaded[split] = load_dataset(name, split, data_dir=data_dir)
            except UserError as error:
                detail = " ".join(str(error).split())
                findings.add(UNUSABLE, "the split cannot be loaded", f"{split} split", detail=detail)
    statistics = {split: statistics_of(dataset) for split, dataset in loaded.items()}
    if vocabulary is not None:
        _check_use(statistics, vocabulary, findings)
    read = {split: check_images(loaded[split], findings, sample) for split in loaded if images}
    return Check(label, folder, findings, statistics, vocabulary, read)


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
                findings.add(NOTE, f"{kind} of {split} that train never shows", file, detail=_listed(asked))
        unused = [n for i, n in enumerate(names) if not any(getattr(s, kind)[i] for s in statistics.values())]
        if unused:
            findings.add(NOTE, f"{kind} that are never used", file, detail=_listed(unused))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names):,}: {', '.join(names[:NAMES_SHOWN])}{more}"
