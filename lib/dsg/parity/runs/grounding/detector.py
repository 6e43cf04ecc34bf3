"""What the joint detector says of boxes, in both data sets."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.boxes.conventions import TORCHVISION, TORCHVISION_RPN, decode_classes
from dsg.models.detector.heads import TwoLayerHead
from dsg.models.grounding.detector import GRAPHS, MASKS, BoxScores, DualPredictor, detect_nodes
from dsg.models.grounding.losses import object_loss
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.runs.grounding.reading import boxes_of, numbers
from dsg.parity.runs.grounding.weights import channel_major, fill, renamed
from dsg.parity.runs.reading import matching

CLOSE = Tolerance("relative", 1e-5)
DIM, CHANNELS, HIDDEN = 128, 32, 64
CATEGORIES = {GRAPHS: 150, MASKS: 80}
IMAGE = (320.0, 480.0)  # height and width; the file does not have them, and no box reaches the right side


def compare(checks: Checks) -> None:
    """The box predictors of `detector.npz`; region proposals are the detector's."""
    golden = checks.golden
    checks.given(
        r".*\.recipe", "box/.*/(gt_boxes|labels)", "box/proposals", "settings", "decode_extreme/deltas"
    )
    checks.skip("(fpn|vgg)/.*", "region proposals are the detector's, which is compared with torchvision's")
    checks.skip("box/.*/loss_box", "the release's is L1, the detector's is torchvision's smooth L1")
    head = TwoLayerHead(CHANNELS, HIDDEN)
    fill(head, renamed("box_head/", {"fc6": "fc1", "fc7": "fc2"}))
    channel_major(head.fc6, CHANNELS)
    checks.compare("box_head/out", head(numbers(golden, "box_head/roi")), CLOSE)
    predictor = DualPredictor(DIM, CATEGORIES[GRAPHS], CATEGORIES[MASKS])
    fill(predictor, renamed("box_predictor/"))
    features, proposals = numbers(golden, "box/x"), boxes_of(golden, "box/proposals")
    for data, categories in CATEGORIES.items():
        scores = predictor(features, masks=data == MASKS)
        _compare_scores(checks, f"box/{data}", scores, proposals, categories)
        for key, there, threshold, iou, limit in matching(
            golden, rf"(box/{data}/detections_([\d.]+)_([\d.]+)_(\d+))/rows"
        ):
            nodes = detect_nodes(
                *(proposals, scores, tf.constant(IMAGE)),
                threshold=float(threshold),
                iou=float(iou),
                limit=int(limit),
            )
            checks.compare(key, nodes.rows, EXACT)
            checks.compare(f"{there}/labels", nodes.labels, EXACT)
            checks.compare(f"{there}/boxes", nodes.boxes, CLOSE)
            checks.compare(f"{there}/scores", nodes.scores, CLOSE)
            checks.compare(f"{there}/boxes_per_cls", nodes.class_boxes, CLOSE)
    deltas = golden.floats("decode_extreme/deltas", 2, 4)
    checks.compare("decode_extreme/out", TORCHVISION_RPN.decode(proposals[:2], deltas), CLOSE)


def _compare_scores(
    checks: Checks, there: str, scores: BoxScores, proposals: np.ndarray, categories: int
) -> None:
    golden, flat = checks.golden, [len(proposals), 4 * categories]
    checks.compare(f"{there}/logits", scores.logits, CLOSE)
    deltas = tf.reshape(scores.deltas, flat)
    checks.compare(f"{there}/deltas", deltas, CLOSE)
    decoded = decode_classes(TORCHVISION, proposals, deltas)
    checks.compare(f"{there}/decoded", tf.reshape(decoded, flat), CLOSE)
    labels = golden.array(f"{there}/labels", len(proposals), low=0, high=categories, whole=True)
    checks.compare(f"{there}/loss_cls", object_loss(scores.logits, labels), CLOSE)
    targets = TORCHVISION.encode(tf.constant(proposals), tf.constant(boxes_of(golden, f"{there}/gt_boxes")))
    checks.compare(f"{there}/target_deltas", targets, CLOSE)
