"""Sampled pairs: the release's own draws repeated, quotas, and its two slips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dsg.models.grounding import sampling
from dsg.models.grounding.sampling import PairSettings, sample_annotated_pairs, sample_detected_pairs
from tests.models.grounding.goldens import Golden, needs_goldens

BACKGROUND = 150


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("sampling")


class Replay:
    """A generator that repeats stored draws."""

    def __init__(self, draws: list[np.ndarray]) -> None:
        self._draws: Iterator[np.ndarray] = iter(draws)

    def permutation(self, count: int) -> np.ndarray:
        draw = next(self._draws)
        assert len(draw) == count
        return draw

    def choice(self, count: int, size: int, replace: bool, p: np.ndarray) -> np.ndarray:
        draw = next(self._draws)
        assert len(draw) == size and not replace and draw.max() < count
        assert p.sum() == pytest.approx(1)
        return draw

    def finished(self) -> bool:
        return next(self._draws, None) is None


def draws_of(golden: Golden, there: str) -> Replay:
    keys = [key for key in golden.files if key.startswith(f"{there}/draw")]
    return Replay(
        [golden[key] for key in sorted(keys, key=lambda key: int(key.split("/draw")[1].split("_")[0]))]
    )


@needs_goldens
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", ["gt_few", "gt_many", "gt_two", "gt_full"])
def test_annotated_pairs_are_the_release_s(golden: Golden, case: str, seed: int) -> None:
    rng = draws_of(golden, f"{case}/seed{seed}")
    count = len(golden[f"{case}/boxes"])
    sample = sample_annotated_pairs(count, golden[f"{case}/relations"], PairSettings(), rng)
    np.testing.assert_array_equal(sample.pairs, golden[f"{case}/seed{seed}/pairs"])
    np.testing.assert_array_equal(sample.predicates, golden[f"{case}/seed{seed}/labels"])
    np.testing.assert_array_equal(sample.related, golden[f"{case}/related"])
    assert rng.finished()


def detected(golden: Golden, case: str, released: bool, rng) -> sampling.PairSample:
    arrays = (golden[f"{case}/{key}"] for key in ("boxes", "labels", "gt_boxes", "gt_labels", "relations"))
    return sample_detected_pairs(*arrays, PairSettings(released=released), rng, background=BACKGROUND)


@needs_goldens
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", ["det_rich", "det_many", "det_no_match", "det_same_box", "det_nothing"])
def test_detected_pairs_are_the_release_s(golden: Golden, case: str, seed: int) -> None:
    there = f"{case}/released/seed{seed}"
    draws = draws_of(golden, there)

    class Draws(Replay):
        """What was not drawn because nothing was there is an empty permutation."""

        def permutation(self, count: int) -> np.ndarray:
            return draws.permutation(count) if count else np.zeros(0, int)

        choice = staticmethod(draws.choice)

    sample = detected(golden, case, True, Draws([]))
    np.testing.assert_array_equal(sample.pairs, golden[f"{there}/pairs"])
    np.testing.assert_array_equal(sample.predicates, golden[f"{there}/labels"])
    np.testing.assert_array_equal(sample.related, golden[f"{case}/released/related"])
    assert draws.finished()


@needs_goldens
@pytest.mark.parametrize("kind", ["released", "fixed"])
@pytest.mark.parametrize("case", ["det_rich", "det_many", "det_no_match", "det_same_box", "det_nothing"])
def test_what_is_drawn_are_the_candidates_within_the_quotas(golden: Golden, case: str, kind: str) -> None:
    sample = detected(golden, case, kind == "released", np.random.default_rng(1))
    related = {tuple(row) for row in golden[f"{case}/{kind}/foreground_candidates"].tolist()}
    other = {tuple(row) for row in golden[f"{case}/{kind}/background_candidates"].tolist()}
    rows = np.concatenate([sample.pairs, sample.predicates[:, None]], 1).tolist()
    found = [tuple(row) for row in rows if row[2] != 50 and tuple(row[:2]) != (0, 0)]
    assert set(found) <= related and len(found) <= 16
    assert {tuple(row[:2]) for row in rows if tuple(row) not in found} <= other
    assert len(rows) == len({tuple(row) for row in rows}) <= 64
    np.testing.assert_array_equal(sample.related, golden[f"{case}/{kind}/related"])


@needs_goldens
@pytest.mark.parametrize("case", ["test_gt", "test_gt_one"])
def test_every_pair_is_asked_for(golden: Golden, case: str) -> None:
    boxes = golden[f"{case}/boxes"] if f"{case}/boxes" in golden else np.zeros((1, 4))
    np.testing.assert_array_equal(sampling.test_pairs(boxes, overlapping=False), golden[f"{case}/pairs"])


@needs_goldens
@pytest.mark.parametrize("case", ["test_det", "test_det_apart", "test_det_one", "test_det_touching"])
def test_overlapping_pairs_are_asked_for(golden: Golden, case: str) -> None:
    pairs = sampling.test_pairs(golden[f"{case}/boxes"], overlapping=True)
    np.testing.assert_array_equal(pairs, golden[f"{case}/pairs"])


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
