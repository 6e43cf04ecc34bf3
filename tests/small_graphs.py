"""A grounded graph made by hand, for what draws, writes and shows them."""

from __future__ import annotations

import numpy as np

from dsg.datasets.records import Vocabulary
from dsg.models.grounding.answers import sorted_graph
from dsg.models.grounding.grounded import GroundedImage
from dsg.models.grounding.scene import GroundedGraph

WORDS = Vocabulary(("man", "horse", "traffic_light", "hat"), ("on", "riding", "next_to"))
BOXES = np.array(
    [[10, 10, 60, 90], [20, 40, 90, 110], [100, 5, 120, 60], [11, 11, 61, 89]],  # the last is the first again
    np.float32,
)
LABELS = np.array([0, 1, 2, 0])
SCORES = np.array([0.9, 0.8, 0.5, 0.4], np.float32)
BEST = {(0, 1): (1, 0.9), (1, 0): (0, 0.8), (3, 1): (1, 0.85), (2, 0): (2, 0.6)}
"""The relations that are certain: predicate and probability by subject and object; others have 0.4."""
WIDTH, HEIGHT = 130, 120


def made_graph(*, masks: bool = True, refined: bool = False) -> GroundedGraph:
    """Four nodes, all twelve pairs; masks of the left halves, refined ones of the upper halves."""
    pairs = np.argwhere(~np.eye(4, dtype=bool))
    probabilities = np.full((len(pairs), 4), 0.1, np.float32)
    for row, (subject, object_) in enumerate(pairs.tolist()):
        predicate, certain = BEST.get((subject, object_), (0, 0.4))
        probabilities[row] = (1 - certain) / 3
        probabilities[row, predicate] = certain
    graph = sorted_graph(BOXES, LABELS, SCORES, pairs, probabilities)
    left, upper = np.zeros((2, 4, 28, 28), np.float32)
    left[:, :, :14], upper[:, :14] = 1, 1
    attended = 0.5 * left[graph.pairs]
    found = GroundedImage(
        graph,
        left if masks else None,
        upper if refined else None,
        attended if masks else None,
    )
    return GroundedGraph(WIDTH, HEIGHT, found, WORDS)
