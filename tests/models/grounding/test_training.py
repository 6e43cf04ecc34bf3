"""Losses of a step of the graph stage: what they are made of, what is trained, and images of few boxes or
many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import Config
from dsg.models.detector.batch_losses import training_proposals
from dsg.models.detector.outputs import Regions
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import Known
from dsg.models.grounding.training import graph_losses
from tests.models.grounding.small_graphs import batch_of, config_of, model_of, without_shapes

REFINE = ("GROUNDING.REFINE", "True", "LOSS.REGULARIZATION", "0.0")


def step_of(model: GroundingModel, config: Config) -> Any:
    """Losses and gradients, computed at once, without a graph."""
    variables = model.named_variables()
    trained = {name: variables[name] for name in model.trainable_names()}

    def step(batch: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        with tf.GradientTape() as tape:
            losses = graph_losses(model, batch, config)
        gradients = tape.gradient(losses["total"], trained)
        return losses, {name: tf.convert_to_tensor(g) for name, g in gradients.items() if g is not None}

    return step


def traced(model: GroundingModel, config: Config, batch: dict[str, tf.Tensor]) -> Any:
    """The same by a function that knows neither the number of images nor that of objects."""
    return tf.function(step_of(model, config), input_signature=without_shapes(batch), autograph=False)


def entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross entropy in float64."""
    logits = logits.astype(np.float64)
    log_sum = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    return float((log_sum - logits[np.arange(len(labels)), labels]).mean())


def binary_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return np.logaddexp(0, logits) - targets * logits


@pytest.mark.parametrize("context", ["motif", "vctree"])
def test_the_losses_of_annotated_boxes_are_those_of_their_lists(context: str) -> None:
    config = config_of("GROUNDING.CONTEXT", context, *REFINE)
    model, batch = model_of(config), batch_of(config, mask_counts=(2,))
    losses, gradients = step_of(model, config)(batch)

    first = model.detector(batch["image"], batch["image_size"], training_proposals(config))
    boxes = np.concatenate([batch["gt_boxes"][0, :4], batch["gt_boxes"][1, :3]])
    listed = BoxList(tf.constant(boxes), tf.constant([0] * 4 + [1] * 3), batch["image_size"][:2])
    labels = np.concatenate([batch["gt_classes"][0, :4], batch["gt_classes"][1, :3]])
    pairs, predicates = [], []
    for number, start in enumerate((0, 4)):
        valid = batch["pair_valid"][number].numpy()
        pairs.append(batch["pairs"][number].numpy()[valid] + start)
        predicates.append(batch["pair_predicates"][number].numpy()[valid])
    logits = model.detector.mask_logits(first, Regions(listed.boxes, listed.image))
    got = model.graph(
        *(model.maps(first), listed, Known(tf.constant(labels), None), logits),
        *(tf.constant(np.concatenate(pairs)), True),
    )
    expected = {"relation": entropy(got.predicate_logits.numpy(), np.concatenate(predicates))}
    if context == "vctree":
        related = batch["related"].numpy()
        own = got.context.pair_logits.numpy()
        parts = [
            binary_entropy(own[:4, :4], related[0, :4, :4]).mean(),
            binary_entropy(own[4:, 4:], related[1, :3, :3]).mean(),
        ]
        expected["related"] = np.mean(parts)
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(value, rel=2e-4)
    assert set(losses) == {*expected, "refined", "total"}
    assert float(losses["total"]) == pytest.approx(sum(float(losses[n]) for n in losses if n != "total"))
    # The detector stays as it is; all else but what labels alone decide has a gradient.
    assert all(name.startswith(("graph/", "reducer/")) for name in gradients)
    idle = set(model.trainable_names()) - set(gradients)
    assert all("decoder/" in name for name in idle)


def test_refined_masks_are_compared_with_the_true_ones() -> None:
    config = config_of(*REFINE)
    model, batch = model_of(config), batch_of(config, mask_counts=(2, 1))
    losses, _ = step_of(model, config)(batch)
    for weight in model.graph.refiner.predictor.named_variables().values():
        weight.assign(tf.zeros_like(weight))
    plain, _ = step_of(model, config)(batch)
    assert float(plain["refined"]) != pytest.approx(float(losses["refined"]), rel=1e-3)
    # Refined by nothing, they are the detector's.
    first = model.detector(batch["image"], batch["image_size"], training_proposals(config))
    boxes = tf.constant(np.concatenate([batch["gt_boxes"][2, :2], batch["gt_boxes"][3, :1]]))
    logits = model.detector.mask_logits(first, Regions(boxes, tf.constant([2, 2, 3]))).numpy()
    labels = np.concatenate([batch["gt_classes"][2, :2], batch["gt_classes"][3, :1]])
    values = []
    for row, (box, label) in enumerate(zip(boxes.numpy(), labels)):
        image = (2, 2, 3)[row]
        mask = batch["gt_masks"][image, row % 2].numpy().astype(np.float64)
        x = box[0] + (np.arange(280) + 0.5) / 280 * (box[2] - box[0])
        y = box[1] + (np.arange(280) + 0.5) / 280 * (box[3] - box[1])
        cells = mask[np.ix_(y.astype(int), x.astype(int))].reshape(28, 10, 28, 10).mean((1, 3))
        values.append(binary_entropy(logits[row, ..., label], cells).mean())
    assert float(plain["refined"]) == pytest.approx(np.mean(values), rel=0.02)


