"""MOTIF's context. The release's is in tests/parity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, across
from dsg.models.grounding.motif import ContextSizes, Known, MotifContext


def small_context(**options) -> MotifContext:
    tf.random.set_seed(1)
    return MotifContext(ContextSizes(5, 4, 6, 8, 3), **options)


def small_input(count: int, seed: int = 0) -> tuple[BoxList, tf.Tensor, Known]:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 40, (count, 2))], 1).astype(np.float32)
    scores = rng.random((count, 5)).astype(np.float32)
    listed = BoxList(tf.constant(boxes), tf.zeros([count], tf.int32), tf.constant([[100.0, 90.0]]))
    known = Known(tf.constant(scores[:, :-1].argmax(1).astype(np.int32)), tf.constant(scores))
    return listed, tf.constant(rng.normal(size=(count, 6)).astype(np.float32)), known


def test_values_in_sequences_and_back() -> None:
    boxes, _, _ = small_input(5)
    order = across(boxes._replace(image=tf.constant([0, 0, 0, 1, 1]), image_size=tf.zeros([2, 2])))
    centres = tf.reduce_sum(boxes.boxes[:, ::2], 1)
    assert order.lengths.numpy().tolist() == [3, 2]
    for row, length in zip(order.gather(centres).numpy(), (3, 2)):
        assert sorted(row[:length], reverse=True) == row[:length].tolist()
    np.testing.assert_array_equal(order.scatter(order.gather(centres)), centres)


def test_an_image_s_context_does_not_depend_on_others() -> None:
    layer = small_context()
    parts = [small_input(4, 0), small_input(2, 1)]
    alone = [layer(*part) for part in parts]
    together = layer(
        BoxList(
            tf.concat([part[0].boxes for part in parts], 0),
            tf.constant([0, 0, 0, 0, 1, 1]),
            tf.concat([part[0].image_size for part in parts], 0),
        ),
        tf.concat([part[1] for part in parts], 0),
        Known(*(tf.concat([part[2][k] for part in parts], 0) for k in range(2))),
    )
    for name in ("object_logits", "labels", "edges", "nodes"):
        expected = tf.concat([getattr(context, name) for context in alone], 0)
        np.testing.assert_allclose(getattr(together, name), expected, rtol=1e-5, atol=1e-6)


def test_boxes_in_another_order_get_the_same_context() -> None:
    layer = small_context()
    boxes, x, known = small_input(5)
    shuffle = [3, 1, 4, 0, 2]
    moved = layer(
        boxes._replace(boxes=tf.gather(boxes.boxes, shuffle)),
        tf.gather(x, shuffle),
        Known(*(tf.gather(part, shuffle) for part in known[:2])),
    )
    same = layer(boxes, x, known)
    for name in ("object_logits", "labels", "edges", "nodes"):
        expected = tf.gather(getattr(same, name), shuffle)
        np.testing.assert_allclose(getattr(moved, name), expected, rtol=1e-5, atol=1e-6)


def test_gradients_reach_every_weight_and_mended_options_change_the_result() -> None:
    layer = small_context()
    boxes, x, known = small_input(5)
    with tf.GradientTape() as tape:
        got = layer(boxes, x, known, training=True)
        loss = tf.reduce_sum(got.edges**2) + tf.reduce_sum(got.object_logits**2)
    variables = {name: weight.variable for name, weight in layer.named_weights().items() if weight.trained}
    gradients = dict(zip(variables, tape.gradient(loss, list(variables.values()))))
    assert {name for name, gradient in gradients.items() if gradient is None} == {
        "node/obj_embed_m/embeddings"
    }
    for options in ({"label_embed": "prob"}, {"swapped": False}, {"leftwards": False}, {"shift": 1}):
        other = small_context(**options)
        for name, variable in other.named_variables().items():
            variable.assign(layer.named_variables()[name])
        changed = other(boxes, x, known).object_logits
        assert np.abs(changed - layer(boxes, x, known).object_logits).max() > 1e-4, options
