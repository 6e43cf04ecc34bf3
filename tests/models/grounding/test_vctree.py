"""VCTree's context. The release's is in tests/parity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.motif import ContextSizes, Known
from dsg.models.grounding.vctree import VCTreeContext
from tests.models.grounding.test_motif import small_input


def small_context() -> VCTreeContext:
    tf.random.set_seed(1)
    co = np.random.default_rng(0).random((5, 5)).astype(np.float32)
    return VCTreeContext(ContextSizes(5, 4, 6, 8, 3), co_occurrence=co + co.T)


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
        np.testing.assert_allclose(getattr(moved, name), expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_weight_but_those_of_other_labels() -> None:
    layer = small_context()
    boxes, x, known = small_input(5)
    with tf.GradientTape() as tape:
        got = layer(boxes, x, known, training=True)
        loss = sum(tf.reduce_sum(part**2) for part in (got.edges, got.object_logits, got.pair_logits))
    variables = {name: weight.variable for name, weight in layer.named_weights().items() if weight.trained}
    gradients = dict(zip(variables, tape.gradient(loss, list(variables.values()))))
    assert {name for name, gradient in gradients.items() if gradient is None} == {
        "node/obj_embed_m/embeddings"
    }
