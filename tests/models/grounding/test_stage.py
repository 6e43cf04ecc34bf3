"""The second stage in one piece, answers and a step of training, against the release."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from dsg.datasets.formats.segmentations import polygons_in_box
from dsg.models.detector.heads import MaskHead, TwoLayerHead
from dsg.models.grounding.answers import graph_of
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.detector import BoxScores, DualPredictor, detect_nodes
from dsg.models.grounding.features import Maps
from dsg.models.grounding.losses import (
    mask_refinement_loss,
    object_loss,
    related_loss,
    relation_loss,
)
from dsg.models.grounding.mask_transfer import transferred
from dsg.models.grounding.motif import ContextSizes, Known
from dsg.models.grounding.refine import mask_logits, of_labels
from dsg.models.grounding.sampling import test_pairs
from dsg.models.grounding.stage import GraphStage, StageOptions, StageSizes
from dsg.models.grounding.trees import grow_tree, preorder
from tests.models.grounding.goldens import Golden, fill, needs_goldens
from tests.models.grounding.test_features import SCALES, channel_major
from tests.models.grounding.test_refine import polygons

SIZES = StageSizes(ContextSizes(151, 81, 128, 64, 24), 51, 32, 28, 96, 32)
Detect = Callable[..., BoxScores]
RENAMED = {
    "edge_mask/shapes/": "edge/",
    "context/node/": "context/",
    "context/pairs/co": "context/co/table",
    "context/pairs/": "context/",
    "decoder/table": "decoder",
    "decoder/inputs": "decoder/input",
    "predicate/frequency": "predicate/freq",
    **{f"refiner/convs/{number}": f"refiner/mask_fcn{number + 1}" for number in range(4)},
}


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("model")


@pytest.fixture(scope="module")
def transfer() -> np.ndarray:
    return Golden("transfer")["A"]


def recipe_name(name: str, context: str) -> str:
    """The recipe's name of our variable."""
    for ours, theirs in RENAMED.items():
        if name.startswith(ours) or (ours.startswith("decoder") and ours in name):
            name = name.replace(ours, theirs)
    own = context == "vctree" and name.startswith("context/")
    return name.replace("context/", "vctree/", 1) if own else name


def stage_of(context: str, transfer: np.ndarray, **options) -> GraphStage:
    stage = GraphStage(SIZES, transfer, StageOptions(context=context, **options))
    make = Golden("transfer")._recipe.make_variable
    for name, variable in stage.named_variables().items():
        theirs = recipe_name(name, context)
        if "lstm/" in theirs and theirs.endswith("/bias"):
            value = make(f"{theirs}_ih", variable.shape) + make(f"{theirs}_hh", variable.shape)
        else:
            value = make(theirs, variable.shape)
        variable.assign(value)
    channel_major(stage.node.fc6, 32)
    channel_major(stage.edge.fc6, 32)
    return stage


@pytest.fixture(scope="module")
def mask_head() -> MaskHead:
    head = MaskHead(32, 80, width=32)
    renamed = {f"convs/{number}": f"mask_fcn{number + 1}" for number in range(4)}
    fill(head, "mask_head/", {**renamed, "up/": "deconv/", "masks/": "predictor/"})
    return head


@pytest.fixture(scope="module")
def detector() -> Detect:
    """The box head and both predictors, frozen."""
    head, predictor = TwoLayerHead(32, 128), DualPredictor(128, 150, 80)
    fill(head, "box_head/", {"fc6": "fc1", "fc7": "fc2"})
    channel_major(head.fc6, 32)
    fill(predictor, "box_predictor/")

    def detect(maps: Maps, boxes: tf.Tensor, image: tf.Tensor, masks: bool = False) -> BoxScores:
        return predictor(head(maps.crop(boxes, image, 7)), masks=masks)

    return detect


def maps_of(golden: Golden, there: str) -> Maps:
    return Maps([golden.load(f"{there}/p{level}") for level in range(2, 6)], SCALES)


def rows(parts: list[np.ndarray]) -> tf.Tensor:
    return tf.constant(np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32))


