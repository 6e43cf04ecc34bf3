"""Sampled pairs: the release's two slips. Its own draws are repeated in tests/parity."""

from __future__ import annotations

import numpy as np

from dsg.pipeline import pair_sampling as sampling
from dsg.pipeline.pair_sampling import PairSettings, sample_detected_pairs

BACKGROUND = 150


def test_the_fixed_sampler_keeps_predicate_0_and_label_50() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], np.float32)
    labels, relations = np.array([50, 3]), np.array([[0, 1, 0]])

    def sample(released: bool) -> sampling.PairSample:
        settings, rng = PairSettings(released=released), np.random.default_rng(0)
        return sample_detected_pairs(
            boxes, labels, boxes, labels, relations, settings, rng, background=BACKGROUND
        )

    fixed = sample(released=False)
    assert fixed.pairs.tolist() == [[0, 1], [1, 0]] and fixed.predicates.tolist() == [0, 50]
    assert fixed.related.tolist() == [[0, 1], [1, 0]]
    released = sample(released=True)
    assert released.pairs.tolist() == [[0, 0]] and not released.related.any()
