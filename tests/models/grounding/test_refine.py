"""Refined masks and losses where there is nothing to learn from. The release's are in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.losses import mask_refinement_loss, object_loss, relation_loss
from dsg.models.grounding.refine import MaskRefiner, mask_logits, of_labels


def test_masks_are_left_as_they_are_before_training() -> None:
    rng = np.random.default_rng(0)
    context, crops = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 6), (2, 8, 8, 5)))
    residual = MaskRefiner(6, 5, 3, convs=1, width=4)(tf.constant(context), tf.constant(crops))
    assert residual.shape == (2, 8, 8, 3) and not residual.numpy().any()
    masks = rng.uniform(0.001, 0.999, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(tf.sigmoid(mask_logits(masks) + residual), masks, rtol=1e-5)


def test_a_mask_that_is_certain_keeps_a_loss() -> None:
    """The release's logit of 1 is infinite, and the loss of the whole batch then counts as 0."""
    masks, targets = np.full((1, 2, 2, 1), 0.5, np.float32), np.zeros((1, 2, 2))
    masks[0, 0, 0] = 1.0
    targets[0, 0, 0] = 1.0
    losses = {
        released: float(mask_refinement_loss(of_labels(mask_logits(masks, released=released), [0]), targets))
        for released in (True, False)
    }
    assert losses[True] == 0 and losses[False] == pytest.approx(3 * np.log(2) / 4, rel=1e-5)


def test_nothing_has_no_loss() -> None:
    assert mask_refinement_loss(tf.zeros([0, 28, 28]), np.zeros((0, 28, 28))) == 0
    assert relation_loss(tf.zeros([0, 51]), tf.zeros([0], tf.int32)) == 0
    assert object_loss(tf.zeros([0, 151]), tf.zeros([0], tf.int32)) == 0
