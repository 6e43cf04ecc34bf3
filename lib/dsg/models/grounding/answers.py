"""From logits to a scene graph: labels of the objects, and triples by falling score. NumPy.

N boxes, P ordered pairs, V categories and R predicates; the background is the last label and the last
predicate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dsg.boxes.overlaps import iou

SUPPRESSION_IOU = 0.3  # +1 widths


class Graph(NamedTuple):
    """A predicted scene graph; pairs by falling score of their triples."""

    boxes: np.ndarray  # float32 [N, 4]
    labels: np.ndarray  # int [N]
    scores: np.ndarray  # float32 [N]
    pairs: np.ndarray  # int [P, 2]
    probabilities: np.ndarray  # float32 [P, R + 1]
    predicates: np.ndarray  # int [P]: the most probable of each pair, never the background
    triple_scores: np.ndarray  # float32 [P]: predicate's, subject's and object's, multiplied


def graph_of(
    boxes: np.ndarray,
    object_logits: np.ndarray,
    pairs: np.ndarray,
    predicate_logits: np.ndarray,
    class_boxes: np.ndarray | None = None,
) -> Graph:
    """The graph of an image.

    Args:
        boxes: float32 [N, 4].
        object_logits: [N, V + 1].
        pairs: int [P, 2].
        predicate_logits: [P, R + 1].
        class_boxes: [N, V, 4], the box of each category, where boxes are detected: labels then suppress each
            other (`suppressed_labels`), and a node has the box of its label.
    """
    probabilities = _softmax(object_logits)[:, :-1]
    rows = np.arange(len(boxes))
    if class_boxes is None:
        labels = probabilities.argmax(1)
    else:
        labels = suppressed_labels(probabilities, class_boxes)
        boxes = class_boxes[rows, labels].astype(np.float32)
    scores = probabilities[rows, labels]
    return sorted_graph(boxes, labels, scores, pairs, _softmax(predicate_logits))


def sorted_graph(
    boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, pairs: np.ndarray, probabilities: np.ndarray
) -> Graph:
    """A graph whose labels are settled; arguments as of `Graph`, pairs in any order."""
    predicates = probabilities[:, :-1].argmax(1)
    certainty = probabilities[np.arange(len(pairs)), predicates]
    triples = certainty * scores[pairs[:, 0]] * scores[pairs[:, 1]]
    order = np.argsort(-triples, kind="stable")
    return Graph(boxes, labels, scores, pairs[order], probabilities[order], predicates[order], triples[order])


def suppressed_labels(probabilities: np.ndarray, class_boxes: np.ndarray) -> np.ndarray:
    """Labels int [N], the most probable (box, label) settled first: that label is then 0 for the boxes whose
    box of this label overlaps the settled one's.

    Args:
        probabilities: [N, V].
        class_boxes: [N, V, 4], +1 widths.
    """
    left = probabilities.copy()
    labels = np.zeros(len(left), np.int64)
    for _ in range(len(left)):
        row, label = np.unravel_index(left.argmax(), left.shape)
        labels[row] = label
        boxes = class_boxes[:, label].astype(np.float64)
        left[iou(boxes[row : row + 1], boxes)[0] >= SUPPRESSION_IOU, label] = 0.0
        left[row] = -1.0
    return labels


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
