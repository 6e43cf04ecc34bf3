"""The section on the input pipeline: images a second from files to batches, without a network behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.mini import mini_config
from benchmarks.network import Result, large_config
from benchmarks.settings import Settings
from dsg.apps.cost.subjects import photograph_dataset, shapes_dataset, vocabulary
from dsg.apps.cost.timing import in_turns
from dsg.config import Config
from dsg.datasets import Dataset
from dsg.pipeline.batches import training_batches

QUERIES_PER_PHOTOGRAPH = 20  # relationships of an image, as many as Visual Genome has


def pipeline(settings: Settings) -> Result:
    """Seconds of an epoch of batches: small PNG scenes for mini, JPEG photographs for the large net."""
    with tempfile.TemporaryDirectory() as folder:
        contenders, images = pipeline_contenders(settings, Path(folder))
        timings = in_turns(contenders, settings.pipeline_repeats, seconds=settings.seconds)
    return {"cases": {name: timing.as_case(images[name]) for name, timing in timings.items()}, "checks": {}}


def pipeline_contenders(
    settings: Settings, folder: Path, only: str = ""
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """Epochs through data sets made in `folder`, and their numbers of images."""
    contenders, images = {}, {}
    if only in ("", "input/shapes"):
        dataset = shapes_dataset(folder / "shapes", settings.shapes_images, settings.mini_size)
        contenders["input/shapes"] = _epoch(dataset, mini_config(settings))
        images["input/shapes"] = len(dataset)
    if only in ("", "input/photographs"):
        words = vocabulary(settings.entities, settings.predicates)
        size = (settings.width, settings.height)
        (folder / "photographs").mkdir()
        made = (folder / "photographs", settings.photographs, size, words)
        dataset = photograph_dataset(*made, settings.objects, QUERIES_PER_PHOTOGRAPH)
        contenders["input/photographs"] = _epoch(dataset, large_config(settings))
        images["input/photographs"] = len(dataset)
    return contenders, images


def _epoch(dataset: Dataset, config: Config) -> Callable[[], object]:
    """A function that reads every image once, as an epoch of training does."""

    def read() -> int:
        count = sum(int(batch["index"].shape[0]) for batch in training_batches(dataset, config, epoch=0))
        if count != len(dataset):
            raise AssertionError(f"{len(dataset) - count} of {len(dataset)} generated images were skipped")
        return count

    return read
