"""torchvision's losses, their gradients, and mask targets."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.detector.losses import (
    anchor_box_loss,
    box_loss,
    class_loss,
    mask_loss,
    objectness_loss,
)
from dsg.models.detector.mask_targets import mask_targets
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


def test_losses_of_anchors() -> None:
    u = {key[len("loss/rpn/") :]: tf.constant(UNITS[key]) for key in UNITS if key.startswith("loss/rpn/")}
    rows = tf.concat([u["pos"], u["neg"]], 0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([u["objectness"], u["deltas"]])
        objectness = objectness_loss(tf.gather(u["objectness"], rows), tf.gather(u["labels"], rows))
        boxes = anchor_box_loss(
            tf.gather(u["deltas"], u["pos"]), tf.gather(u["targets"], u["pos"]), tf.size(rows)
        )
    assert error(objectness, u["loss_objectness"]) < 1e-6
    assert error(boxes, u["loss_rpn_box_reg"]) < 1e-6
    for loss, key in ((objectness, "objectness"), (boxes, "deltas")):
        gradient = tf.convert_to_tensor(tape.gradient(loss, u[key]))
        assert error(gradient, u[f"d_{key}"]) < 1e-5


def test_losses_of_regions() -> None:
    u = {key[len("loss/roi/") :]: tf.constant(UNITS[key]) for key in UNITS if key.startswith("loss/roi/")}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([u["class_logits"], u["box_regression"]])
        classes = class_loss(u["class_logits"], u["labels"])
        boxes = box_loss(u["box_regression"], u["regression_targets"], u["labels"])
    assert error(classes, u["loss_classifier"]) < 1e-6 and error(boxes, u["loss_box_reg"]) < 1e-6
    assert error(tape.gradient(classes, u["class_logits"]), u["d_class_logits"]) < 1e-5
    gradient = tf.convert_to_tensor(tape.gradient(boxes, u["box_regression"]))
    assert error(gradient, u["d_box_regression"]) < 1e-5


def test_mask_targets() -> None:
    targets = mask_targets(
        tf.constant(UNITS["mask_targets/gt_masks"]),
        tf.constant(UNITS["mask_targets/boxes"]),
        tf.constant(UNITS["mask_targets/matched"].astype(np.int32)),
        28,
    )
    assert error(targets, UNITS["mask_targets/targets"]) < 1e-5


def test_loss_of_masks() -> None:
    logits = tf.constant(UNITS["loss/mask/logits"].transpose(0, 2, 3, 1))
    matched = UNITS["mask_targets/matched"].astype(np.int32)
    labels = tf.gather(UNITS["loss/mask/gt_labels"], matched)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = mask_loss(logits, tf.constant(UNITS["mask_targets/targets"]), labels)
    assert error(loss, UNITS["loss/mask/loss"]) < 1e-6
    gradient = tape.gradient(loss, logits).numpy().transpose(0, 3, 1, 2)
    assert np.isclose(np.linalg.norm(gradient), UNITS["loss/mask/grad_norm"], rtol=1e-5)


def test_losses_of_nothing_are_zero() -> None:
    assert box_loss(tf.zeros([3, 8]), tf.zeros([3, 4]), tf.zeros([3], tf.int32)) == 0
    assert mask_loss(tf.zeros([0, 28, 28, 4]), tf.zeros([0, 28, 28]), tf.zeros([0], tf.int32)) == 0
