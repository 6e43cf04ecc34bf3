"""Accuracy of the most probable boxes, what limits it, and how it is reported."""

from __future__ import annotations

import doctest
import json
import math

import numpy as np
import pytest

from dsg.metrics.box_accuracy import (
    ANSWER,
    AT_HALF,
    BEST_BOX,
    BEST_PROPOSAL,
    CASES,
    MEAN,
    ROLES,
    THRESHOLDS,
    TRUE_BOXES,
    ImageBoxes,
    accuracies,
    box_overlaps,
)
from dsg.metrics.evaluation import Evaluator
from dsg.metrics.report import format_table, query_rows
from dsg.metrics.results import EvaluationResults
from tests.properties import given, st
from tests.shared import ROOT

seeds = st.integers(0, 2**32 - 1)


def some_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 12, (count, 2))
    return np.concatenate([corner, corner + rng.integers(1, 9, (count, 2))], axis=1).astype(np.float32)


def some_image(seed: int, queries: int = 4) -> ImageBoxes:
    """Boxes that touch often; some queries have no pair, some no answer, a few images no boxes."""
    rng = np.random.default_rng(seed)
    count, truths = int(rng.integers(0, 6)), int(rng.integers(1, 5))
    truth = some_boxes(rng, truths)
    near = truth[rng.integers(0, truths, count)] + rng.integers(-1, 2, (count, 4)).astype(np.float32)
    pairs = np.stack([rng.integers(0, limit, 6) for limit in (queries, truths, truths)], axis=1)
    top = rng.integers(-1, count, (2, queries)) if count else np.full((2, queries), -1)
    return ImageBoxes(near, some_boxes(rng, int(rng.integers(0, 6))), truth, top, pairs)


def overlap(first: np.ndarray, second: np.ndarray, beyond: int) -> float:
    sides = [min(first[i + 2], second[i + 2]) - max(first[i], second[i]) + beyond for i in (0, 1)]
    areas = [float((b[2] - b[0] + beyond) * (b[3] - b[1] + beyond)) for b in (first, second)]
    inside = float(max(sides[0], 0) * max(sides[1], 0))
    outside = sum(areas) - inside
    return inside / outside if outside > 0 else 0.0


def in_loops(image: ImageBoxes, beyond: int) -> np.ndarray:
    """`box_overlaps`, box by box."""
    found = np.zeros((4, 3, image.top.shape[1]))
    for query, *pair in image.pairs:
        reached = np.zeros((4, 2))
        for role, truth in enumerate(image.truth[pair]):
            every = [overlap(box, truth, beyond) for box in image.boxes]
            reached[1, role] = max(every, default=0)
            reached[2, role] = max((overlap(box, truth, beyond) for box in image.proposals), default=0)
            chosen = image.top[role, query]
            if chosen < 0:
                continue
            reached[0, role] = reached[3, role] = every[chosen]
            covered = [overlap(image.boxes[chosen], box, beyond) for box in image.truth]
            if max(covered) > 0:
                nearest = image.truth[covered.index(max(covered))]
                reached[3, role] = max(every[chosen], overlap(nearest, truth, beyond))
        for case in range(4):
            values = (*reached[case], min(reached[case]))
            found[case, :, query] = np.maximum(found[case, :, query], values)
    return found


def test_the_documented_examples() -> None:
    result = doctest.testfile(str(ROOT / "docs" / "metrics.md"), module_relative=False)
    assert result.attempted > 20 and not result.failed


@given(seed=seeds, inclusive=st.booleans())
def test_against_loops(seed: int, inclusive: bool) -> None:
    image = some_image(seed)
    np.testing.assert_allclose(
        box_overlaps(image, inclusive=inclusive), in_loops(image, int(inclusive)), rtol=1e-12
    )


@given(seed=seeds)
def test_no_answer_is_better_than_what_limits_it(seed: int) -> None:
    found = dict(zip(CASES, box_overlaps(some_image(seed), inclusive=False)))
    assert (found[ANSWER] <= found[BEST_BOX]).all() and (found[ANSWER] <= found[TRUE_BOXES]).all()
    for one in found.values():
        assert (one[2] <= np.minimum(one[0], one[1])).all() and (one >= 0).all() and (one <= 1).all()


@given(seed=seeds)
def test_exclusive_widths_do_not_depend_on_the_scale(seed: int) -> None:
    image = some_image(seed)
    scale = np.array([3, 7, 3, 7], np.float32)
    larger = image._replace(**{key: getattr(image, key) * scale for key in ("boxes", "proposals", "truth")})
    np.testing.assert_allclose(
        box_overlaps(larger, inclusive=False), box_overlaps(image, inclusive=False), rtol=1e-9
    )


def test_a_perfect_model() -> None:
    truth = np.array([[0, 0, 9, 9], [0, 0, 4, 4], [20, 1, 30, 8]], np.float32)
    pairs = np.array([[0, 0, 1], [0, 2, 1], [1, 1, 2]])
    image = ImageBoxes(truth, truth, truth, np.array([[2, 1], [1, 2]]), pairs)
    for inclusive in (False, True):
        assert (box_overlaps(image, inclusive=inclusive) == 1).all()


