"""The section on mini: an answer and a training step on a batch of generated scenes. The release has no
such net to compare with.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.network import Contender, Result, answering, fetching, optimizer_of, stepping
from benchmarks.settings import Settings
from dsg.apps.cost.subjects import shapes_dataset
from dsg.apps.cost.timing import in_turns
from dsg.config import Config, flatten, from_values, load_config
from dsg.models.dsg.build import build_model
from dsg.pipeline.batches import training_batches


def mini(settings: Settings) -> Result:
    """Seconds of an answer and of a training step of mini on a batch of generated scenes."""
    contenders = mini_contenders(settings)
    timings = in_turns(
        contenders, 3 * settings.repeats, warm_up=settings.warm_up, seconds=settings.seconds / 4
    )
    cases = {name: timing.as_case(settings.mini_batch) for name, timing in timings.items()}
    return {"cases": cases, "checks": {}}


def mini_contenders(settings: Settings) -> dict[str, Contender]:
    """An answer and a training step of mini."""
    config = mini_config(settings)
    with tempfile.TemporaryDirectory() as folder:
        dataset = shapes_dataset(Path(folder) / "shapes", settings.mini_batch, settings.mini_size)
        batch = next(iter(training_batches(dataset, config, epoch=0)))
    words = dataset.vocabulary
    model = build_model(config, len(words.objects), len(words.predicates))
    return {
        "mini/inference": fetching(answering(model), batch),
        "mini/training": stepping(model, optimizer_of(model), batch),
    }


def mini_config(settings: Settings) -> Config:
    """mini, on batches and images of the size asked for; whatever the scores, there are proposals."""
    shorter, longer = sorted(settings.mini_size)
    values = {
        "TRAIN.IMS_PER_BATCH": settings.mini_batch,
        "TEST.IMS_PER_BATCH": settings.mini_batch,
        "TRAIN.SCALES": [shorter],
        "TRAIN.MAX_SIZE": longer,
        "TRAIN.RPN_NMS_MIN_SCORE": 0.0,
    }
    return from_values({**flatten(load_config([settings.mini_cfg])), **values})
