"""Features of pairs: many at a time as each alone, and a gradient that does not depend on how many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.edge_masks import EdgeMasks, in_union_frame
from dsg.models.grounding.features import Maps, MaskedRegions, unions
from dsg.models.grounding.pair_features import PairEncoder
from tests.models.grounding.test_motif import small_input

SIDE, CHANNELS, LABELS = 4, 3, 5
PAIRS = np.array([(0, 1), (2, 1), (1, 0), (3, 4), (1, 2), (0, 2)], np.int32)  # of two images


def encoder(warped: bool = False, **options: Any) -> PairEncoder:
    tf.keras.utils.set_random_seed(3)
    regions = MaskedRegions(CHANNELS, LABELS - 1, None, side=SIDE, width=6)
    return PairEncoder(regions, EdgeMasks(LABELS, **options), SIDE, warped)


def case() -> tuple[list[tf.Tensor], BoxList, tf.Tensor, tf.Tensor]:
    """Maps, boxes of two images, scores and masks."""
    rng = np.random.default_rng(1)
    boxes, _, known = small_input(5)
    boxes = BoxList(boxes.boxes, tf.constant([0, 0, 0, 1, 1]), tf.tile(boxes.image_size, [2, 1]))
    level = tf.constant(rng.normal(size=(2, 13, 14, CHANNELS)), tf.float32)
    masks = tf.constant(rng.random((5, SIDE, SIDE, LABELS - 1)), tf.float32)
    return [level], boxes, known.scores, masks


def one_by_one(own: PairEncoder, level: tf.Tensor, boxes: BoxList, scores: Any, masks: Any) -> list[Any]:
    maps, found = Maps([level], [1 / 8]), []
    for pair in PAIRS:
        around = unions(boxes.boxes, pair[None])
        crop = maps.crop(around, tf.gather(boxes.image, pair[:1]), SIDE)
        shown = None
        if masks is not None:
            both = [tf.gather(masks, row)[None] for row in pair]
            if own.warped:
                both = [in_union_frame(mask, boxes.boxes[row][None], around) for mask, row in zip(both, pair)]
            shown = own.masks(tuple(both), tuple(tf.gather(scores, row)[None] for row in pair))
        found.append(own.regions(crop, shown)[0])
    return found


@pytest.mark.parametrize("options", [{}, {"warped": True}, {"kind": "average"}, {"kind": "union"}, None])
@pytest.mark.parametrize("training", [False, True])
def test_pairs_together_are_as_each_alone(monkeypatch: Any, options: Any, training: bool) -> None:
    for name in ("CHUNK", "MANY"):
        monkeypatch.setattr(f"dsg.models.grounding.pair_features.{name}", 4)
    own = encoder(**(options or {}))
    levels, boxes, scores, masks = case()
    masks = None if options is None else masks
    found = own(Maps(levels, [1 / 8]), boxes, scores, masks, tf.constant(PAIRS), training)
    np.testing.assert_allclose(found, one_by_one(own, levels[0], boxes, scores, masks), rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_same_in_parts(monkeypatch: Any) -> None:
    own = encoder()
    levels, boxes, scores, masks = case()
    given = *boxes, scores, masks, tf.constant(PAIRS), *levels
    weights = [w.variable for part in (own.regions, own.masks) for w in part.named_weights().values()]

    def gradients(*given: tf.Tensor) -> list[tf.Tensor]:
        boxes, (scores, masks, pairs, level) = BoxList(*given[:3]), given[3:]
        with tf.GradientTape() as tape:
            tape.watch(level)
            loss = tf.reduce_sum(own(Maps([level], [1 / 8]), boxes, scores, masks, pairs, True) ** 2)
        return tape.gradient(loss, [*weights, level])

    expected = tf.function(gradients, autograph=False)(*given)
    monkeypatch.setattr("dsg.models.grounding.pair_features.CHUNK", 2)
    monkeypatch.setattr("dsg.models.grounding.pair_features.MANY", 2)
    parts = tf.function(gradients, autograph=False)(*given)
    for found, whole in zip(parts, expected):
        assert np.abs(whole).max() > 0
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("with_masks", [True, False])
def test_composed_layers_say_the_same(with_masks: bool) -> None:
    own = encoder()
    for part in own.regions.named_variables().values():
        part.assign_add(tf.random.normal(part.shape, stddev=0.1))
    levels, boxes, scores, masks = case()
    masks = tf.gather(masks, [0, 1, 0, 2], axis=-1) if with_masks else None
    given = Maps(levels, [1 / 8]), boxes, scores, masks, tf.constant(PAIRS), False
    expected, crops = own(*given), tf.random.normal([3, SIDE, SIDE, CHANNELS])
    shown = None if masks is None else masks[:3]
    alone = own.regions(crops, shown)
    own.regions.compose(np.array([0, 1, 0, 2]))
    np.testing.assert_allclose(own(*given), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(own.regions(crops, shown), alone, rtol=1e-4, atol=1e-5)


def test_no_pairs() -> None:
    levels, boxes, scores, masks = case()
    found = encoder()(Maps(levels, [1 / 8]), boxes, scores, masks, tf.zeros([0, 2], tf.int32), False)
    assert found.shape == [0, 6]