@needs_goldens
@pytest.mark.parametrize("context", ["motif", "vctree"])
@pytest.mark.parametrize("setting", ["predcls", "sgcls", "sgdet", "sgcls_refined"])
def test_answers_are_the_release_s(
    golden: Golden, transfer, mask_head, detector: Detect, context: str, setting: str
) -> None:
    case = f"{context}_{setting}"
    if f"{case}/x" not in golden:
        pytest.skip("measured for one context only")
    refined = setting.endswith("refined")
    stage = stage_of(context, transfer, refine_at_inference=refined)
    maps = maps_of(golden, f"{case}/input")
    size = tf.constant(golden[f"{case}/input/image_size_hw"][None], tf.float32)
    boxes = BoxList(tf.constant(golden[f"{case}/pred_boxes"]), rows([golden[f"{case}/pred_boxes"]]), size)
    labels = tf.constant(golden[f"{case}/pred_labels"])
    scores = class_boxes = None
    if setting == "sgdet":
        proposals = tf.constant(golden[f"{case}/input/proposals"])
        said = detector(maps, proposals, tf.zeros([len(proposals)], tf.int32))
        found = detect_nodes(proposals, said, size[0], limit=12)
        np.testing.assert_array_equal(found.labels, labels)
        golden.assert_close(found.boxes, f"{case}/pred_boxes", 2e-4)
        golden.assert_close(found.scores, f"{case}/detection_scores", 2e-4)
        golden.assert_close(found.class_boxes, f"{case}/boxes_per_cls", 2e-4)
        scores, class_boxes = tf.gather(said.probabilities, found.rows), found.class_boxes
    elif setting != "predcls":
        said = detector(maps, boxes.boxes, boxes.image)
        scores = said.probabilities
        np.testing.assert_array_equal(tf.argmax(said.logits[:, :-1], -1), labels)
    if scores is not None:
        golden.assert_close(scores, f"{case}/pred_scores", 2e-4)
    logits = mask_head(maps.crop(boxes.boxes, boxes.image, 14))
    pairs = test_pairs(golden[f"{case}/pred_boxes"], overlapping=setting == "sgdet")
    got = stage(maps, boxes, Known(labels, scores, class_boxes), logits, tf.constant(pairs))
    if not refined:
        golden.assert_close(logits, f"{case}/mask_logits", 2e-4)
    golden.assert_close(got.masks, f"{case}/masks", 2e-4)
    golden.assert_close(got.nodes, f"{case}/x", 2e-4)
    golden.assert_close(got.edges, f"{case}/u", 2e-4)
    golden.assert_close(got.context.object_logits, f"{case}/object_logits", 2e-4)
    golden.assert_close(got.predicate_logits, f"{case}/predicate_logits", 2e-4)
    graph = graph_of(
        *(boxes.boxes.numpy(), got.context.object_logits.numpy(), pairs, got.predicate_logits.numpy()),
        class_boxes=None if class_boxes is None else class_boxes.numpy(),
    )
    for name in ("labels", "pairs", "predicates"):
        np.testing.assert_array_equal(getattr(graph, name), golden[f"{case}/result/{name}"])
    for name in ("scores", "triple_scores"):
        golden.assert_close(getattr(graph, name), f"{case}/result/{name}", 2e-4)


