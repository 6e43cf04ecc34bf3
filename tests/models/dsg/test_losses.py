"""The terms of the objective: golden values, naive oracles in plain Python, masks, means over the batch."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.detector.losses import softmax_objectness_loss
from dsg.models.dsg.losses import (
    box_loss,
    label_loss,
    regularization,
    role_loss,
    rpn_box_loss,
    smooth_l1,
    training_losses,
)
from dsg.models.dsg.targets import ProposalTargets
from dsg.parity.runs.stages import LOSSES
from tests.golden import golden
from tests.models.dsg.cases import close, golden_pass, random_batch, shared_model, tiny_config

TERMS = [name for name in LOSSES if name != "total"]
RNG = np.random.default_rng


def cross_entropy(logits: np.ndarray, label: int) -> float:
    largest = logits.max()
    return math.log(np.exp(logits - largest).sum()) + largest - logits[label]


def naive_smooth_l1(difference: float, sigma: float) -> float:
    size = abs(difference)
    return 0.5 * (sigma * size) ** 2 if size < 1 / sigma**2 else size - 0.5 / sigma**2


@pytest.mark.parametrize("case", [0, 1])
def test_smooth_l1_golden(case: int) -> None:
    arrays = {
        key.split("/")[-1]: value
        for key, value in golden("layers").items()
        if key.startswith(f"smooth_l1/{case}/")
    }
    prediction = tf.constant(arrays["pred"])
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        difference = arrays["inside"] * (prediction - arrays["target"])
        each = arrays["outside"] * smooth_l1(difference, float(arrays["sigma"]))
        loss = tf.reduce_mean(tf.reduce_sum(each, arrays["dim"].tolist()))
    close(loss, arrays["loss"], 1e-6)
    close(tape.gradient(loss, prediction), arrays["dloss_dpred"], 1e-6)


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_smooth_l1_element_by_element(sigma: float) -> None:
    values = np.concatenate([np.linspace(-2, 2, 41), [0.0, 1 / sigma**2, -1 / sigma**2]])
    expected = [naive_smooth_l1(value, sigma) for value in values]
    close(smooth_l1(tf.constant(values, tf.float32), sigma), expected, 1e-6)


@pytest.mark.parametrize("net", ["res50", "res101"])
@pytest.mark.parametrize("name", list(LOSSES))
def test_golden_terms(net: str, name: str) -> None:
    found = golden_pass(net).losses[name]
    expected = golden(f"forward_{net}_generated")[f"loss/{LOSSES[name]}"]
    assert float(found) == pytest.approx(float(expected.reshape(-1)[0]), rel=2e-5)
    assert found.shape == () and found.dtype == tf.float32


def rpn_case(seed: int = 0, images: int = 2) -> dict[str, Any]:
    rng, grid = RNG(seed), (images, 3, 4, 5)
    return {
        "logits": rng.standard_normal((*grid, 2)),
        "deltas": rng.standard_normal((*grid, 4)),
        "targets": rng.standard_normal((*grid, 4)),
        "labels": rng.integers(-1, 2, grid),
        "weights": rng.uniform(0, 0.1, grid),
    }


def as_tensors(case: dict[str, Any]) -> dict[str, tf.Tensor]:
    return {
        key: tf.constant(value, tf.int32 if value.dtype.kind == "i" else tf.float32)
        for key, value in case.items()
    }


def test_rpn_class_loss() -> None:
    case = rpn_case()
    per_image = []
    for image in range(2):
        entropies = [
            cross_entropy(case["logits"][(image, *place)], label)
            for place, label in np.ndenumerate(case["labels"][image])
            if label >= 0
        ]
        per_image.append(np.mean(entropies))
    given = as_tensors(case)
    close(softmax_objectness_loss(given["logits"], given["labels"]), np.mean(per_image))


def test_rpn_class_loss_without_anchors_is_zero() -> None:
    logits = tf.random.stateless_normal([1, 2, 2, 3, 2], [0, 1])
    assert float(softmax_objectness_loss(logits, tf.fill([1, 2, 2, 3], -1))) == 0


def test_rpn_box_loss() -> None:
    case = rpn_case(1)
    total = 0.0
    for place, label in np.ndenumerate(case["labels"]):
        if label == 1:
            for axis in range(4):
                difference = case["deltas"][(*place, axis)] - case["targets"][(*place, axis)]
                total += naive_smooth_l1(difference, 3.0) * case["weights"][place]
    given = as_tensors(case)
    found = rpn_box_loss(given["deltas"], given["targets"], given["labels"], given["weights"])
    close(found, total / 2)


def test_box_loss() -> None:
    rng = RNG(2)
    deltas, targets = rng.standard_normal((2, 6, 4)), rng.standard_normal((2, 6, 4))
    valid = np.array([[True] * 6, [True] * 4 + [False] * 2])
    weights = valid * rng.integers(0, 2, (2, 6))
    per_image = []
    for image in range(2):
        total = 0.0
        for box in range(6):
            for axis in range(4):
                difference = deltas[image, box, axis] - targets[image, box, axis]
                total += weights[image, box] * naive_smooth_l1(difference, 1.0)
        per_image.append(total / valid[image].sum())
    arrays = (tf.constant(value, tf.float32) for value in (deltas, targets, weights))
    close(box_loss(*arrays, tf.constant(valid)), np.mean(per_image))


def role_targets(roles: np.ndarray) -> ProposalTargets:
    return ProposalTargets(*[None] * len(ProposalTargets._fields))._replace(roles=tf.constant(roles))


@pytest.mark.parametrize("kind", ["released", "sum"])
def test_role_loss(kind: str) -> None:
    rng = RNG(3)
    logits = rng.standard_normal((2, 3, 6, 4))
    roles = rng.integers(0, 4, (2, 3, 6))
    weights = rng.uniform(0, 2, (2, 3, 6))
    queries = np.array([[True, True, True], [True, False, False]])
    weights[~queries] = 0
    per_image = []
    for image in range(2):
        weighted = sum(
            weights[image, query, box] * cross_entropy(logits[image, query, box], roles[image, query, box])
            for query in range(3)
            for box in range(6)
        )
        if kind == "released":
            weighted *= queries[image].sum() / (1 + weights[image].sum())
        per_image.append(weighted)
    found = role_loss(
        tf.constant(logits, tf.float32),
        targets=role_targets(roles),
        weights=tf.constant(weights, tf.float32),
        queries=tf.constant(queries),
        kind=kind,
    )
    close(found, np.mean(per_image))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("shape", [(2, 5), (2, 4, 4)])
def test_label_loss(reduction: str, shape: tuple[int, ...]) -> None:
    rng = RNG(4)
    logits, labels = rng.standard_normal((*shape, 3)), rng.integers(-1, 3, shape)
    chosen = rng.integers(0, 2, shape).astype(bool)
    per_image = []
    for image in range(2):
        entropies = [
            cross_entropy(logits[(image, *place)], label)
            for place, label in np.ndenumerate(labels[image])
            if label >= 0 and chosen[(image, *place)]
        ]
        per_image.append(np.sum(entropies) / (max(len(entropies), 1) if reduction == "mean" else 1))
    found = label_loss(tf.constant(logits, tf.float32), tf.constant(labels), tf.constant(chosen), reduction)
    close(found, np.mean(per_image))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_label_loss_without_labels_is_zero(reduction: str) -> None:
    logits, labels = tf.ones([1, 3, 4]), tf.fill([1, 3], -1)
    assert float(label_loss(logits, labels, tf.ones([1, 3], tf.bool), reduction)) == 0


def test_regularisation_is_half_the_squared_norm() -> None:
    model = shared_model(tiny_config())
    variables = model.named_variables()
    squares = [np.square(variables[name].numpy().astype(float)).sum() for name in model.regularised_names()]
    close(regularization(model, 0.01), 0.01 * 0.5 * sum(squares))


@functools.cache
def case(*overrides: str) -> tuple[Any, Any, Any, Any]:
    """Ground truth in place of proposals, so that every term has something to say."""
    config = tiny_config("TRAIN.USE_GT", "True", *overrides)
    model, batch = shared_model(config), random_batch(config, 0, 1)
    return config, model, batch, model(batch, training=True)


def test_the_total_is_the_weighted_sum() -> None:
    config, model, batch, outputs = case("LOSS.BOX", "3.0", "LOSS.ENTITY", "0.5")
    losses = training_losses(model, outputs, batch, config)
    assert list(losses) == [*TERMS, "total"]
    assert min(float(value) for name, value in losses.items() if name != "box") > 0
    expected = sum(getattr(config.loss, name) * float(losses[name]) for name in TERMS)
    assert float(losses["total"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_without_weight_is_not_computed(name: str) -> None:
    _, model, batch, outputs = case()
    config = tiny_config("TRAIN.USE_GT", "True", f"LOSS.{name.upper()}", "0.0")
    assert set(training_losses(model, outputs, batch, config)) == {*TERMS, "total"} - {name}


def test_a_batch_is_the_mean_of_its_images() -> None:
    config, model, batch, outputs = case()
    together = training_losses(model, outputs, batch, config)
    alone = []
    for image in range(2):
        part = {key: value[image : image + 1] for key, value in batch.items()}
        alone.append(training_losses(model, model(part, training=True), part, config))
    for name, value in together.items():
        close(float(value), np.mean([float(one[name]) for one in alone]))


def test_labels_are_averaged_and_roles_summed_on_request() -> None:
    config, model, batch, outputs = case()
    released = training_losses(model, outputs, batch, config)
    config = tiny_config("TRAIN.USE_GT", "True", "LOSS.LABELS", "mean", "RR.LOSS", "sum")
    other = training_losses(model, outputs, batch, config)
    boxes = outputs.detection.proposals.boxes.shape[1]
    assert float(other["entity"]) == pytest.approx(float(released["entity"]) / boxes, rel=1e-5)
    assert float(other["rr"]) != pytest.approx(float(released["rr"]), rel=1e-2)


def test_the_baseline_s_role_loss_is_halved() -> None:
    config, model, batch, outputs = case()
    heads = outputs.heads
    swapped = outputs._replace(heads=heads._replace(first_stage_role_logits=heads.role_logits))
    losses = training_losses(model, swapped, batch, config)
    assert float(losses["rr_baseline"]) == pytest.approx(0.5 * float(losses["rr"]), rel=1e-6)


def test_the_box_loss_reads_the_source_of_boxes() -> None:
    config, model, batch, outputs = case()
    feature = tiny_config("TRAIN.USE_GT", "True", "BOX_SOURCE", "feature")
    heads = outputs.heads
    none = heads._replace(first_stage_box_deltas=0 * heads.first_stage_box_deltas)
    zero = outputs._replace(heads=none)
    # Boxes that are the ground truth need no correction.
    assert float(training_losses(model, zero, batch, feature)["box"]) == pytest.approx(0, abs=1e-9)
    assert float(training_losses(model, zero, batch, config)["box"]) > 1e-3


def test_no_dsg_trains_the_baseline_and_the_detector() -> None:
    config = tiny_config("VARIANT", "no_dsg")
    model, batch = shared_model(config), random_batch(config, 0)
    losses = training_losses(model, model(batch, training=True), batch, config)
    assert set(losses) == {"rpn_class", "rpn_box", "rr_baseline", "regularization", "total"}
    assert not [
        name for name in model.named_variables() if name.startswith(("gpi/", "labels/", "regions/rel"))
    ]
