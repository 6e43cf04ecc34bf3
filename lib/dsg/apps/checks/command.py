"""`check_dataset`: a data set looked through from its files to its images."""

from __future__ import annotations

from pathlib import Path

from dsg.apps.checks.anchors import anchor_lines
from dsg.apps.checks.annotations import check_split, check_vocabulary
from dsg.apps.checks.findings import NOTE, UNUSABLE, Findings
from dsg.apps.checks.images import check_images
from dsg.apps.checks.names import listed
from dsg.apps.checks.plots import plot_statistics
from dsg.apps.checks.report import Check
from dsg.apps.checks.salvage import Picture, Salvaged, file_split, pictures_of, salvage
from dsg.apps.checks.statistics import Statistics, statistics_of
from dsg.config import Config
from dsg.datasets import Dataset, Vocabulary, load_dataset
from dsg.datasets.catalogue import find_dataset
from dsg.datasets.formats.referring import annotation_file, metadata_file
from dsg.errors import UserError

SPLITS = ("train", "validation", "test")


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
    return Check(
        *(label, folder, findings, statistics, vocabulary, read, plot_statistics),
        partly=tuple(partly),
        anchors=anchors,
    )


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
                findings.add(NOTE, f"{kind} of {split} that are not in train", file, detail=listed(asked))
        unused = [n for i, n in enumerate(names) if not any(getattr(s, kind)[i] for s in statistics.values())]
        if unused:
            findings.add(NOTE, f"{kind} that are never used", file, detail=listed(unused))
