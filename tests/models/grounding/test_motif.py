"""MOTIF's context and the predicates' classifier at full size, against the release."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList, across
from dsg.models.grounding.motif import ContextSizes, Known, MotifContext
from dsg.models.grounding.predicates import PredicateHead
from tests.models.grounding.goldens import Golden, fill, needs_goldens

CASES = ("predcls_test", "sgcls_test", "sgdet_test", "predcls_train", "sgcls_train", "sgcls_train_dropout")
RENAMED = {"node/": "", "decoder/table": "decoder", "decoder/inputs": "decoder/input"}


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("motif")


@pytest.fixture(scope="module")
def layers() -> tuple[MotifContext, PredicateHead]:
    context, head = MotifContext(ContextSizes()), PredicateHead(151, 51)
    fill(context, "context/", RENAMED)
    fill(head, "predicate/", {"frequency/": "freq/"})
    return context, head


def lists(golden: Golden, case: str, key: str) -> list[np.ndarray]:
    """The arrays of each image."""
    there = f"{case}/input/{key}"
    return [golden[f"{there}/{number}"] for number in range(len(golden[f"{case}/input/image_size_hw"]))]


def box_list(golden: Golden, case: str) -> BoxList:
    boxes = lists(golden, case, "boxes")
    image = np.repeat(np.arange(len(boxes)), [len(part) for part in boxes]).astype(np.int32)
    size = golden[f"{case}/input/image_size_hw"].astype(np.float32)
    return BoxList(tf.constant(np.concatenate(boxes)), tf.constant(image), tf.constant(size))


def known_of(golden: Golden, case: str) -> Known:
    labels = np.concatenate(lists(golden, case, "labels")).astype(np.int32)
    scores = class_boxes = None
    if not case.startswith("predcls"):
        scores = golden.load(f"{case}/input/scores").copy()
        if f"{case}/input/rows_equal_to_the_one_before" in golden:
            for row in golden[f"{case}/input/rows_equal_to_the_one_before"]:
                scores[row] = scores[row - 1]
        scores = tf.constant(scores)
    if case.startswith("sgdet"):
        class_boxes = tf.constant(np.concatenate(lists(golden, case, "boxes_per_cls")), tf.float32)
    return Known(tf.constant(labels), scores, class_boxes)


def features_of(golden: Golden, case: str) -> np.ndarray:
    x = golden.load(f"{case}/input/x").copy()
    if f"{case}/input/rows_equal_to_the_one_before" in golden:
        for row in golden[f"{case}/input/rows_equal_to_the_one_before"]:
            x[row] = x[row - 1]
    return x


def pairs_of(golden: Golden, case: str) -> np.ndarray:
    starts = np.cumsum([0, *(len(part) for part in lists(golden, case, "boxes"))])
    pairs = zip(lists(golden, case, "pairs"), starts)
    return np.concatenate([part + start for part, start in pairs]).astype(np.int32)


@needs_goldens
@pytest.mark.parametrize("case", CASES)
def test_context_and_predicates_are_the_release_s(golden: Golden, layers, case: str) -> None:
    context, head = layers
    boxes, known = box_list(golden, case), known_of(golden, case)
    training, x = case.split("_")[1] == "train", features_of(golden, case)
    # Without the mask that was drawn, none: the release ran these with dropout switched off.
    mask = np.ones((1, 512), np.float32)
    if case.endswith("dropout"):
        mask = golden[f"{case}/input/dropout_mask"][::-1]  # there the longest sequence comes first
        assert sorted(set(mask.ravel().tolist())) == [0.0, 1.25]
    before = {name: v.numpy() for name, v in context.named_variables().items() if "moving" in name}
    got = context(boxes, tf.constant(x), known, training, tf.constant(mask) if training else None)
    nodes = got.nodes[:, :1352]
    for key, values in (
        ("n", nodes),
        ("e1", nodes[:, 1024:1224]),
        ("pos", nodes[:, 1224:]),
        ("enc", got.nodes[:, 1352:]),
        ("object_logits", got.object_logits),
        ("edge_ctx", got.edges),
    ):
        golden.assert_close(values, f"{case}/{key}", 1e-5)
    np.testing.assert_array_equal(got.labels, golden[f"{case}/decoded_labels"])
    u = golden.load(f"{case}/input/u")
    logits = head(got.edges, pairs_of(golden, case), tf.constant(u), got.labels)
    golden.assert_close(logits, f"{case}/predicate_logits", 1e-5)
    if training:
        for name in ("moving_mean", "moving_variance"):
            after = dict(context.named_variables())[f"node/pos/bn/{name}"]
            golden.assert_close(after, f"{case}/bn_after/pos/{name}", 1e-5)
            after.assign(before[f"node/pos/bn/{name}"])


@needs_goldens
def test_order_is_from_right_to_left_image_by_image() -> None:
    golden = Golden("geometry")
    boxes = [golden[f"boxes/{number}"] for number in range(3)]
    image = np.repeat(np.arange(3), [len(part) for part in boxes]).astype(np.int32)
    listed = BoxList(tf.constant(np.concatenate(boxes)), tf.constant(image), tf.zeros([3, 2]))
    order = across(listed)
    starts = np.cumsum([0, *(len(part) for part in boxes)])
    for number, start in enumerate(starts[:3]):
        rows = order.rows[number, : order.lengths[number]].numpy() - start
        np.testing.assert_array_equal(rows, golden[f"order/{number}"])
    values = tf.range(starts[-1])
    np.testing.assert_array_equal(order.scatter(order.gather(values)), values)


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
