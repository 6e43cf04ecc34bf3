"""What holds for the context encoders that read pairs: IMP's and the graph layer's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.contexts import GRAPH, IMP, AnyContext, make_context
from dsg.models.grounding.motif import Context, ContextSizes, Known, Pairs
from tests.models.grounding.test_motif import small_input

PLAIN = ("object_logits", "labels", "edges", "nodes", "pairs")
ALL = [(i, j) for i in range(4) for j in range(4) if i != j]
Input = tuple[BoxList, tf.Tensor, Known]


@pytest.fixture(scope="module", params=[IMP, GRAPH])
def layer(request: pytest.FixtureRequest) -> AnyContext:
    tf.keras.utils.set_random_seed(1)
    return make_context(
        *(request.param, ContextSizes(5, 4, 6, 8, 3)),
        **{"label_embed": "prob", "pos_swap": True, "order": "", "decoder_shift": 0, "shares": None},
    )


def paired(rows: list, seed: int = 5) -> Pairs:
    features = np.random.default_rng(seed).normal(size=(len(rows), 6))
    return Pairs(tf.reshape(tf.constant(rows, tf.int32), [-1, 2]), tf.constant(features, tf.float32))


def same(found: Context, expected: Context, names: tuple[str, ...] = PLAIN) -> None:
    for name in names:
        np.testing.assert_allclose(
            *(getattr(found, name), getattr(expected, name)), rtol=1e-4, atol=1e-5, err_msg=name
        )


def taken(context: Context, boxes: list, pairs: list) -> Context:
    """The rows of these boxes and pairs."""
    parts = {name: tf.gather(getattr(context, name), boxes) for name in PLAIN[:-1]}
    return context._replace(**parts, pairs=tf.gather(context.pairs, pairs))


def moved(given: Input, rows: list) -> Input:
    boxes, x, known = given
    return (
        boxes._replace(boxes=tf.gather(boxes.boxes, rows)),
        tf.gather(x, rows),
        Known(*(tf.gather(part, rows) for part in known[:2])),
    )


def test_boxes_and_pairs_in_another_order_get_the_same_context(layer: AnyContext) -> None:
    given, pairs = small_input(4), paired(ALL[:9])
    boxes, listed = [2, 0, 3, 1], [4, 8, 0, 1, 7, 2, 3, 6, 5]
    place = [boxes.index(box) for box in range(4)]
    renamed = tf.gather(tf.constant(place, tf.int32), tf.gather(pairs.rows, listed))
    found = layer(*moved(given, boxes), pairs=Pairs(renamed, tf.gather(pairs.features, listed)))
    same(found, taken(layer(*given, pairs=pairs), boxes, listed))


def test_an_image_s_context_does_not_depend_on_others(layer: AnyContext) -> None:
    first, second = small_input(4, 0), small_input(2, 1)
    pairs = paired(ALL), paired([(1, 0), (0, 1)], 6)
    together = layer(
        BoxList(
            *(tf.concat([first[0].boxes, second[0].boxes], 0), tf.constant([0, 0, 0, 0, 2, 2])),
            tf.concat([first[0].image_size, second[0].image_size, second[0].image_size], 0),
        ),
        tf.concat([first[1], second[1]], 0),
        Known(*(tf.concat([first[2][k], second[2][k]], 0) for k in range(2))),
        pairs=Pairs(
            tf.concat([pairs[0].rows, pairs[1].rows + 4], 0),
            tf.concat([pairs[0].features, pairs[1].features], 0),
        ),
    )
    same(taken(together, [0, 1, 2, 3], list(range(12))), layer(*first, pairs=pairs[0]))
    same(taken(together, [4, 5], [12, 13]), layer(*second, pairs=pairs[1]))


def test_a_box_alone_and_boxes_without_pairs(layer: AnyContext) -> None:
    given = small_input(1)
    alone = layer(*given, pairs=paired([]))
    assert alone.pairs.shape[0] == 0 and np.isfinite(alone.edges).all()
    # A pair of a box with itself, which stands for none, changes nothing for the box.
    same(layer(*given, pairs=paired([(0, 0)])), alone, PLAIN[:-1])
    without = layer(*small_input(4), pairs=paired([]))
    assert np.isfinite(without.object_logits).all() and without.edges.shape == [4, 8]
    nothing = BoxList(tf.zeros([0, 4]), tf.zeros([0], tf.int32), tf.constant([[9.0, 9.0]]))
    known = Known(tf.zeros([0], tf.int32), None)
    assert layer(nothing, tf.zeros([0, 6]), known, pairs=paired([])).edges.shape == [0, 8]


def test_given_labels_stay_and_images_of_masks_read_their_own_table(layer: AnyContext) -> None:
    boxes, x, known = small_input(4)
    given = layer(boxes, x, Known(known.labels, None), pairs=paired(ALL))
    np.testing.assert_array_equal(given.labels, known.labels)
    np.testing.assert_array_equal(tf.argmax(given.object_logits, -1), known.labels)
    of_masks = layer.for_masks(boxes, x, Known(known.labels, known.scores[:, :4]))
    assert of_masks.shape == given.nodes.shape


def test_the_masks_refiner_reads_the_same_whatever_the_pairs(layer: AnyContext) -> None:
    given = small_input(4)
    same(layer(*given, pairs=paired(ALL)), layer(*given, pairs=paired(ALL[:2])), ("nodes",))


def test_gradients_reach_every_weight_but_those_of_other_labels(layer: AnyContext) -> None:
    """Of several images together: so few units may all be at rest for one."""
    variables = {name: weight.variable for name, weight in layer.named_weights().items() if weight.trained}
    with tf.GradientTape() as tape:
        found = [
            layer(*small_input(4, seed), training=True, pairs=paired(ALL, 5 + seed)) for seed in range(4)
        ]
        parts = [part for got in found for part in (got.edges, got.object_logits, got.pairs, got.nodes)]
        loss = tf.add_n([tf.reduce_sum(part**2) for part in parts])
    gradients = tape.gradient(loss, list(variables.values()))
    without = {name for name, gradient in zip(variables, gradients) if gradient is None}
    assert without == {"node/obj_embed_m/embeddings"}
    at_rest = {
        name
        for name, gradient in zip(variables, gradients)
        if gradient is not None and not np.abs(tf.convert_to_tensor(gradient)).max()
    }
    assert at_rest == set()