def test_labels_are_learned_where_they_are_not_given() -> None:
    config = config_of("GROUNDING.SETTING", "sgcls")
    model, batch = model_of(config), batch_of(config)
    out = model.graph.context.decoder.out
    out.kernel.assign(tf.zeros_like(out.kernel))
    out.bias.assign([0.3, -0.2, 1.0, 0.1])
    losses, gradients = step_of(model, config)(batch)
    labels = np.concatenate([batch["gt_classes"][0, :4], batch["gt_classes"][1, :3]])
    expected = entropy(np.tile(out.bias.numpy(), (7, 1)), labels)
    assert float(losses["object"]) == pytest.approx(expected, rel=1e-5)
    assert np.abs(gradients["graph/context/decoder/out/kernel"]).max() > 0
    # What is dropped follows from what is computed: again, it is the same.
    again, _ = step_of(model, config)(batch)
    assert float(again["total"]) == float(losses["total"])


@pytest.mark.parametrize("context", ["motif", "vctree", "imp", "dsg"])
def test_detected_boxes_are_learned_from(context: str) -> None:
    config = config_of("GROUNDING.SETTING", "sgdet", "GROUNDING.CONTEXT", context, *REFINE)
    model, batch = model_of(config), batch_of(config, mask_counts=(2,))
    step = traced(model, config, batch) if context == "vctree" else step_of(model, config)
    losses, gradients = step(batch)
    assert all(np.isfinite(value) for value in losses.values())
    assert float(losses["relation"]) > 0 and float(losses["object"]) > 0 and float(losses["refined"]) > 0
    assert all(np.isfinite(value.numpy()).all() for value in gradients.values())
    assert float(step(batch)[0]["relation"]) == float(losses["relation"])
    # A detector that finds nothing leaves nothing to learn from.
    model.detector.predictor.vg_cls.bias.assign([-9.0, -9.0, -9.0, 9.0])
    model.detector.predictor.vg_cls.kernel.assign(tf.zeros_like(model.detector.predictor.vg_cls.kernel))
    losses, gradients = step(batch)
    assert float(losses["relation"]) == float(losses["object"]) == 0
    assert all(np.isfinite(value.numpy()).all() for value in gradients.values())


@pytest.mark.parametrize("setting", ["predcls", "sgcls", "sgdet"])
def test_one_box_many_boxes_and_no_relations(setting: str) -> None:
    config = config_of("GROUNDING.SETTING", setting)
    model = model_of(config)
    batch = batch_of(config, (1, 40), ((), ()))
    step = step_of(model, config)
    for case in (batch, batch_of(config, (1, 1), ((), ())), batch_of(config, (2,), (((0, 1, 3),),))):
        losses, gradients = step(case)
        assert all(np.isfinite(value) for value in losses.values())
        assert all(np.isfinite(value.numpy()).all() for value in gradients.values())


def test_a_batch_without_images_of_graphs() -> None:
    config = config_of(*REFINE)
    model, batch = model_of(config), batch_of(config, mask_counts=(2,))
    alone = {key: value[2:] for key, value in batch.items()}
    losses, gradients = step_of(model, config)(alone)
    assert float(losses["relation"]) == 0 and float(losses["refined"]) > 0
    assert all(np.isfinite(value.numpy()).all() for value in gradients.values())


def test_true_masks_take_the_place_of_the_detector_s() -> None:
    config = config_of("GROUNDING.MASKS_FROM", "true")
    model, batch = model_of(config), batch_of(config)
    shape = [2, 4, 28, 28]
    full, empty = ({**batch, "true_masks": fill(shape)} for fill in (tf.ones, tf.zeros))
    step = step_of(model, config)
    assert float(step(full)[0]["relation"]) != float(step(empty)[0]["relation"])
    for kernel in model.detector.mask_head.named_variables().values():
        kernel.assign(tf.zeros_like(kernel))
    assert float(step(full)[0]["relation"]) == pytest.approx(
        float(traced(model, config, full)(full)[0]["relation"])
    )
