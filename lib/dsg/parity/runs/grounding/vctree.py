"""VCTree's context and the predicates' classifier, at full size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import overlap_numbers, positions
from dsg.models.grounding.contexts import VCTREE
from dsg.models.grounding.losses import related_loss
from dsg.models.grounding.motif import certain_logits
from dsg.models.grounding.trees import NONE, Tree, grow_tree, preorder
from dsg.models.grounding.vctree import Choose, PairScores, VCTreeContext
from dsg.parity.checks import EXACT, Checks
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.contexts import (
    CASES,
    CLOSE,
    SIZES,
    Case,
    compare_context,
    compare_predicates,
    declare,
    predicate_head,
    read_case,
    recipe_context,
)
from dsg.parity.runs.grounding.reading import each, starts_of
from dsg.parity.runs.grounding.weights import moving_values, restore


def compare(checks: Checks) -> None:
    """All of `vctree.npz`."""
    declare(checks)
    context, head = recipe_context(VCTREE), predicate_head(relu=True)
    assert isinstance(context, VCTreeContext)
    before = moving_values(context)
    for name in CASES:
        case = read_case(checks.golden, name)
        order = _compare_pairs(checks, case, context)
        restore(context, before)
        choose = drawn_before(checks.golden, f"{name}/decoder/sampled_labels", order)
        got = context(case.boxes, case.x, case.known, case.training, _dropout(checks, case), choose)
        compare_context(checks, case, got)
        encoded = got.nodes[:, SIZES.nodes :]
        edge_in = tf.concat([context.obj_embed2(got.labels), case.x, encoded], -1)
        checks.compare(f"{name}/edge_in", edge_in, CLOSE)
        compare_predicates(checks, case, head, got, relu=True)
        if case.training:
            for key, value in moving_values(context).items():
                part = key.split("/", 1)[1].replace("/bn/", "/")
                checks.compare(f"{name}/bn_after/{part}", value, CLOSE)
            assert got.pair_logits is not None
            related = related_of(each(checks.golden, f"{name}/input/related"))
            loss = related_loss(got.pair_logits, related, case.boxes.image, len(case.parts))
            checks.compare(f"{name}/loss_bin", loss, CLOSE)
        restore(context, before)


def drawn_before(golden: Golden, key: str, order: list[int]) -> Choose | None:
    """Labels that were drawn in the reference, stored box by box in the order in which trees are walked; None
    if the file has none.
    """
    if key not in golden:
        return None
    labels = np.zeros(len(order), np.int32)
    labels[order] = golden.array(key, len(order), low=0, whole=True)
    return lambda boxes, logits: tf.gather(labels, boxes)


def walk(scores: np.ndarray, parts: list[np.ndarray]) -> tuple[list[Tree], list[int]]:
    """The trees of the images' pair scores [N, N], and all boxes in the order in which trees are walked."""
    starts = starts_of(parts).tolist()
    trees = [grow_tree(scores[start:end, start:end]) for start, end in zip(starts, starts[1:])]
    return trees, [start + box for start, tree in zip(starts, trees) for box in preorder(tree)]


def related_of(parts: list[np.ndarray]) -> np.ndarray:
    """Matrices of images as blocks of one: float32 [N, N]."""
    starts = starts_of(parts)
    related = np.zeros((starts[-1], starts[-1]), np.float32)
    for part, start in zip(parts, starts):
        related[start : start + len(part), start : start + len(part)] = part
    return related


def postorder(tree: Tree) -> list[int]:
    """The boxes of the binary form, each after its left and its right child."""
    backwards, stack = [], [tree.root]
    while stack:
        box = stack.pop()
        backwards.append(box)
        stack += [child for child in (tree.left[box], tree.right[box]) if child != NONE]
    return backwards[::-1]


def compare_tree(checks: Checks, there: str, tree: Tree) -> None:
    """A tree and its binary form."""
    for key, values in (
        ("root", tree.root),
        ("attach_order", tree.attached),
        ("parent", tree.parents),
        ("left", tree.left),
        ("right", tree.right),
        ("binary_parent", tree.binary_parents),
        ("preorder", preorder(tree)),
        ("postorder", postorder(tree)),
    ):
        checks.compare(f"{there}/{key}", values, EXACT)


def _dropout(checks: Checks, case: Case) -> tf.Tensor | None:
    if not case.training:
        return None
    mask = np.ones((1, SIZES.hidden), np.float32)
    if case.name.endswith("dropout"):
        mask = checks.golden.floats(f"{case.name}/input/dropout_mask", 1, SIZES.hidden)
    return tf.constant(np.repeat(mask, len(case.parts), 0))


def _compare_pairs(checks: Checks, case: Case, context: VCTreeContext) -> list[int]:
    """Pair scores and trees; the boxes in the order in which trees are walked."""
    known, name = case.known, case.name
    logits = certain_logits(known.labels, SIZES.labels) if known.scores is None else known.scores
    before = moving_values(context)
    nodes, _, _, pairs = context.encode(case.boxes, case.x, known, logits, training=case.training)
    restore(context, before)
    _compare_parts(checks, case, context, nodes)
    starts = starts_of(case.parts).tolist()
    for number, (start, end) in enumerate(zip(starts, starts[1:])):
        _compare_scores(checks, name, number, pairs, slice(start, end))
    trees, order = walk(pairs.scores.numpy(), case.parts)
    for number, tree in enumerate(trees):
        compare_tree(checks, f"{name}/tree/{number}", tree)
    return order


def _compare_scores(checks: Checks, name: str, number: int, pairs: PairScores, own: slice) -> None:
    for key, values in (
        ("co", pairs.together),
        ("vis", pairs.seen),
        ("pair_logits", pairs.logits),
        ("pair_scores", pairs.scores),
    ):
        checks.compare(f"{name}/{key}/{number}", values[own, own], CLOSE)


def _compare_parts(checks: Checks, case: Case, context: VCTreeContext, nodes: tf.Tensor) -> None:
    """The layers that pair scores are made by."""
    scorer, places = context.pairs, positions(case.boxes)
    embedded = nodes[:, SIZES.features : SIZES.features + SIZES.embedding]
    parts = {
        "obj_reduce": scorer.obj_reduce(case.x),
        "emb_reduce": scorer.emb_reduce(embedded),
        "box_embed": scorer.box(places, case.training),
        "overlap_embed": scorer.overlap(overlap_numbers(case.boxes), case.training),
    }
    hidden = tf.nn.relu(scorer.score_pre(tf.concat(list(parts.values()), -1)))
    parts.update(
        position9=places,
        score_h=hidden,
        score_sub=tf.nn.relu(scorer.score_sub(hidden)),
        score_obj=tf.nn.relu(scorer.score_obj(hidden)),
    )
    for key, values in parts.items():
        checks.compare(f"{case.name}/{key}", values, CLOSE)
