"""Are the images there, do they decode, are they of the size that the metadata says?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dsg.apps.checks.findings import LEFT_OUT, UNUSABLE, Findings
from dsg.apps.checks.salvage import Picture
from dsg.errors import UserError
from dsg.runtime.progress import Progress


def check_images(
    split: str, pictures: Sequence[Picture], findings: Findings, sample: int = 0, workers: int = 0
) -> tuple[int, int]:
    """Reads the images of a split as training does.

    Args:
        pictures: all of the split.
        sample: only so many, spread evenly; 0: all.
        workers: threads; 0: one for each processor.

    Returns:
        How many were read, and how many of them cannot be used.
    """
    if sample and sample < len(pictures):
        pictures = [pictures[position * len(pictures) // sample] for position in range(sample)]
    file = f"{split} images"
    faults = _faults(pictures, file, workers or os.cpu_count() or 1)
    for picture, fault in zip(pictures, faults):
        if fault:
            reason = "image is missing" if not os.path.isfile(picture.path) else "image cannot be used"
            findings.add(LEFT_OUT, reason, file, picture.name, detail=fault)
    bad = [picture for picture, fault in zip(pictures, faults) if fault]
    if 2 * len(bad) > len(pictures):
        detail = f"{len(bad):,} of {len(pictures):,}, such as {bad[0].path}"
        findings.add(UNUSABLE, "more than half of the images cannot be used", file, detail=detail)
    return len(pictures), len(bad)


def _faults(pictures: Sequence[Picture], label: str, workers: int) -> list[str]:
    """What is wrong with each image; empty if nothing is."""
    from dsg.pipeline.examples import load_image
    from dsg.pipeline.images import read_image

    def fault(picture: Picture) -> str:
        try:
            if picture.size is None:
                read_image(picture.path)
            else:
                load_image(picture.path, picture.size)
        except UserError as error:
            return str(error).removeprefix(f"{picture.path}: ")
        return ""

    result = []
    with Progress(label, len(pictures)) as progress, ThreadPoolExecutor(workers) as pool:
        for found in pool.map(fault, pictures):
            result.append(found)
            progress.advance()
    return result
