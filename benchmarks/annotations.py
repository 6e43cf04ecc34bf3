"""The section on annotations: files as large as those of Visual Genome and CLEVR, made up, and how long
loading them takes and what memory, the first time and from the cache.

The loads run in processes of their own: `python -m benchmarks.annotations FOLDER RESULT`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.settings import Settings
from dsg.apps.cost.timing import peak_memory
from dsg.datasets import load_dataset


@dataclass(frozen=True)
class Release:
    """How much a made-up release holds, and of what kind."""

    images: int
    entities: int  # categories
    predicates: int
    relationships: int  # of an image, on average; where every pair is related: about as many
    every_pair: bool = False  # all ordered pairs of an image, two predicates each, as CLEVR has
    size: tuple[int, int] = (800, 600)  # width, height

    def of_images(self, number: int) -> Release:
        """The same with so many images."""
        return replace(self, images=number)


RELEASES = {
    "visual_genome": Release(100_000, 100, 70, 21),
    "clevr": Release(70_000, 48, 4, 74, every_pair=True, size=(480, 320)),
}


def loading(settings: Settings) -> dict[str, Any]:
    """By `annotations/<release>_<first or cached>`: seconds of loading every image's records, and the peak
    memory of the process that did nothing else."""
    cases: dict[str, dict[str, Any]] = {}
    for name, release in RELEASES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / name
            images = max(1, round(release.images * settings.annotation_share))
            written = write_release(folder, release.of_images(images))
            for turn in ("first", "cached"):
                cases[f"annotations/{name}_{turn}"] = {**_load_apart(folder), "relationships": written}
    return {"cases": cases, "checks": {}}


def write_release(folder: Path, release: Release, seed: int = 0) -> int:
    """The files of a train split, image by image, the same for the same seed.

    Returns:
        How many relationships were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    written = 0
    sizes = {}
    width, height = release.size
    with open(folder / "annotations_train.json", "w", encoding="utf-8") as file:
        for number in range(release.images):
            name = f"{number:07d}.jpg"
            relationships = list(_relationships(rng, release))
            file.write(f'{", " if number else "{"}"{name}": [{", ".join(relationships)}]')
            written += len(relationships)
            sizes[name] = {"width": width, "height": height}
        file.write("}")
    for stem, content in (
        ("train_image_metadata", sizes),
        ("objects", [f"object {index}" for index in range(release.entities)]),
        ("predicates", [f"predicate {index}" for index in range(release.predicates)]),
    ):
        (folder / f"{stem}.json").write_text(json.dumps(content), encoding="utf-8")
    return written


def _relationships(rng: np.random.Generator, release: Release) -> Iterator[str]:
    """Those of one image, as JSON. Where not every pair is related: some pairs have several predicates, some
    relationships stand there twice, some relate an entity to itself, and one image in fifty has none."""
    if release.every_pair:
        count = int(rng.integers(3, 11))
        pairs = np.array([(s, o) for s in range(count) for o in range(count) if s != o])
        subjects, objects = np.repeat(pairs, 2, axis=0).T
        predicates = np.arange(len(subjects)) % 2 * 2 + rng.integers(0, 2, len(subjects))
    else:
        length = int(rng.geometric(1 / release.relationships)) if rng.random() > 0.02 else 0
        count = max(2, length * 2 // 3 + 1)
        subjects, objects = rng.integers(0, count, (2, length))
        again = np.flatnonzero(rng.random(length) < 0.06)  # the same pair as before, mostly otherwise related
        again = again[again > 0]
        subjects[again], objects[again] = subjects[again - 1], objects[again - 1]
        predicates = rng.integers(0, release.predicates, length)
        predicates[again[::6]] = predicates[again[::6] - 1]
    mentions = _mentions(rng, release, count)
    for subject, predicate, obj in zip(subjects.tolist(), predicates.tolist(), objects.tolist()):
        yield f'{{"predicate": {predicate}, "subject": {mentions[subject]}, "object": {mentions[obj]}}}'


def _mentions(rng: np.random.Generator, release: Release, count: int) -> list[str]:
    """So many entities with boxes within the image, as JSON."""
    width, height = release.size
    categories = rng.integers(0, release.entities, count).tolist()
    x, y = np.sort(rng.integers(0, width, (count, 2))), np.sort(rng.integers(0, height, (count, 2)))
    boxes = np.concatenate([y, x], axis=1).tolist()
    return [f'{{"category": {category}, "bbox": {box}}}' for category, box in zip(categories, boxes)]


def _load_apart(folder: Path) -> dict[str, Any]:
    """Seconds and peak memory of one load in a new process."""
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "result.json"
        command = [sys.executable, "-m", "benchmarks.annotations", str(folder), str(result)]
        subprocess.run(command, check=True, env=dict(os.environ))
        return dict(json.loads(result.read_text(encoding="utf-8")))


def _load(folder: Path, result: Path) -> None:
    started, busy = time.perf_counter(), time.process_time()
    dataset = load_dataset(folder, "trainval", cache=folder / "cache")
    found = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - busy}
    result.write_text(json.dumps({**found, "images": len(dataset), "peak_mib": peak_memory()}))


if __name__ == "__main__":
    _load(Path(sys.argv[1]), Path(sys.argv[2]))
