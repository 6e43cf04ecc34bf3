"""From logits to a sorted graph. The release's are in tests/parity."""

from __future__ import annotations

import numpy as np

from dsg.models.grounding.answers import suppressed_labels


def test_a_box_over_a_settled_one_gets_its_next_label() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)
    class_boxes = np.repeat(boxes[:, None], 2, 1)
    probabilities = np.array([[0.9, 0.05], [0.8, 0.1], [0.7, 0.2]])
    assert suppressed_labels(probabilities, class_boxes).tolist() == [0, 1, 0]
