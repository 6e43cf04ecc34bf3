"""Small models, random batches, and the golden cases with the recipe's weights, made once for all tests."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import release_name
from dsg.config import Config, load_config
from dsg.datasets.records import OBJECT, SUBJECT, ImageRecord
from dsg.models.dsg.build import build_model
from dsg.models.dsg.losses import training_losses
from dsg.nets.initial import unfilled
from dsg.parity.checks import Checks
from dsg.parity.golden import Golden, open_golden
from dsg.parity.recipe import recipe_value
from dsg.parity.runs.case import Case, read_case
from dsg.pipeline.examples import Arrays, Example, preprocess, to_batch
from tests.golden import FOLDER

ENTITIES, PREDICATES = 7, 5
TINY = (
    *("RPN_CHANNELS", "12", "HEAD.DIM", "12", "HEAD.CHANNELS", "8", "HEAD.RELATION_CHANNELS", "8"),
    *("GPI.HIDDEN", "12", "GPI.PHI", "10", "GPI.ALPHA", "9", "GPI.RHO", "14", "RR.HIDDEN", "[11]"),
    *("TRAIN.RPN_POST_NMS_TOP_N", "6", "TRAIN.RPN_BATCHSIZE", "32", "ANCHOR_SCALES", "[1, 2, 4]"),
)


def noise(*shape: int, seed: int = 0) -> tf.Tensor:
    """Standard normal values, float32."""
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


class GoldenPass(NamedTuple):
    """A golden forward case, run."""

    golden: Golden
    case: Case
    model: Any
    outputs: Any
    losses: dict[str, tf.Tensor]


@functools.cache
def golden_pass(net: str) -> GoldenPass:
    """`forward_<net>_generated` through the model, its weights assigned by the recipe. Leave the weights
    alone.
    """
    golden, case, model = unfilled_case(net)
    for name, variable in model.named_variables().items():
        variable.assign(recipe_value(str(release_name(name, net)), variable.shape))
    outputs = model(case.batch, training=True)
    return GoldenPass(golden, case, model, outputs, training_losses(model, outputs, case.batch, case.config))


def unfilled_case(net: str) -> tuple[Golden, Case, Any]:
    """The file of a golden forward case, the case, and its model, whose weights are zeros."""
    golden = open_golden(FOLDER / f"forward_{net}_generated.npz")
    case = read_case(golden)
    with unfilled():
        return golden, case, build_model(case.config, case.num_entities, case.num_predicates)


@functools.cache
def golden_checks(net: str) -> Checks:
    """Every comparison of the golden forward case."""
    from dsg.parity.runs.forward import tolerance
    from dsg.parity.runs.stages import stages

    golden, case, model, outputs, losses = golden_pass(net)
    checks = Checks(golden)
    predictions = model.answer(outputs)
    for name, value in stages(case, outputs, losses, predictions):
        checks.compare(name, value, tolerance(name))
    return checks


def tiny_config(*overrides: str, net: str = "mini", tiny: tuple[str, ...] = TINY) -> Config:
    """A configuration whose model takes milliseconds; images keep their size."""
    sizes = []
    for mode in ("TRAIN", "TEST"):
        sizes += [f"{mode}.SCALES", "[64]", f"{mode}.MAX_SIZE", "96"]
    return load_config(overrides=["NET", net, *tiny, *sizes, *overrides])


def tiny_model(config: Config, seed: int = 0) -> Any:
    """A model with lively random weights: biases, norms and scores that a fresh model would not have."""
    with unfilled():
        model = build_model(config, ENTITIES, PREDICATES)
    rng = np.random.default_rng(seed)
    for name, variable in model.named_variables().items():
        noise = rng.standard_normal(variable.shape)
        leaf = name.rsplit("/", 1)[-1]
        if leaf == "kernel":
            gain = 3.0 if name == "rpn/classes/kernel" else 1.0
            variable.assign(noise * gain / np.sqrt(np.prod(variable.shape[:-1])))
        elif leaf == "moving_variance":
            variable.assign(1 + np.abs(noise))
        else:
            variable.assign(variable + 0.2 * noise)
    return model


@functools.cache
def shared_model(config: Config) -> Any:
    """`tiny_model(config)`, made once for all tests. Leave its weights alone."""
    return tiny_model(config)


def random_record(
    seed: int, height: int = 64, width: int = 96, boxes: int = 4, queries: int = 3
) -> ImageRecord:
    """A record of an image that was never written."""
    rng = np.random.default_rng(seed)
    low = np.stack([rng.uniform(0, 0.6 * width, boxes), rng.uniform(0, 0.6 * height, boxes)], -1)
    size = np.stack([rng.uniform(12, 0.4 * width, boxes), rng.uniform(12, 0.4 * height, boxes)], -1)
    roles = rng.integers(1, 4, (queries, boxes)).astype(np.int32)
    asked = rng.integers(0, (ENTITIES, PREDICATES, ENTITIES), (queries, 3))
    return ImageRecord(
        name=f"{seed}.png",
        path=Path(f"{seed}.png"),
        width=width,
        height=height,
        boxes=np.concatenate([low, low + size], -1).astype(np.float32),
        entities=rng.integers(0, ENTITIES, boxes).astype(np.int32),
        predicates=rng.integers(-1, PREDICATES, (boxes, boxes)).astype(np.int32),
        queries=asked.astype(np.int32),
        roles=roles,
        subject_masks=roles == SUBJECT,
        object_masks=roles == OBJECT,
        triples=np.zeros((0, 3), np.int32),
    )


def random_arrays(config: Config, seed: int, **record: int) -> Arrays:
    """One image's part of a batch, with ground truth and anchor targets."""
    made = random_record(seed, **record)
    image = np.random.default_rng(seed).integers(0, 256, (made.height, made.width, 3)).astype(np.uint8)
    return preprocess(Example(image, made), config, targets=True)


def tensors(*arrays: Arrays) -> Any:
    """Examples as a batch of tensors."""
    batch = to_batch(list(arrays))
    return {key: tf.constant(value) for key, value in batch.items() if key != "name"}


def random_batch(config: Config, *seeds: int, **record: int) -> Any:
    """A batch of images of one size."""
    return tensors(*(random_arrays(config, seed, **record) for seed in seeds))


def close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Largest error within `tolerance` of the largest expected value."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    if expected.size:
        assert np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-12)
