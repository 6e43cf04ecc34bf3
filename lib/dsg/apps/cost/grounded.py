"""What masks cost a grounded scene graph: parameters, operations and seconds with masks and without,
about one image with given boxes (PredCls).

Without masks the graph stage is the same, but neither boxes nor pairs are shown any; the detector has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.apps.cost.contenders import LEARNING_RATE
from dsg.apps.cost.operations import count_gflop_by
from dsg.apps.cost.owners import Owners, parameters_by_part
from dsg.apps.cost.settings import CostSettings
from dsg.apps.cost.subjects import photograph
from dsg.apps.cost.timing import in_turns
from dsg.config import Config, flatten, from_values
from dsg.config.grounding import GRAPH_STAGE, NO_EDGE_MASK, PREDCLS
from dsg.datasets import Vocabulary
from dsg.engine.optimizers import build_optimizer
from dsg.engine.step import build_train_step
from dsg.engine.task import trained_variables
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.predictor import GroundedPredictor
from dsg.models.grounding.training import graph_losses
from dsg.nets.initial import unfilled
from dsg.pipeline.graph_batches import graph_spec
from dsg.runtime.machine import machine

Batch = dict[str, Any]
WITH, WITHOUT = "with", "without"
VARIANTS: dict[str, dict[str, Any]] = {
    WITH: {},
    WITHOUT: {
        "GROUNDING.NODE_MASKS": False,
        "GROUNDING.EDGE_MASK": NO_EDGE_MASK,
        "GROUNDING.JOINT": False,
    },
}
MASKS = 80  # categories with masks, as COCO has
PARTS = {
    "trunk": "trunk/",
    "feature pyramid": "pyramid/",
    "region proposal network": "rpn/",
    "box head": "box_head/",
    "box predictors": "predictor/",
    "mask head": "mask_branch/",
    "map reducer": "reducer/",
    "features of boxes": "graph/node/",
    "features of pairs": "graph/edge/",
    "masks of pairs": "graph/edge_mask/",
    "context": "graph/context/",
    "predicates": "graph/predicate/",
    "mask refiner": "graph/refiner/",
}
"""Parts in the order of the data flow, and how the names of their variables begin."""


def measure_grounding(config: Config, settings: CostSettings) -> dict[str, Any]:
    """The cost of masks, ready for JSON: `parameters`, `trained`, `inference_gflop`, `training_gflop`, each
    {WITH, WITHOUT: {part: number}}; `seconds` and `processor_seconds` {"inference", "training": {WITH,
    WITHOUT: median}}, empty if nothing is to be timed; `about`; `machine`.

    Operations in loops over a sequence or a tree (the recurrent products of a context) are not counted.
    """
    gpus = [device.name for device in tf.config.get_visible_devices("GPU")]
    about = {**asdict(settings), "net": config.net, "pairs": config.grounding.pairs}
    about.update(boxes=settings.objects, device=gpus[0] if gpus else "CPU")
    report: dict[str, Any] = {"about": about, "machine": machine()}
    for kind in ("parameters", "trained", "inference_gflop", "training_gflop"):
        report[kind] = {}
    with unfilled():  # numbers do not matter where only shapes are counted
        for name, values in VARIANTS.items():
            for kind, found in _counts(grounded_config(config, settings, values), settings).items():
                report[kind][name] = found
    size = grounded_config(config, settings, {}).test
    report["about"]["size"] = [size.max_size, size.scales[0]]
    report.update(seconds={}, processor_seconds={})
    if settings.repeats:
        for task, contenders in (("inference", answers), ("training", steps)):
            both = contenders(config, settings)
            limits = {"warm_up": settings.warm_up, "seconds": settings.seconds}
            timings = in_turns(both, settings.repeats, **limits)  # type: ignore[arg-type]
            cases = {name: timing.as_case() for name, timing in timings.items()}
            for kind in ("seconds", "processor_seconds"):
                report[kind][task] = {name: case[kind] for name, case in cases.items()}
    return report


def grounded_config(config: Config, settings: CostSettings, values: Mapping[str, Any]) -> Config:
    """The configuration of a graph stage on one image of the size asked for, without refinement."""
    shorter, longer = sorted((settings.height, settings.width))
    ours: dict[str, Any] = {
        "GROUNDING.STAGE": GRAPH_STAGE,
        "GROUNDING.SETTING": PREDCLS,
        "GROUNDING.REFINE": False,
    }
    for mode in ("TRAIN", "TEST"):
        ours.update({f"{mode}.SCALES": [shorter], f"{mode}.MAX_SIZE": longer, f"{mode}.IMS_PER_BATCH": 1})
    return from_values({**flatten(config), **ours, **values})


def grounded_model(config: Config, settings: CostSettings) -> GroundingModel:
    """The model for numbered names of so many categories."""
    kinds = {"object": settings.entities, "predicate": settings.predicates, "mask": MASKS}
    names = (tuple(f"{kind} {n}" for n in range(count)) for kind, count in kinds.items())
    return build_grounding(config, Vocabulary(*names))


def grounded_batch(config: Config, settings: CostSettings, *, training: bool) -> Batch:
    """One image of the size that `config` asks for, as the input pipeline gives it, with boxes and, for
    training, pairs.
    """
    height, width = config.test.scales[0], config.test.max_size
    rng, count = np.random.default_rng(0), settings.objects
    sides = rng.uniform(0.1, 0.5, (count, 2)) * (width, height)
    corners = rng.uniform(0, 1, (count, 2)) * ((width, height) - sides)
    size = np.array([[height, width]], np.float32)
    arrays: Batch = {
        "image": (photograph(rng, height, width)[None] - np.array(config.pixel_means)).astype(np.float32),
        "image_size": size,
        "original_size": size,
        "scale": np.ones(1, np.float32),
        "index": np.zeros(1, np.int32),
        "name": np.array(["generated"]),
        "domain": np.zeros(1, np.int32),
        "gt_boxes": np.concatenate([corners, corners + sides], 1).astype(np.float32)[None],
        "gt_classes": rng.integers(0, settings.entities, (1, count)).astype(np.int32),
        "gt_valid": np.ones((1, count), bool),
    }
    if training:
        ordered, most = np.argwhere(~np.eye(count, dtype=bool)), config.grounding.pairs
        pairs = rng.permutation(ordered)[:most].astype(np.int32)
        related = np.arange(len(pairs)) < most * config.grounding.related_share
        predicates = np.where(related, 0, settings.predicates).astype(np.int32)
        triples = np.concatenate([pairs, predicates[:, None]], 1)[related]
        arrays.update(
            relations=triples[None],
            relation_valid=np.ones((1, len(triples)), bool),
            pairs=pairs[None],
            pair_predicates=predicates[None],
            pair_valid=np.ones((1, len(pairs)), bool),
            related=np.zeros((1, count, count), np.float32),
        )
    return {key: tf.convert_to_tensor(value) for key, value in arrays.items()}


def answers(config: Config, settings: CostSettings) -> dict[str, Callable[[], object]]:
    """An answer with masks and without."""
    found: dict[str, Callable[[], object]] = {}
    for name, values in VARIANTS.items():
        own = grounded_config(config, settings, values)
        model = grounded_model(own, settings)
        model.fold()  # as for every model that only answers
        found[name] = _bound(
            GroundedPredictor(model, own, PREDCLS, alone=True), grounded_batch(own, settings, training=False)
        )
    return found


def steps(config: Config, settings: CostSettings) -> dict[str, Callable[[], object]]:
    """A training step with masks and without."""
    found: dict[str, Callable[[], object]] = {}
    for name, values in VARIANTS.items():
        own = grounded_config(config, settings, values)
        model = grounded_model(own, settings)
        step = build_train_step(
            *(model, build_optimizer(own, trained_variables(model)), own, tf.distribute.get_strategy()),
            losses_of=_losses(own),
            spec=graph_spec(own),
        )
        found[name] = _bound(step, grounded_batch(own, settings, training=True), LEARNING_RATE)
    return found


def _counts(config: Config, settings: CostSettings) -> dict[str, dict[str, Any]]:
    """Parameters (all, trained) and operations (an answer, a training step) by part."""
    model = grounded_model(config, settings)
    variables, trained = model.named_variables(), trained_variables(model)
    owners = Owners(variables, PARTS)
    losses = _losses(config)

    def gradients(batch: Batch) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(trained.values()))
            total = losses(model, batch)["total"]
        return tape.gradient(total, list(trained.values()))

    predict = GroundedPredictor(model, config, PREDCLS, alone=True)
    test, train = (grounded_batch(config, settings, training=training) for training in (False, True))
    return {
        "parameters": parameters_by_part(variables, PARTS),
        "trained": parameters_by_part(trained, PARTS),
        "inference_gflop": count_gflop_by(owners, predict.traced.python_function, predict.inputs(test)),
        "training_gflop": count_gflop_by(owners, gradients, train),
    }


def _losses(config: Config) -> Callable[[GroundingModel, Mapping[str, Any]], dict[str, tf.Tensor]]:
    return lambda model, batch: graph_losses(model, batch, config)


def _bound(function: Callable[..., object], *arguments: Any) -> Callable[[], object]:
    return lambda: function(*arguments)
