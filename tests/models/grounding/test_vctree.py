"""VCTree's context at full size, against the release."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.grounding.motif import ContextSizes, Known, certain_logits
from dsg.models.grounding.predicates import PredicateHead
from dsg.models.grounding.trees import grow_tree, preorder
from dsg.models.grounding.vctree import VCTreeContext
from tests.models.grounding.goldens import Golden, fill, needs_goldens
from tests.models.grounding.test_motif import box_list, features_of, known_of, pairs_of, small_input

CASES = ("predcls_test", "sgcls_test", "sgdet_test", "predcls_train", "sgcls_train", "sgcls_train_dropout")
RENAMED = {"node/": "", "pairs/co": "co/table", "pairs/": "", "decoder/table": "decoder"}


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("vctree")


@pytest.fixture(scope="module")
def layers() -> tuple[VCTreeContext, PredicateHead]:
    context, head = VCTreeContext(ContextSizes()), PredicateHead(151, 51, relu=True)
    fill(context, "vctree/", RENAMED)
    fill(head, "predicate/", {"frequency/": "freq/"})
    return context, head


@needs_goldens
@pytest.mark.parametrize("case", CASES)
def test_context_and_predicates_are_the_release_s(golden: Golden, layers, case: str) -> None:
    context, head = layers
    boxes, known = box_list(golden, case), known_of(golden, case)
    training, x = case.split("_")[1] == "train", tf.constant(features_of(golden, case))
    mask = golden[f"{case}/input/dropout_mask"] if case.endswith("dropout") else np.ones((1, 512), np.float32)
    mask = tf.constant(np.repeat(mask, len(boxes.image_size), 0)) if training else None
    before = {name: v.numpy() for name, v in context.named_variables().items() if "moving" in name}
    given = known.scores is None
    logits = certain_logits(known.labels, 151) if given else known.scores
    _, _, _, pairs = context.encode(boxes, x, known, logits, training=training)
    restore(context, before)
    starts = np.cumsum([0, *boxes.counts.numpy()])
    order: list[int] = []
    for number, (start, end) in enumerate(zip(starts, starts[1:])):
        own = slice(start, end)
        for key, values in (
            ("co", pairs.together),
            ("vis", pairs.seen),
            ("pair_logits", pairs.logits),
            ("pair_scores", pairs.scores),
        ):
            if f"{case}/{key}/{number}" in golden:
                golden.assert_close(values[own, own], f"{case}/{key}/{number}", 1e-5)
        tree = grow_tree(pairs.scores[own, own].numpy())
        assert tree.root == golden[f"{case}/tree/{number}/root"]
        np.testing.assert_array_equal(tree.attached, golden[f"{case}/tree/{number}/attach_order"])
        np.testing.assert_array_equal(tree.parents, golden[f"{case}/tree/{number}/parent"])
        order += [start + box for box in preorder(tree)]
    choose = None
    if f"{case}/decoder/sampled_labels" in golden:
        labels = np.zeros(len(order), np.int32)
        labels[order] = golden[f"{case}/decoder/sampled_labels"]

        def choose(boxes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
            return tf.gather(labels, boxes)

    got = context(boxes, x, known, training, mask, choose)
    for key, values in (
        ("n", got.nodes[:, :1352]),
        ("enc", got.nodes[:, 1352:]),
        ("object_logits", got.object_logits),
        ("edge_ctx", got.edges),
    ):
        golden.assert_close(values, f"{case}/{key}", 1e-5)
    np.testing.assert_array_equal(got.labels, golden[f"{case}/decoded_labels"])
    u = golden.load(f"{case}/input/u")
    golden.assert_close(
        head(got.edges, pairs_of(golden, case), tf.constant(u), got.labels), f"{case}/predicate_logits", 1e-5
    )
    if training:
        variables = context.named_variables()
        for part in ("pos", "box", "overlap"):
            for name in ("moving_mean", "moving_variance"):
                ours = f"{'node' if part == 'pos' else 'pairs'}/{part}/bn/{name}"
                golden.assert_close(variables[ours], f"{case}/bn_after/{part}/{name}", 1e-5)
    restore(context, before)


def restore(context: VCTreeContext, values: dict[str, np.ndarray]) -> None:
    for name, value in values.items():
        context.named_variables()[name].assign(value)


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
