"""Sections on the large net: inference and training beside the plain formulation, and what each saving is
worth.

All contenders of a section live in one process and share their variables, so that they differ in nothing
but the formulation, the precision or the size of relation crops. Before anything is timed, the plain
formulation and the library are seen to agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.agreement import demand_agreement, largest_difference, relative_difference
from benchmarks.plain import ALL_SAVINGS, Plain, Savings
from benchmarks.settings import Settings
from dsg.apps.cost.contenders import answering, fetching, optimizer_of, stepping
from dsg.apps.cost.operations import count_gflop
from dsg.apps.cost.subjects import photograph_batch, recipe_model, sharing, vocabulary
from dsg.apps.cost.timing import in_turns
from dsg.config import Config, flatten, from_values
from dsg.models.dsg.model import DSG
from dsg.models.dsg.predictions import INPUTS
from dsg.pipeline.batch import Batch
from dsg.pipeline.batches import batch_spec

GROUND_TRUTH = ("gt_boxes",)  # what the plain formulation reads besides INPUTS
GRADIENT_TOLERANCE = 1e-3

Result = dict[str, Any]
Contender = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Subject:
    """The large net and the image it is measured on."""

    model: DSG
    batch: Batch

    def variant(self, options: Mapping[str, Any]) -> DSG:
        """The same variables under another configuration."""
        return sharing(self.model, from_values({**flatten(self.model.config), **options}))


def subject(settings: Settings) -> Subject:
    """The large net with the recipe's weights, and one image for it."""
    config = large_config(settings)
    words = vocabulary(settings.entities, settings.predicates)
    model = recipe_model(config, settings.entities, settings.predicates)
    size = (settings.width, settings.height)
    return Subject(model, photograph_batch(config, size, words, settings.objects, settings.queries))


def large_config(settings: Settings) -> Config:
    """The release's configuration at the size asked for; whatever the scores, as many proposals as may be."""
    shorter, longer = sorted((settings.height, settings.width))
    return from_values(
        {
            "BACKBONE": settings.net,
            "TRAIN.SCALES": [shorter],
            "TRAIN.MAX_SIZE": longer,
            "TRAIN.RPN_POST_NMS_TOP_N": settings.proposals,
            "TRAIN.RPN_NMS_MIN_SCORE": 0.0,
        }
    )


