"""The section on grounded scene graphs: an answer about given boxes (PredCls), one about detected boxes
(SGDet) and a training step, with masks and without; and what of an answer is the detector's map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from benchmarks.settings import ROOT, Settings
from dsg.apps.cost.grounded import (
    VARIANTS,
    Batch,
    answers,
    grounded_batch,
    grounded_config,
    grounded_model,
    steps,
)
from dsg.apps.cost.settings import CostSettings
from dsg.apps.cost.timing import in_turns
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.config import Config, load_config
from dsg.config.grounding import SGDET
from dsg.models.detector.predictions import testing_proposals
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.parity.recipes import slim_value

CFGS = ROOT / "experiments" / "cfgs" / "models"


def grounding(settings: Settings) -> dict[str, Any]:
    """Seconds of each task of each net, with masks and without."""
    cases: dict[str, Any] = {}
    for net in settings.grounding_nets:
        for task in TASKS:
            timings = in_turns(
                *(contenders(settings, net, task), settings.repeats),
                warm_up=settings.warm_up,
                seconds=settings.seconds / 4,
                fewest=settings.fewest,
            )
            cases.update({f"grounding/{net}/{task}/{k}": one.as_case(1) for k, one in timings.items()})
    return {"cases": cases, "checks": {}}


def contender(settings: Settings, case: str) -> Callable[[], object]:
    """One case alone, such as grounding/res101/predcls/with."""
    _, net, task, name = case.split("/")
    return contenders(settings, net, task)[name]


def contenders(settings: Settings, net: str, task: str) -> dict[str, Callable[[], object]]:
    """A task with masks and without, each as a function without arguments."""
    config = load_config([CFGS / f"grounding_{net}.yml"])
    width, height = settings.mini_size if net == "mini" else (settings.width, settings.height)
    sizes = CostSettings(*(width, height), objects=settings.grounding_boxes, entities=150, predicates=50)
    return TASKS[task](config, sizes)


def detections(config: Config, sizes: CostSettings) -> dict[str, Callable[[], object]]:
    """From pixels to boxes, the best of all proposals, and their relations; and to the map alone."""
    found: dict[str, Callable[[], object]] = {}
    for name, values in VARIANTS.items():
        best = {"TEST.SCORE_THRESHOLD": 0.0, "GROUNDING.BOXES": sizes.objects}
        own = grounded_config(config, sizes, {**values, **best})
        model = grounded_model(own, sizes)
        for key, variable in model.detector.named_variables().items():  # signals keep their size
            theirs = detector_name(key, own.backbone) if own.backbone == "res101" else None
            if theirs is not None and not key.startswith("predictor/"):
                variable.assign(slim_value(theirs, variable.shape))
        model.fold()
        batch = grounded_batch(own, sizes, training=False)
        found[name] = _bound(GroundedPredictor(model, own, SGDET, alone=True), batch)
    found["map"] = _bound(_map(model, own), batch)
    return found


TASKS = {"predcls": answers, "sgdet": detections, "training": steps}


def _bound(function: Callable[[Batch], object], batch: Batch) -> Callable[[], object]:
    return lambda: function(batch)


def _map(model: GroundingModel, config: Config) -> Callable[[Batch], object]:
    @tf.function(autograph=False)
    def run(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        return model.detector(image, size, testing_proposals(config)).maps[0]

    return lambda batch: run(batch["image"], batch["image_size"]).numpy()
