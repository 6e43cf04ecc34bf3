"""Refined masks and the losses, against the release."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.datasets.formats.segmentations import polygons_in_box
from dsg.models.grounding.losses import (
    mask_refinement_loss,
    object_loss,
    related_loss,
    relation_loss,
)
from dsg.models.grounding.refine import MaskRefiner, mask_logits, of_labels
from tests.models.grounding.goldens import Golden, fill, needs_goldens

RENAMED = {f"convs/{number}": f"mask_fcn{number + 1}" for number in range(4)}


def polygons(golden: Golden, there: str) -> list[list[float]]:
    keys = [key for key in golden.files if key.startswith(f"{there}/")]
    return [golden[key].tolist() for key in sorted(keys)]


@pytest.fixture(scope="module", params=["motif", "vctree"])
def golden(request) -> Golden:
    return Golden(f"refiner_{request.param}")


def inputs(golden: Golden, case: str) -> tuple[tf.Tensor, np.ndarray, np.ndarray]:
    """Crops, probabilities of the detector's masks, and labels of the foreground."""
    masks = golden.load(f"{case}/input/masks_m").copy()
    if f"{case}/input/masks_m_set_to_one" in golden:
        masks[tuple(golden[f"{case}/input/masks_m_set_to_one"])] = 1.0
    kind = "true_labels" if case.endswith("train") else "labels"
    labels = np.concatenate([golden[f"{case}/input/{kind}/{number}"] for number in range(2)])
    return tf.constant(golden.load(f"{case}/input/roi")), masks, labels


@needs_goldens
@pytest.mark.parametrize("case", ["m_sgcls_test", "m_predcls_test"])
def test_refined_masks_are_the_release_s(golden: Golden, case: str) -> None:
    refiner = refiner_of(golden)
    crops, masks, labels = inputs(golden, case)
    # The context is measured as a part; what it is computed from is tested with the contexts.
    context = context_of(golden, case)
    residual = refiner(context, crops)
    golden.assert_close(residual, f"{case}/residual", 2e-5)
    refined = tf.sigmoid(mask_logits(masks) + residual)
    golden.assert_close(of_labels(refined, labels)[..., None], f"{case}/pred_masks", 2e-5)


def refiner_of(golden: Golden) -> MaskRefiner:
    refiner = MaskRefiner(256, 256, 80)
    fill(refiner, "refiner/", RENAMED)
    # The measured context is what its first layer gives: an identity stands in for that.
    refiner.context.kernel.assign(np.eye(256))
    refiner.context.bias.assign(np.zeros(256))
    return refiner


def context_of(golden: Golden, case: str) -> tf.Tensor:
    return tf.constant(golden[f"{case}/context"])


@needs_goldens
@pytest.mark.parametrize("case", ["m_sgcls_train", "m_zero_train", "m_nan_train"])
def test_the_loss_of_refined_masks_is_the_release_s(golden: Golden, case: str) -> None:
    if f"{case}/loss_seg" not in golden:
        golden = Golden("refiner_motif")  # measured for one context only
    crops, masks, labels = inputs(golden, case)
    targets = []
    for number in range(2):
        for row, box in enumerate(golden[f"{case}/input/boxes/{number}"]):
            target = polygons_in_box(polygons(golden, f"{case}/input/polygons/{number}/{row}"), box, 28)
            np.testing.assert_array_equal(target, golden[f"{case}/targets/{number}"][row])
            targets.append(target)
    if case == "m_sgcls_train":
        residual = refiner_of(golden)(context_of(golden, case), crops)
    else:
        residual = MaskRefiner(256, 256, 80)(tf.zeros([7, 256]), crops)
        assert not residual.numpy().any() or case == "m_nan_train"
    for released in (True, False):
        logits = of_labels(mask_logits(masks, released=released) + residual, labels)
        loss = mask_refinement_loss(logits, np.array(targets))
        if case == "m_nan_train" and not released:
            assert loss > 0.1  # mended
        else:
            assert float(loss) == pytest.approx(float(golden[f"{case}/loss_seg"]), rel=2e-5, abs=1e-7)


@needs_goldens
def test_losses_are_the_release_s() -> None:
    golden = Golden("losses")
    for kind, loss in (("rel", relation_loss), ("obj", object_loss)):
        logits = tf.constant(golden.load(f"{kind}/logits"))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(logits, golden[f"{kind}/labels"])
        assert float(value) == pytest.approx(float(golden[f"{kind}/loss"]), rel=1e-5)
        golden.assert_close(tape.gradient(value, logits), f"{kind}/gradient", 1e-5)
    logits = np.zeros((11, 11), np.float32)
    related = np.zeros((11, 11), np.float32)
    for number, own in enumerate((slice(0, 4), slice(4, 11))):
        logits[own, own] = golden.load(f"bin/logits/{number}")
        related[own, own] = golden[f"bin/related/{number}"]
    value = related_loss(tf.constant(logits), related, tf.constant([0] * 4 + [1] * 7), 2)
    assert float(value) == pytest.approx(float(golden["bin/loss"]), rel=1e-5)
    targets = [
        polygons_in_box(polygons(golden, f"seg/polygons/{row}"), box, 28)
        for row, box in enumerate(golden["seg/boxes"])
    ]
    np.testing.assert_array_equal(targets, golden["seg/targets"])
    masks = of_labels(tf.constant(golden.load("seg/logits")), golden["seg/labels"])
    value = mask_refinement_loss(masks, np.array(targets))
    assert float(value) == pytest.approx(float(golden["seg/loss"]), rel=1e-5)
    logits = mask_logits(golden["derived/prob_to_logit/p"], released=True).numpy()
    np.testing.assert_allclose(logits, golden["derived/prob_to_logit/logit"], rtol=1e-5)
    assert mask_refinement_loss(tf.zeros([0, 28, 28]), np.zeros((0, 28, 28))) == 0
    assert relation_loss(tf.zeros([0, 51]), tf.zeros([0], tf.int32)) == 0
