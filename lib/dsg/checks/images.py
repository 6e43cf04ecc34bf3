"""Are the images there, do they decode, are they of the size that the metadata says?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dsg.checks.findings import LEFT_OUT, UNUSABLE, Findings
from dsg.datasets import Dataset, ImageRecord
from dsg.engine.progress import Progress
from dsg.errors import UserError


def check_images(dataset: Dataset, findings: Findings, sample: int = 0, workers: int = 0) -> tuple[int, int]:
    """Reads the images of a split as training does.

    Args:
        sample: only so many, spread evenly; 0: all.
        workers: threads; 0: one for each processor.

    Returns:
        How many were read, and how many of them cannot be used.
    """
    records = [record for record in dataset.records if not record.flipped]
    if sample and sample < len(records):
        records = [records[position * len(records) // sample] for position in range(sample)]
    faults = _faults(records, f"{dataset.split} images", workers or os.cpu_count() or 1)
    file = f"{dataset.split} images"
    for record, fault in zip(records, faults):
        if fault:
            reason = "image is missing" if not record.path.is_file() else "image cannot be used"
            findings.add(LEFT_OUT, reason, file, record.name, detail=fault)
    bad = [record for record, fault in zip(records, faults) if fault]
    if 2 * len(bad) > len(records):
        detail = f"{len(bad):,} of {len(records):,}, such as {bad[0].path}"
        findings.add(UNUSABLE, "more than half of the images cannot be used", file, detail=detail)
    return len(records), len(bad)


def _faults(records: Sequence[ImageRecord], label: str, workers: int) -> list[str]:
    """What is wrong with each image; empty where nothing is."""
    from dsg.examples import load_example

    def fault(record: ImageRecord) -> str:
        try:
            load_example(record)
        except UserError as error:
            return str(error).removeprefix(f"{record.path}: ")
        return ""

    result = []
    with Progress(label, len(records)) as progress, ThreadPoolExecutor(workers) as pool:
        for found in pool.map(fault, records):
            result.append(found)
            progress.advance()
    return result
