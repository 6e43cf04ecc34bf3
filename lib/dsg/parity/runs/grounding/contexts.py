"""What the files of both context encoders have in common: inputs, models, and the predicates' classifier."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.contexts import VCTREE, AnyContext
from dsg.models.grounding.motif import Context, ContextSizes, Known, MotifContext
from dsg.models.grounding.predicates import PredicateHead
from dsg.models.grounding.vctree import VCTreeContext
from dsg.nets.initial import unfilled
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.reading import (
    MARGIN,
    SPAN,
    each,
    each_boxes,
    images_of,
    joined_pairs,
    numbers,
)
from dsg.parity.runs.grounding.weights import fill, renamed

CASES = ("predcls_test", "sgcls_test", "sgdet_test", "predcls_train", "sgcls_train", "sgcls_train_dropout")
CLOSE = Tolerance("relative", 1e-5)
NAMES = {"node/": "", "decoder/table": "decoder", "decoder/inputs": "decoder/input"}
VCTREE_NAMES = {"node/": "", "pairs/co": "co/table", "pairs/": "", "decoder/table": "decoder"}
SIZES = ContextSizes()
PREDICATES = 51


class Case(NamedTuple):
    """The inputs of a case."""

    name: str
    boxes: BoxList
    parts: list[np.ndarray]  # the boxes of each image
    x: tf.Tensor  # float32 [N, 1024]
    known: Known
    pairs: np.ndarray  # int32 [P, 2]
    training: bool


@functools.lru_cache(maxsize=1)
def recipe_context(kind: str) -> AnyContext:
    """A context encoder of full size; whoever changes its statistics puts them back."""
    with unfilled():
        context = VCTreeContext(SIZES) if kind == VCTREE else MotifContext(SIZES)
    vctree = kind == VCTREE
    fill(context, renamed("vctree/", VCTREE_NAMES) if vctree else renamed("context/", NAMES))
    return context


def predicate_head(relu: bool) -> PredicateHead:
    """The predicates' classifier of full size."""
    with unfilled():
        head = PredicateHead(SIZES.labels, PREDICATES, relu=relu)
    fill(head, renamed("predicate/", {"frequency/": "freq/"}))
    return head


def declare(checks: Checks) -> None:
    """Inputs, and what is not compared."""
    checks.given(".*/input/.*", ".*/decoder/sampled_labels")
    checks.skip(".*_margin", MARGIN)
    checks.skip(r".*/decoder/(input|h|c)(\..*)?", "inside a step of the decoder, whose logits are compared")


def box_list(golden: Golden, case: str) -> tuple[BoxList, list[np.ndarray]]:
    """The boxes of a case, in one list and image by image."""
    parts = each_boxes(golden, f"{case}/input/boxes")
    size = golden.floats(f"{case}/input/image_size_hw", len(parts), 2, low=1, high=SPAN)
    return BoxList(
        tf.constant(np.concatenate(parts)), tf.constant(images_of(parts)), tf.constant(size)
    ), parts


def read_case(golden: Golden, name: str) -> Case:
    """The inputs of a case."""
    boxes, parts = box_list(golden, name)
    there = f"{name}/input"
    labels = np.concatenate(each(golden, f"{there}/labels")).astype(np.int32)
    scores = class_boxes = None
    if not name.startswith("predcls"):
        scores = tf.constant(_repeated(golden, there, numbers(golden, f"{there}/scores")))
    if name.startswith("sgdet"):
        class_boxes = tf.constant(np.concatenate(each(golden, f"{there}/boxes_per_cls")), tf.float32)
    return Case(
        name=name,
        boxes=boxes,
        parts=parts,
        x=tf.constant(_repeated(golden, there, numbers(golden, f"{there}/x"))),
        known=Known(tf.constant(labels), scores, class_boxes),
        pairs=joined_pairs(each(golden, f"{there}/pairs"), parts),
        training=name.split("_")[1] == "train",
    )


def _repeated(golden: Golden, there: str, values: np.ndarray) -> np.ndarray:
    """Values of which some rows are those of the row before."""
    for row in golden.get(f"{there}/rows_equal_to_the_one_before", ()):
        values[row] = values[row - 1]
    return values


def compare_context(checks: Checks, case: Case, got: Context) -> None:
    """What both encoders say of boxes."""
    features, embedding = SIZES.features, SIZES.features + SIZES.embedding
    nodes = got.nodes[:, : SIZES.nodes]
    for key, values in (
        ("n", nodes),
        ("e1", nodes[:, features:embedding]),
        ("pos", nodes[:, embedding:]),
        ("enc", got.nodes[:, SIZES.nodes :]),
        ("object_logits", got.object_logits),
        ("edge_ctx", got.edges),
    ):
        checks.compare(f"{case.name}/{key}", values, CLOSE)
    checks.compare(f"{case.name}/decoded_labels", got.labels, EXACT)


def compare_predicates(
    checks: Checks, case: Case, head: PredicateHead, got: Context, *, relu: bool = False
) -> None:
    """What the predicates' classifier says of pairs, layer by layer and in one.

    Args:
        checks: of the file.
        case: inputs.
        head: with the recipe's weights.
        got: the context of the case.
        relu: of `head`.
    """
    features = tf.constant(numbers(checks.golden, f"{case.name}/input/u"))
    subject, object_ = case.pairs.T
    both = head.post_emb(got.edges)
    both = tf.nn.relu(both) if relu else both
    pair = tf.concat(
        [tf.gather(both[:, : SIZES.hidden], subject), tf.gather(both[:, SIZES.hidden :], object_)], -1
    )
    logits = head(got.edges, case.pairs, features, got.labels)
    assert head.frequency is not None
    frequency = head.frequency(tf.gather(got.labels, subject), tf.gather(got.labels, object_))
    for key, values in (
        ("post_emb", both),
        ("pair_rep", head.post_cat(pair)),
        ("up_dim", head.up_dim(features)),
        ("context_logits", logits - frequency),
        ("predicate_logits", logits),
    ):
        checks.compare(f"{case.name}/{key}", values, CLOSE)