def test_without_queries_boxes_or_truth() -> None:
    nothing, box = np.zeros((0, 4)), np.array([[0, 0, 9, 9]])
    none = np.zeros((0, 3), int)
    assert box_overlaps(ImageBoxes(box, box, nothing, np.zeros((2, 0), int), none), inclusive=True).shape == (
        4,
        3,
        0,
    )
    unfound = ImageBoxes(nothing, nothing, box, np.full((2, 1), -1), np.array([[0, 0, 0]]))
    assert not box_overlaps(unfound, inclusive=True).any()


def some_split(seed: int = 0, images: int = 9) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Overlaps, images and names of so many queries, of which one image has none."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, images)
    counts[2] = 0
    image = np.repeat(np.arange(images), counts)
    # Multiples of 1/20, so that some are on the thresholds.
    overlaps = rng.integers(0, 21, (4, 3, len(image))) / 20
    return overlaps, image, [f"{number}.png" for number in rng.permutation(images)]


def test_shares_in_loops() -> None:
    overlaps, image, names = some_split()
    found = accuracies(overlaps, image, names)
    for case, of_case in zip(CASES, overlaps):
        for role, values in zip(ROLES, of_case):
            shares = [sum(value >= t for value in values) / len(values) for t in THRESHOLDS]
            assert found[case][role][AT_HALF].share == pytest.approx(shares[0])
            assert found[case][role][MEAN].share == pytest.approx(sum(shares) / 10)
            assert shares == sorted(shares, reverse=True)
            for one in found[case][role].values():
                assert one.low <= one.share <= one.high
    assert THRESHOLDS[0] == 0.5 and THRESHOLDS[-1] == 0.95 and len(THRESHOLDS) == 10


def test_the_order_of_images_does_not_matter() -> None:
    overlaps, image, names = some_split()
    order = np.random.default_rng(1).permutation(len(names))  # a name's new place
    moved = np.argsort(order[image], kind="stable")
    renamed = [names[old] for old in np.argsort(order)]
    assert accuracies(overlaps[:, :, moved], order[image][moved], renamed) == accuracies(
        overlaps, image, names
    )


def test_larger_overlaps_are_never_less_accurate() -> None:
    overlaps, image, names = some_split()
    better = accuracies(np.minimum(overlaps + 0.1, 1), image, names)
    worse = accuracies(overlaps, image, names)
    for case in CASES:
        for role in ROLES:
            for at in (AT_HALF, MEAN):
                assert better[case][role][at].share >= worse[case][role][at].share


def test_one_image_has_no_interval_and_none_has_no_share() -> None:
    one = accuracies(np.ones((4, 3, 2)), np.array([1, 1]), ["a", "b"])[ANSWER]["both"][AT_HALF]
    assert one.share == 1 and math.isnan(one.low) and str(one) == "1.000"
    none = accuracies(np.zeros((4, 3, 0)), np.zeros(0, int), ["a"])[ANSWER]["both"][AT_HALF]
    assert math.isnan(none.share) and str(none) == "-"


def evaluated(images: int = 3) -> EvaluationResults:
    evaluator = Evaluator(("left", "right"), ("cat", "dog"))
    for number in range(images):
        image = some_image(number, queries=2)
        evaluator.add_image(
            f"{number}.png",
            np.zeros((2, 3), int),
            np.zeros(2, bool),
            None,
            image.boxes / 32.0,
            image.truth / 32.0,
            np.zeros((2, len(image.truth)), int),
            selections=(np.zeros((2, len(image.boxes)), bool),) * 2,
            answers=image,
        )
    return evaluator.results()


def test_results_hold_them() -> None:
    results = evaluated()
    expected = [
        box_overlaps(some_image(number, queries=2), inclusive=inclusive)
        for inclusive in (False, True)
        for number in range(3)
    ]
    for place, counting in enumerate(("exclusive", "inclusive")):
        np.testing.assert_array_equal(
            results.columns.boxes[counting], np.concatenate(expected[3 * place : 3 * place + 3], axis=2)
        )
    stored = json.loads(json.dumps(results.to_json(), allow_nan=False))["box_accuracy"]
    found = results.box_accuracy("inclusive")
    assert found is not None
    assert stored["inclusive"]["all"][BEST_PROPOSAL]["object"][MEAN] == {
        "accuracy": found[BEST_PROPOSAL]["object"][MEAN].share,
        "interval": [found[BEST_PROPOSAL]["object"][MEAN].low, found[BEST_PROPOSAL]["object"][MEAN].high],
    }
    assert stored["exclusive"]["ambiguous"][ANSWER]["both"][AT_HALF] == {
        "accuracy": None,
        "interval": [None, None],
    }
    assert stored["bootstrap"]["over"] == "images" and stored["thresholds"] == list(THRESHOLDS)


def test_table_and_lines_show_them_briefly() -> None:
    results = evaluated()
    found = results.box_accuracy()
    assert found is not None
    lines = format_table(results).splitlines()
    row = next(line for line in lines if line.startswith("right at IoU 0.5 "))
    assert all(str(found[ANSWER][role][AT_HALF]) in row for role in ROLES)
    assert max(map(len, lines)) <= 110 and len(lines) <= 24
    for query, line in enumerate(query_rows(results)):
        assert [line[f"box_{role}_iou"] for role in ROLES] == results.columns.boxes["exclusive"][
            0, :, query
        ].tolist()


def test_systems_without_boxes_have_none() -> None:
    results = Evaluator(("left",)).results()
    assert results.box_accuracy() is None and results.to_json()["box_accuracy"] is None
    assert "most probable box" not in format_table(results)
