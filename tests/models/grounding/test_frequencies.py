"""Pairs whose predicates are counted. The release's counts are in tests/parity."""

from __future__ import annotations

import numpy as np

from dsg.models.grounding.frequencies import overlapping_pairs


def test_boxes_that_never_overlap_give_all_pairs() -> None:
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]], float)
    assert len(overlapping_pairs(boxes)) == 6
    boxes[1] = [0.5, 0, 3, 3]
    assert overlapping_pairs(boxes).tolist() == [[0, 1], [1, 0]]
