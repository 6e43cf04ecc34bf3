"""The second stage in one piece: answers and steps of training."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.models.grounding.answers import graph_of
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.contexts import MOTIF, VCTREE
from dsg.models.grounding.detector import detect_nodes
from dsg.models.grounding.features import Maps
from dsg.models.grounding.motif import Known
from dsg.models.grounding.stage import GraphStage, Grounded
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.features import pyramid
from dsg.parity.runs.grounding.model_parts import CATEGORIES, Parts, recipe_parts, recipe_stage
from dsg.parity.runs.grounding.model_training import compare_step
from dsg.parity.runs.grounding.reading import SPAN, boxes_of, images_of, transfer_of
from dsg.pipeline.pair_sampling import test_pairs

CLOSE = Tolerance("relative", 2e-4)
SETTINGS = ("predcls", "sgcls", "sgdet", "sgcls_refined")
DETECTIONS = 12


def compare(checks: Checks) -> None:
    """All of `model.npz`."""
    golden = checks.golden
    checks.given(".*/input/.*", ".*/sampled/.*", "sizes")
    parts = recipe_parts(transfer_of(golden))
    for context in (MOTIF, VCTREE):
        stage = recipe_stage(context, parts.transfer)
        for setting in SETTINGS:
            if f"{context}_{setting}/x" in golden:
                _compare_answer(checks, f"{context}_{setting}", stage, parts)
        for setting in ("predcls", "sgcls"):
            compare_step(checks, f"{context}_{setting}_train", stage, parts)


def _compare_answer(checks: Checks, case: str, stage: GraphStage, parts: Parts) -> None:
    golden, setting = checks.golden, case.split("_", 1)[1]
    maps = pyramid(golden, f"{case}/input")
    size = tf.constant(golden.floats(f"{case}/input/image_size_hw", 2, low=1, high=SPAN))
    placed = boxes_of(golden, f"{case}/pred_boxes")
    boxes = BoxList(tf.constant(placed), tf.constant(images_of([placed])), size[None])
    known = _known(checks, case, maps, boxes, parts)
    logits = parts.mask_logits(maps, boxes)
    pairs = test_pairs(placed, overlapping=setting == "sgdet")
    got = stage(maps, boxes, known, logits, tf.constant(pairs))
    if setting.endswith("refined"):
        checks.compare(f"{case}/masks_before_refinement", got.masks, CLOSE)
        refining = recipe_stage(MOTIF, parts.transfer, refined=True)
        got = refining(maps, boxes, known, logits, tf.constant(pairs))
    checks.compare(f"{case}/mask_logits", logits, CLOSE)
    checks.compare(f"{case}/masks", got.masks, CLOSE)
    checks.compare(f"{case}/x", got.nodes, CLOSE)
    checks.compare(f"{case}/u", got.edges, CLOSE)
    checks.compare(f"{case}/object_logits", got.context.object_logits, CLOSE)
    checks.compare(f"{case}/predicate_logits", got.predicate_logits, CLOSE)
    _compare_graph(checks, case, placed, pairs, got, known)


def _known(checks: Checks, case: str, maps: Maps, boxes: BoxList, parts: Parts) -> Known:
    """Labels and scores as the setting has them, compared with the file's."""
    golden, setting = checks.golden, case.split("_", 1)[1]
    labels = tf.constant(golden[f"{case}/pred_labels"], tf.int32)
    if setting == "predcls":
        checks.given(f"{case}/pred_labels", f"{case}/pred_boxes")
        certain = tf.one_hot(labels, CATEGORIES + 1)
        checks.compare(f"{case}/pred_scores", certain, EXACT)
        return Known(labels, None)
    if setting != "sgdet":
        checks.given(f"{case}/pred_boxes")
        said = parts.scores(maps, boxes.boxes, boxes.image)
        best = tf.argmax(said.logits[:, :-1], -1)
        checks.compare(f"{case}/pred_labels", best, EXACT)
        checks.compare(f"{case}/pred_scores", said.probabilities, CLOSE)
        return Known(labels, said.probabilities)
    proposals = boxes_of(golden, f"{case}/input/proposals")
    said = parts.scores(maps, tf.constant(proposals), tf.zeros([len(proposals)], tf.int32))
    nodes = detect_nodes(proposals, said, boxes.image_size[0], limit=DETECTIONS)
    scores = tf.gather(said.probabilities, nodes.rows)
    checks.compare(f"{case}/pred_labels", nodes.labels, EXACT)
    for key, values in (
        ("pred_boxes", nodes.boxes),
        ("pred_scores", scores),
        ("detection_scores", nodes.scores),
        ("boxes_per_cls", nodes.class_boxes),
    ):
        checks.compare(f"{case}/{key}", values, CLOSE)
    return Known(labels, scores, nodes.class_boxes)


def _compare_graph(
    checks: Checks, case: str, boxes: np.ndarray, pairs: np.ndarray, got: Grounded, known: Known
) -> None:
    class_boxes = None if known.class_boxes is None else known.class_boxes.numpy()
    logits = got.context.object_logits.numpy(), got.predicate_logits.numpy()
    graph = graph_of(boxes, logits[0], pairs, logits[1], class_boxes)
    for name in ("labels", "pairs", "predicates"):
        checks.compare(f"{case}/result/{name}", getattr(graph, name), EXACT)
    for name in ("boxes", "scores", "triple_scores"):
        checks.compare(f"{case}/result/{name}", getattr(graph, name), CLOSE)
