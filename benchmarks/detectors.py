"""The section on detectors: an answer and a training step of tf-faster-rcnn's ResNet-101, and of ResNet-50
with a feature pyramid. What they are compared with lives in an environment of its own: `benchmarks.peers`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.detector_models import (
    answering,
    detector_config,
    recipe_detector,
    stepping,
    training_batch,
)
from benchmarks.settings import Settings
from dsg.apps.cost.subjects import photograph
from dsg.apps.cost.timing import in_turns
from dsg.config import Config


def detectors(settings: Settings) -> dict[str, Any]:
    """Seconds of an answer and of a training step of each net, in each precision."""
    cases: dict[str, Any] = {}
    for net in settings.detector_nets:
        for task in settings.detector_tasks:
            timings = in_turns(
                *(TASKS[task](settings, net), settings.repeats),
                warm_up=settings.warm_up,
                seconds=settings.seconds / 4,
                fewest=settings.fewest,
            )
            cases.update({name: timing.as_case(1) for name, timing in timings.items()})
    return {"cases": cases, "checks": {}}


def answers(settings: Settings, net: str) -> dict[str, Callable[[], object]]:
    """By name: from an image's pixels to what is in it."""
    image = photograph(np.random.default_rng(0), *settings.detector_size)
    model = recipe_detector(_config(settings, net), settings.detector_classes)
    model.fold()  # as for every model that only answers
    found: dict[str, Callable[[], object]] = {}
    for precision in _precisions(settings):
        answer = answering(model, _config(settings, net, precision))
        found[_name(net, "inference", precision)] = partial(answer, image)
    return found


def steps(settings: Settings, net: str) -> dict[str, Callable[[], object]]:
    """By name: a training step on an image with a few objects."""
    height, width = settings.detector_size
    rng = np.random.default_rng(0)
    image = photograph(rng, height, width)
    sides = rng.uniform(0.1, 0.5, (settings.objects, 2)) * (width, height)
    corners = rng.uniform(0, 1, (settings.objects, 2)) * ((width, height) - sides)
    boxes = np.concatenate([corners, corners + sides], 1)
    classes = np.arange(settings.objects) % (settings.detector_classes - 1) + 1
    model = recipe_detector(_config(settings, net), settings.detector_classes)
    found: dict[str, Callable[[], object]] = {}
    for precision in _precisions(settings):
        config = _config(settings, net, precision)
        batch = training_batch(image, boxes, classes, None, config)
        found[_name(net, "training", precision)] = stepping(model, config, batch)
    return found


def contender(settings: Settings, case: str) -> Callable[[], object]:
    """One case alone, such as detector/res50_fpn/inference."""
    _, net, task = case.split("/")
    return TASKS[task.partition("_")[0]](settings, net)[case]


TASKS = {"inference": answers, "training": steps}


def _name(net: str, task: str, precision: str) -> str:
    return f"detector/{net}/{task}{'_bf16' if precision == 'bfloat16' else ''}"


def _precisions(settings: Settings) -> tuple[str, ...]:
    return ("float32", "bfloat16") if settings.bfloat16 else ("float32",)


def _config(settings: Settings, net: str, precision: str = "float32") -> Config:
    values = {
        "TEST.RPN_POST_NMS_TOP_N": settings.detector_proposals,
        "TEST.PRECISION": precision,
        "TRAIN.PRECISION": precision,
    }
    return detector_config(net, settings.detector_size, values)