def inference(settings: Settings, one: Subject | None = None) -> Result:
    """Seconds of an answer: plain, library, both with 7 x 7 relation crops; and of a large matrix product."""
    one = one or subject(settings)
    checks = {"plain_equals_library": largest_difference(one.model, one.batch)}
    one.model.fold()  # as for every model that only answers
    functions = inference_functions(one, settings)
    contenders = {name: fetching(function, one.batch) for name, function in functions.items()}
    large = {name: contenders.pop(name) for name in list(contenders) if name.endswith("pair7")}
    products: dict[str, Contender] = {}
    work: dict[str, float] = {}
    if settings.matmul:
        for kind in ("float32", "bfloat16") if settings.bfloat16 else ("float32",):
            products[f"matmul/{kind}"] = matrix_product(kind, settings.matmul)
            work[f"matmul/{kind}"] = 2e-9 * settings.matmul**3
        work["inference/library"] = count_gflop(one.model.predict_roles, one.batch)
        if settings.plain_gflop:
            work["inference/plain"] = count_gflop(Plain(one.model).predict_roles, one.batch)
    turns: dict[str, Any] = {
        "warm_up": settings.warm_up,
        "seconds": settings.seconds,
        "fewest": settings.fewest,
    }
    timings = in_turns({**contenders, **products}, settings.repeats, **turns)
    timings.update(in_turns(large, max(1, settings.repeats // 2), **turns))
    cases = {}
    for name, timing in timings.items():
        cases[name] = timing.as_case(images=name not in products, gflop=work.get(name, 0.0))
    return {"cases": cases, "checks": checks}


def inference_functions(one: Subject, settings: Settings) -> dict[str, Callable[[Batch], object]]:
    """The contenders of `inference` as functions of a batch, not yet traced."""
    models: dict[str, Any] = {
        "inference/plain": Plain(one.model),
        "inference/library": one.model,
    }
    if settings.bfloat16:
        models["inference/library_bf16"] = one.variant({"TEST.PRECISION": "bfloat16"})
    if settings.pair7:
        pair7 = one.variant({"RELATION_POOLING_SIZE": 7})
        models.update({"inference/plain_pair7": Plain(pair7), "inference/library_pair7": pair7})
    return {name: plain_answering(model) for name, model in models.items()}


def plain_answering(model: Any) -> Callable[[Batch], object]:
    """`answering`, also of the plain formulation, which reads ground truth as well."""
    if not isinstance(model, Plain):
        return answering(model)
    keys = (*INPUTS, *GROUND_TRUTH)
    spec = batch_spec(model.config)
    signature = {key: tf.TensorSpec([1, *spec[key].shape[1:]], spec[key].dtype, key) for key in keys}
    plain = tf.function(model.predict_roles, input_signature=[signature])
    return lambda batch: plain({key: batch[key] for key in keys})  # type: ignore[literal-required]


def training(settings: Settings, one: Subject | None = None) -> Result:
    """Seconds of a training step: plain, library, library in bfloat16."""
    contenders = training_contenders(one or subject(settings), settings)
    reports = {name: contender() for name, contender in contenders.items()}
    plain, library = reports["training/plain"], reports["training/library"]
    checks = {
        f"plain_equals_library_{name}": relative_difference(value, reference)
        for name, value, reference in (
            ("losses", [library.losses[name] for name in plain.losses], list(plain.losses.values())),
            ("gradient_norm", library.gradient_norm, plain.gradient_norm),
        )
    }
    demand_agreement(checks, GRADIENT_TOLERANCE)
    turns: dict[str, Any] = {"seconds": settings.seconds, "fewest": settings.fewest}
    timings = in_turns(contenders, settings.repeats, warm_up=settings.warm_up - 1, **turns)
    return {"cases": {name: timing.as_case(1) for name, timing in timings.items()}, "checks": checks}


def training_contenders(one: Subject, settings: Settings) -> dict[str, Callable[[], Any]]:
    """One step of each kind; all share the variables and the slots of one optimiser."""
    optimizer = optimizer_of(one.model)
    models: dict[str, Any] = {"training/plain": Plain(one.model), "training/library": one.model}
    if settings.bfloat16:
        models["training/library_bf16"] = one.variant({"TRAIN.PRECISION": "bfloat16"})
    return {name: stepping(model, optimizer, one.batch) for name, model in models.items()}


def savings(settings: Settings) -> Result:
    """What each saving is worth: the plain formulation with one saving at a time, and with all."""
    one = subject(settings)
    kinds = {"none": Savings()}
    kinds.update({item.name: Savings(**{item.name: True}) for item in dataclasses.fields(Savings)})
    kinds["all"] = ALL_SAVINGS
    plain = {name: Plain(one.model, kind) for name, kind in kinds.items()}
    optimizer = optimizer_of(one.model)
    cases = {}
    for task in ("inference", "training"):
        contenders: dict[str, Contender] = {}
        for name, model in plain.items():
            if task == "training" and name == "skip_ground_truth":
                continue  # training needs it
            infer = task == "inference"
            run = (
                fetching(plain_answering(model), one.batch)
                if infer
                else stepping(model, optimizer, one.batch)
            )
            contenders[f"savings/{task}/{name}"] = run
        timings = in_turns(contenders, settings.repeats, warm_up=settings.warm_up, seconds=settings.seconds)
        cases.update({name: timing.as_case(1) for name, timing in timings.items()})
    return {"cases": cases, "checks": {}}


def contender(settings: Settings, case: str) -> Contender:
    """One case of `inference` or `training` alone."""
    one = subject(settings)
    if case.startswith("inference/"):
        if "library" in case:
            one.model.fold()
        return fetching(inference_functions(one, settings)[case], one.batch)
    return training_contenders(one, settings)[case]


def matrix_product(kind: str, size: int) -> Contender:
    """The product of two square matrices, the fastest that the machine computes in this precision."""
    rng = np.random.default_rng(0)
    first, second = (tf.cast(rng.normal(0, 1, (size, size)).astype(np.float32), kind) for _ in range(2))
    product = tf.function(lambda: tf.matmul(first, second)[0, 0])
    return lambda: product().numpy()
