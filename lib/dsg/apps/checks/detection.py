"""`check_instances`: a data set for detection looked through from its annotations to its images and masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsg.apps.checks.anchors import anchor_lines
from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE, Findings
from dsg.apps.checks.images import check_images
from dsg.apps.checks.instance_statistics import InstanceStatistics, instance_statistics
from dsg.apps.checks.names import listed
from dsg.apps.checks.plots import plot_instances
from dsg.apps.checks.report import Check
from dsg.apps.checks.salvage import Picture
from dsg.config import Config
from dsg.datasets import Vocabulary
from dsg.datasets.detection import EMPTY, InstanceDataset, load_instances
from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.segmentations import run_lengths
from dsg.datasets.instance_layouts import Source, choose, find_instances
from dsg.errors import UserError
from dsg.runtime.cocotools import cocotools

SPLITS = ("train", "validation", "test")
KEPT = (EMPTY, "part of a box outside its image")
"""Reasons for which nothing is lost that was meant."""
APART = 0.1  # of a box's longer side, and at least two pixels: further from its mask's extent, it is noted


def check_instances(
    name: str,
    data_dir: Path = Path("data"),
    *,
    images: bool = True,
    sample: int = 0,
    net: str = "",
    config: Config | None = None,
) -> Check:
    """Everything that is wrong with a data set for detection, and its statistics.

    Args:
        name: see `find_instances`.
        data_dir: the data folder, or the data set's own.
        images: read the images, too.
        sample: read only so many images of each split, and masks of so many; 0: all.
        net: the name of a detector whose anchors are to fit.
        config: the options of that detector; None: no detector.

    Raises:
        UserError: there is no such data set.
    """
    source = find_instances(name, data_dir)
    findings = Findings()
    datasets: dict[str, InstanceDataset] = {}
    seen: set[object] = set()
    for split in SPLITS:
        try:
            datasets[split] = load_instances(name, split, data_dir=data_dir)
        except UserError as error:
            detail = " ".join(str(error).split())
            findings.add(UNUSABLE, "the split cannot be loaded", f"{split} split", detail=detail)
            continue
        lists = choose(source, split).lists
        _note_skipped(datasets[split], source, findings, again=lists in seen)
        seen.add(lists)
    vocabulary = next((data.vocabulary for data in datasets.values()), Vocabulary((), ()))
    _check_vocabularies(datasets, findings)
    _check_leaks(datasets, findings)
    statistics = {
        split: instance_statistics(data.records, len(data.vocabulary.objects))
        for split, data in datasets.items()
    }
    _check_use(statistics, vocabulary, findings)
    for split, data in datasets.items():
        _check_masks(split, _sampled(data.records, sample), findings)
    read = {
        split: check_images(split, list(map(_picture, data.records)), findings, sample)
        for split, data in datasets.items()
        if images
    }
    anchors = tuple(anchor_lines(net, config, datasets)) if config is not None else ()
    return Check(
        *(source.label, source.folder, findings, statistics, vocabulary, read, plot_instances),
        anchors=anchors,
    )


def _note_skipped(data: InstanceDataset, source: Source, findings: Findings, again: bool) -> None:
    """What the loader left out; of two splits that are cut from the same lists, once."""
    for reason, cases in data.skipped.items():
        if again and reason != EMPTY:
            continue
        level = NOTE if reason in KEPT else LEFT_OUT
        file = ", ".join(dict.fromkeys(part.name for part in choose(source, data.split).lists))
        for image, detail in cases:
            findings.add(level, reason, file, image, detail=detail)


def _check_vocabularies(datasets: dict[str, InstanceDataset], findings: Findings) -> None:
    first = next(iter(datasets.values()), None)
    for split, data in datasets.items():
        if first is not None and data.vocabulary.objects != first.vocabulary.objects:
            other = set(data.vocabulary.objects) ^ set(first.vocabulary.objects)
            detail = f"than {first.split}: {listed(sorted(other)) if other else 'in another order'}"
            findings.add(UNUSABLE, "other categories", f"{split} split", detail=detail)


def _check_leaks(datasets: dict[str, InstanceDataset], findings: Findings) -> None:
    """Images in two splits: the score on the second is not that of unseen images."""
    names = {split: {record.name for record in data.records} for split, data in datasets.items()}
    for position, first in enumerate(names):
        for second in list(names)[position + 1 :]:
            for image in sorted(names[first] & names[second]):
                findings.add(NOTE, f"image that is also in {first}", f"{second} split", image)


def _check_use(statistics: dict[str, InstanceStatistics], vocabulary: Vocabulary, findings: Findings) -> None:
    """Categories that are never learnt, and those that are tested all the same."""
    if "train" not in statistics:
        return
    names = vocabulary.objects
    used = {split: item.categories > 0 for split, item in statistics.items()}
    for split, present in used.items():
        if len(present) == len(names):
            unknown = [name for name, known, here in zip(names, used["train"], present) if here and not known]
            if unknown:
                reason = f"categories of {split} that are not in train"
                findings.add(NOTE, reason, f"{split} split", detail=listed(unknown))
    unused = [name for name, *here in zip(names, *used.values()) if not any(here)]
    if unused:
        findings.add(NOTE, "categories that are never used", "all splits", detail=listed(unused))


def _check_masks(split: str, records: Sequence[Instances], findings: Findings) -> None:
    """Masks beside their boxes, where the library is installed that reads them."""
    masked = [record for record in records if any(mask is not None for mask in record.segmentations)]
    if not masked:
        return
    try:
        library = cocotools("mask")
    except UserError as error:
        findings.add(NOTE, "masks were not looked at", f"{split} split", detail=str(error))
        return
    for record in masked:
        for number, (box, segmentation) in enumerate(zip(record.boxes, record.segmentations)):
            if segmentation is None or record.crowd[number]:
                continue
            runs = run_lengths(segmentation, record.height, record.width, record.name)
            place = (f"{split} split", record.name, f"object {number}")
            if library.area(runs) == 0:
                findings.add(NOTE, "mask without a pixel", *place)
                continue
            x, y, width, height = library.toBbox(runs)
            distance = np.abs(box - np.array([x, y, x + width, y + height])).max()
            if distance > max(2.0, APART * float((box[2:] - box[:2]).max())):
                detail = f"its border is {distance:.0f} pixels from that of its box"
                findings.add(NOTE, "mask that does not fill its box", *place, detail)


def _sampled(records: Sequence[Instances], sample: int) -> Sequence[Instances]:
    if not 0 < sample < len(records):
        return records
    return [records[position * len(records) // sample] for position in range(sample)]


def _picture(record: Instances) -> Picture:
    return Picture(record.name, record.path, (record.width, record.height))
