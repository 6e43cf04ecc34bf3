"""What the graph costs (the paper's Table 3): parameters, operations and seconds of one model with its graph
and without, on one image.

Without means VARIANT no_dsg of the same configuration: detector, entity features and the role classifier on
these. Both share their weights' values, and are timed in turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf

from dsg.apps.cost.contenders import answering, fetching, optimizer_of, stepping
from dsg.apps.cost.operations import count_gflop_by
from dsg.apps.cost.owners import Owners, parameters_by_part
from dsg.apps.cost.settings import CostSettings
from dsg.apps.cost.subjects import photograph_batch, vocabulary
from dsg.apps.cost.timing import in_turns
from dsg.config import Config, flatten, from_values
from dsg.config.dsg import VARIANTS
from dsg.engine.task import trained_variables
from dsg.models.dsg.build import build_model
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.model import DSG
from dsg.pipeline.batch import Batch
from dsg.runtime.machine import machine

WITH, WITHOUT = "with", "without"


@dataclass(frozen=True)
class Pair:
    """The two models, and the image each is measured on, as a test and as a training step see it."""

    models: Mapping[str, DSG]  # WITH and WITHOUT
    test: Batch
    train: Batch


def measure_cost(pair: Pair, settings: CostSettings) -> dict[str, Any]:
    """The cost of the graph, ready for JSON.

    Returns:
        `parameters`, `trained`, `inference_gflop`, `training_gflop`: each {WITH, WITHOUT: {part: number}};
        `seconds` and `processor_seconds`: {"inference", "training": {WITH, WITHOUT: median}}, empty if
        nothing is to be timed; `about`: what was measured; `machine`.
    """
    report: dict[str, Any] = {"about": _about(pair, settings), "machine": machine(), **counts(pair)}
    report.update(seconds={}, processor_seconds={})
    if settings.repeats:
        report.update(times(pair, settings))
    return report


def build_pair(config: Config, settings: CostSettings) -> Pair:
    """Both models, equal where they have the same parts, and the image."""
    values = {
        **flatten(config),
        "TRAIN.IMS_PER_BATCH": 1,
        "TEST.IMS_PER_BATCH": 1,
        "TRAIN.RPN_NMS_MIN_SCORE": 0.0,  # whatever the scores, there are proposals
    }
    configs = {
        WITH: from_values(values),
        WITHOUT: from_values({**values, **VARIANTS["no_dsg"], "VARIANT": "no_dsg"}),
    }
    models = {name: build_model(one, settings.entities, settings.predicates) for name, one in configs.items()}
    values_of = models[WITH].named_variables()
    for name, variable in models[WITHOUT].named_variables().items():
        if name in values_of:  # a graph whose nodes alone are classified has no such part
            variable.assign(values_of[name])
    words = vocabulary(settings.entities, settings.predicates)
    shown = (settings.width, settings.height), words, settings.objects, settings.queries
    return Pair(
        models,
        photograph_batch(configs[WITH], *shown, training=False),
        photograph_batch(configs[WITH], *shown),
    )


def counts(pair: Pair) -> dict[str, dict[str, dict[str, float]]]:
    """Parameters (all, trained) and operations (an answer, a training step) by part, of both models."""
    kinds = ("parameters", "trained", "inference_gflop", "training_gflop")
    found: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    for name, model in pair.models.items():
        variables = model.named_variables()
        trained = trained_variables(model)
        owners = Owners(variables)
        found["parameters"][name] = parameters_by_part(variables)
        found["trained"][name] = parameters_by_part(trained)
        found["inference_gflop"][name] = count_gflop_by(owners, model.predict_roles, pair.test)
        found["training_gflop"][name] = count_gflop_by(owners, gradients(model), pair.train)
    return found


def gradients(model: DSG) -> Any:
    """A function of a batch: the gradients that a training step takes."""
    trained = list(trained_variables(model).values())

    def function(batch: Batch) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            losses = training_losses(model, model(batch, training=True), batch, model.config)
        return tape.gradient(losses["total"], trained)

    return function


def times(pair: Pair, settings: CostSettings) -> dict[str, dict[str, dict[str, float]]]:
    """Median seconds of an answer and of a training step, with the graph and without, taken in turns."""
    contenders = {
        "inference": {name: fetching(answering(model), pair.test) for name, model in pair.models.items()},
        "training": {
            name: stepping(model, optimizer_of(model), pair.train) for name, model in pair.models.items()
        },
    }
    found: dict[str, dict[str, dict[str, float]]] = {"seconds": {}, "processor_seconds": {}}
    for task, both in contenders.items():
        timings = in_turns(both, settings.repeats, warm_up=settings.warm_up, seconds=settings.seconds)
        cases = {name: timing.as_case() for name, timing in timings.items()}
        for kind, medians in found.items():
            medians[task] = {name: case[kind] for name, case in cases.items()}
    return found


def _about(pair: Pair, settings: CostSettings) -> dict[str, Any]:
    model = pair.models[WITH]
    sizes = {name: [int(side) for side in batch["image"].shape[1:3]] for name, batch in _batches(pair)}
    proposals = int(tf.reduce_sum(tf.cast(model(pair.test).detection.proposals.valid, tf.int32)))
    precision = {"test": model.config.test.precision, "train": model.config.train.precision}
    gpus = [device.name for device in tf.config.get_visible_devices("GPU")]
    return {
        **asdict(settings),
        "net": model.config.net,
        "image_size": sizes,  # height, width that the network sees
        "proposals": proposals,
        "precision": precision,
        "device": gpus[0] if gpus else "CPU",
    }


def _batches(pair: Pair) -> list[tuple[str, Batch]]:
    return [("test", pair.test), ("train", pair.train)]
