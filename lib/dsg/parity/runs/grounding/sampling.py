"""Sampled pairs: the release's own draws repeated, and candidates."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from dsg.boxes.overlaps import iou
from dsg.errors import UserError
from dsg.parity.checks import EXACT, Checks, Tolerance
from dsg.parity.golden import Golden
from dsg.parity.runs.grounding.reading import boxes_of
from dsg.pipeline.pair_sampling import (
    PairSample,
    PairSettings,
    sample_annotated_pairs,
    sample_detected_pairs,
    test_pairs,
)

CLOSE = Tolerance("relative", 1e-6)
BACKGROUND = 150
DETECTED = ("det_rich", "det_many", "det_no_match", "det_same_box", "det_nothing")
SEEDS = ("seed0", "seed1")


class Replay:
    """A generator that repeats the draws stored under `there`.

    Args:
        golden: the file.
        there: before the keys.
    """

    def __init__(self, golden: Golden, there: str) -> None:
        draw = re.compile(re.escape(there) + r"/draw(\d+)(_.*)?")
        keys = [(int(hit[1]), key) for key, hit in ((key, draw.fullmatch(key)) for key in golden) if hit]
        self.left = [golden[key] for _, key in sorted(keys)]
        self.shares: list[np.ndarray] = []  # what each choice was told
        self._where = f"{golden.path}: {there}"

    def permutation(self, count: int) -> np.ndarray:
        """The next draw; one of nothing may be stored or not."""
        if count == 0 and not (self.left and self.left[0].size == 0):
            return np.zeros(0, np.int64)
        return self._next(count, count)

    def choice(self, count: int, size: int, replace: bool, p: np.ndarray) -> np.ndarray:
        """The next draw, of `size` numbers."""
        assert not replace
        self.shares.append(p)
        return self._next(count, size)

    def _next(self, count: int, size: int) -> np.ndarray:
        if not self.left:
            raise UserError(f"{self._where} has fewer draws than the sampler takes")
        draw = self.left.pop(0)
        if draw.shape != (size,) or ((draw < 0) | (draw >= count) | (draw != draw.astype(np.int64))).any():
            raise UserError(f"{self._where} has a draw that is not {size} of {count} numbers")
        return draw.astype(np.int64)


def compare(checks: Checks) -> None:
    """All of `sampling.npz`."""
    golden = checks.golden
    checks.given(r"\w+/((gt_)?(boxes|labels)|relations)", ".*/seed./draw.*", ".*ground_candidates")
    checks.skip(".*/match", "inside the sampler, whose pairs are compared")
    settings = golden.mapping("settings/json")
    checks.given("settings/json")
    chosen = PairSettings(
        predicates=int(settings["num_rel_classes"]),
        pairs=int(settings["batch_size_per_image"]),
        related_share=float(settings["positive_fraction"]),
        matches=int(settings["num_sample_per_gt_rel"]),
        threshold=float(settings["fg_thres"]),
    )
    for case in ("gt_few", "gt_many", "gt_two", "gt_full"):
        _compare_annotated(checks, case, chosen)
    for case in DETECTED:
        _compare_detected(checks, case, chosen)
    for case in ("test_gt", "test_gt_one", "test_det", "test_det_apart", "test_det_one", "test_det_touching"):
        boxes = boxes_of(golden, f"{case}/boxes") if f"{case}/boxes" in golden else np.zeros((1, 4))
        pairs = test_pairs(boxes, overlapping=case.startswith("test_det"))
        checks.compare(f"{case}/pairs", pairs, EXACT)


def _compare_sample(checks: Checks, there: str, sample: PairSample, draws: Replay) -> None:
    checks.compare(f"{there}/pairs", sample.pairs, EXACT)
    checks.compare(f"{there}/labels", sample.predicates, EXACT)
    checks.compare_value(f"{there}: draws left", len(draws.left), 0, EXACT)
    for number, share in enumerate(draws.shares):
        checks.compare(f"{there}/choice{number}_p", share, CLOSE)


def _compare_annotated(checks: Checks, case: str, settings: PairSettings) -> None:
    golden = checks.golden
    count = len(boxes_of(golden, f"{case}/boxes"))
    relations = _relations(golden, case, count)
    free = {tuple(row) for row in golden[f"{case}/background_candidates"].tolist()}
    for seed in SEEDS:
        draws = Replay(golden, f"{case}/{seed}")
        sample = sample_annotated_pairs(count, relations, settings, draws)
        _compare_sample(checks, f"{case}/{seed}", sample, draws)
        _compare_candidates(
            checks, f"{case}/{seed}", sample, {tuple(row) for row in relations.tolist()}, free
        )
    checks.compare(f"{case}/related", sample.related, EXACT)


def _relations(golden: Golden, case: str, boxes: int) -> np.ndarray:
    rows = golden.array(f"{case}/relations", None, 3, low=0, whole=True, empty=True)
    if rows.size and rows[:, :2].max() >= boxes:
        raise UserError(f"{golden.path}: {case}/relations names a box beyond the {boxes} of the case")
    return rows


def _compare_detected(checks: Checks, case: str, settings: PairSettings) -> None:
    golden = checks.golden
    boxes, true_boxes = boxes_of(golden, f"{case}/boxes"), boxes_of(golden, f"{case}/gt_boxes")
    checks.compare(f"{case}/iou", iou(true_boxes, boxes, inclusive=False), CLOSE)
    labels, true_labels = golden[f"{case}/labels"], golden[f"{case}/gt_labels"]
    relations = _relations(golden, case, len(true_boxes))

    def sample(released: bool, rng: Any) -> PairSample:
        return sample_detected_pairs(
            *(boxes, labels, true_boxes, true_labels, relations),
            *(settings._replace(released=released), rng),
            background=BACKGROUND,
        )

    for seed in SEEDS:
        there = f"{case}/released/{seed}"
        draws = Replay(golden, there)
        _compare_sample(checks, there, sample(True, draws), draws)
    for kind in ("released", "fixed"):
        made = sample(kind == "released", np.random.default_rng(1))
        checks.compare(f"{case}/{kind}/related", made.related, EXACT)
        related, free = (
            {tuple(row) for row in golden[f"{case}/{kind}/{name}_candidates"].tolist()}
            for name in ("foreground", "background")
        )
        _compare_candidates(checks, f"{case}/{kind}", made, related, free)


def _compare_candidates(
    checks: Checks, there: str, sample: PairSample, related: set[tuple[int, ...]], free: set[tuple[int, ...]]
) -> None:
    """Whatever is drawn: it is among the candidates, within the quotas, and nothing twice."""
    settings = PairSettings()
    rows = np.concatenate([sample.pairs, sample.predicates[:, None]], 1).tolist()
    triples = [tuple(row) for row in rows]
    chosen = [row for row in triples if row[2] != settings.predicates and row[:2] != (0, 0)]
    others = {row[:2] for row in triples if row not in chosen} - {(0, 0)}
    strangers = len(set(chosen) - related) + len(others - free)
    checks.compare_value(f"{there}: pairs that are no candidates", strangers, 0, EXACT)
    within = len(chosen) <= settings.related and len(set(triples)) == len(triples) <= settings.pairs
    checks.compare_value(f"{there}: within the quotas", within, True, EXACT)
