"""Counts of predicates, against the release's on the same file."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.datasets.formats.vg150 import read_vg150
from dsg.models.grounding.frequencies import log_shares, overlapping_pairs, predicate_counts
from tests.datasets.test_vg150 import FILES
from tests.models.grounding.goldens import Golden, needs_goldens


@needs_goldens
def test_counts_are_the_release_s() -> None:
    golden = Golden("vg_reader")
    images = read_vg150(FILES, "train", validation_images=0).images
    counts = predicate_counts(images, 150, 50)
    foreground = counts[..., :-1]
    np.testing.assert_array_equal(np.argwhere(foreground), golden["statistics/fg_nonzero"])
    np.testing.assert_array_equal(foreground[foreground > 0], golden["statistics/fg_counts"])
    np.testing.assert_array_equal(np.argwhere(counts[..., -1] > 1), golden["statistics/bg_above_one"])
    np.testing.assert_array_equal(counts[..., -1][counts[..., -1] > 1], golden["statistics/bg_counts"])
    assert (
        counts.sum() == golden["statistics/fg_sum"] and counts[..., -1].sum() == golden["statistics/bg_sum"]
    )
    shares = log_shares(counts)
    pairs = golden["statistics/pairs"]
    golden.assert_close(shares[pairs[:, 0], pairs[:, 1]], "statistics/pred_dist", 1e-6)
    assert shares.mean(dtype=np.float64) == pytest.approx(
        float(golden["statistics/pred_dist_mean"]), rel=1e-6
    )
    for number, image in enumerate(images):
        np.testing.assert_array_equal(
            overlapping_pairs(image.boxes), golden[f"statistics/overlapping_pairs/{number}"]
        )


def test_boxes_that_never_overlap_give_all_pairs() -> None:
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]], float)
    assert len(overlapping_pairs(boxes)) == 6
    boxes[1] = [0.5, 0, 3, 3]
    assert overlapping_pairs(boxes).tolist() == [[0, 1], [1, 0]]