@needs_goldens
@pytest.mark.parametrize("context", ["motif", "vctree"])
@pytest.mark.parametrize("setting", ["predcls", "sgcls"])
def test_a_step_of_training_is_the_release_s(
    golden: Golden, transfer, mask_head, detector: Detect, context: str, setting: str
) -> None:
    case = f"{context}_{setting}_train"
    stage = stage_of(context, transfer)
    size = tf.constant(np.repeat(golden[f"{case}/input/image_size_hw"][None], 2, 0), tf.float32)

    def inputs(kind: str) -> tuple[Maps, BoxList, np.ndarray]:
        boxes = [golden[f"{case}/input/{kind}/gt_boxes/{number}"] for number in range(2)]
        labels = [golden[f"{case}/input/{kind}/gt_labels/{number}"] for number in range(2)]
        maps = maps_of(golden, f"{case}/input/{kind}")
        return maps, BoxList(tf.constant(np.concatenate(boxes)), rows(boxes), size), np.concatenate(labels)

    maps, boxes, labels = inputs("sg")
    counts = boxes.counts.numpy()
    starts = np.cumsum([0, *counts])
    pairs = [golden[f"{case}/sampled/pairs/{number}"] + starts[number] for number in range(2)]
    predicates = [golden[f"{case}/sampled/labels/{number}"] for number in range(2)]
    related = np.zeros((starts[-1], starts[-1]), np.float32)
    for number in range(2):
        ends = golden[f"{case}/input/sg/relations/{number}"][:, :2] + starts[number]
        related[ends[:, 0], ends[:, 1]] = related[ends[:, 1], ends[:, 0]] = 1
    m_maps, m_boxes, m_labels = inputs("m")
    targets = []
    for number in range(2):
        for row, box in enumerate(golden[f"{case}/input/m/gt_boxes/{number}"]):
            there = f"{case}/input/m/polygons/{number}/{row}"
            targets.append(polygons_in_box(polygons(golden, there), box, 28))
    known, m_known = Known(tf.constant(labels, tf.int32), None), Known(tf.constant(m_labels, tf.int32), None)
    if setting == "sgcls":
        scores = detector(maps, boxes.boxes, boxes.image).probabilities
        known = Known(tf.argmax(scores[:, :-1], -1, tf.int32), scores)
        m_scores = detector(m_maps, m_boxes.boxes, m_boxes.image, masks=True).probabilities
        m_known = Known(tf.argmax(m_scores[:, :-1], -1, tf.int32), m_scores)
    weights = {name: weight.variable for name, weight in stage.named_weights().items() if weight.trained}
    drawn = {"dropout": tf.ones([2, 64])}
    if f"{case}/sampled/decoder_labels" in golden:
        drawn["choose"] = drawn_labels(golden, case, stage, maps, boxes, known, mask_head)
    with tf.GradientTape() as tape:
        got = stage(
            *(maps, boxes, known, mask_head(maps.crop(boxes.boxes, boxes.image, 14))),
            tf.constant(np.concatenate(pairs), tf.int32),
            training=True,
            **drawn,
        )
        losses = {
            "loss_rel": relation_loss(got.predicate_logits, np.concatenate(predicates)),
            "loss_refine_obj": object_loss(got.context.object_logits, labels),
        }
        if context == "vctree":
            losses["binary_loss"] = related_loss(got.context.pair_logits, related, boxes.image, 2)
        m_masks = tf.sigmoid(mask_head(m_maps.crop(m_boxes.boxes, m_boxes.image, 14)))
        residual = stage.refined(m_maps, m_boxes, m_known, m_masks, training=True)
        refined = of_labels(mask_logits(m_masks) + residual, m_labels)
        losses["loss_mask_segmentation"] = mask_refinement_loss(refined, np.array(targets))
        total = tf.add_n(list(losses.values()))
    for name, value in losses.items():
        assert float(value) == pytest.approx(float(golden[f"{case}/loss/{name}"]), rel=5e-5, abs=1e-6), name
    gradients = dict(zip(weights, tape.gradient(total, list(weights.values()))))
    norms = dict(zip(golden[f"{case}/grad_norm_names"].tolist(), golden[f"{case}/grad_norm"]))
    checked = 0
    for name, gradient in gradients.items():
        theirs = recipe_name(name, context)
        if theirs in norms and gradient is not None:
            norm = float(tf.norm(tf.convert_to_tensor(gradient)))
            assert norm == pytest.approx(norms[theirs], rel=1e-3), name
            checked += 1
        if f"{case}/grad/{theirs}" in golden:
            stored = golden[f"{case}/grad/{theirs}"]
            error = np.linalg.norm(gradient - stored) / np.linalg.norm(stored)
            assert error < 5e-3, name
    assert checked > 50


def drawn_labels(golden, case, stage, maps, boxes, known, mask_head) -> Callable:
    """The labels that were drawn, stored box by box in the order in which trees are walked."""
    masks = transferred(mask_head(maps.crop(boxes.boxes, boxes.image, 14)), stage._transfer)
    nodes = stage.node(maps.crop(boxes.boxes, boxes.image, 28), masks)
    before = {name: v.numpy() for name, v in stage.named_variables().items() if "moving" in name}
    pairs = stage.context.encode(boxes, nodes, known, known.scores, training=True)[3]
    for name, value in before.items():
        stage.named_variables()[name].assign(value)
    order, start = [], 0
    for count in boxes.counts.numpy():
        own = slice(start, start + count)
        order += [start + box for box in preorder(grow_tree(pairs.scores[own, own].numpy()))]
        start += count
    labels = np.zeros(len(order), np.int32)
    labels[order] = golden[f"{case}/sampled/decoder_labels"]
    return lambda boxes, logits: tf.gather(labels, boxes)
