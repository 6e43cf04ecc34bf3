"""The kinds of a detector's failures, on boxes that are placed for them, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dsg.apps.failures.objects import (
    BACKGROUND,
    BOTH,
    BOX,
    CLASS,
    DUPLICATE,
    MEANINGS,
    MISSED,
    image_outcome,
)
from dsg.apps.failures.objects_report import NamedFailure, ObjectReport, WorstImage
from dsg.datasets.formats.instances import Instances
from dsg.models.detector.predictions import Detected

DOG, CAT = 1, 2
LEFT, RIGHT = (0, 0, 20, 20), (60, 0, 80, 20)  # a dog, a cat
NEAR_LEFT, NEAR_RIGHT = (10, 0, 30, 20), (70, 0, 90, 20)  # a third of both overlaps
NOWHERE = (0, 60, 20, 80)


def record(hard: tuple[bool, bool] = (False, False), crowd: bool = False) -> Instances:
    flags = np.array(hard), np.zeros(2, bool)
    return Instances(
        *("photo", Path("photo.png"), 100, 100),
        boxes=np.array([LEFT, RIGHT], np.float32),
        classes=np.array([DOG, CAT], np.int32),
        difficult=flags[int(crowd)],
        crowd=flags[1 - int(crowd)],
    )


def found(*boxes: tuple[tuple[int, ...], int], scores: tuple[float, ...] = ()) -> Detected:
    return Detected(
        np.array([box for box, _ in boxes], np.float32).reshape(-1, 4),
        np.array([number for _, number in boxes], np.int32),
        np.array(scores or 0.9 - 0.01 * np.arange(len(boxes)), np.float32),
    )


@pytest.mark.parametrize(
    ("detections", "right", "kinds"),
    [
        ([(LEFT, DOG), (RIGHT, CAT)], 2, []),
        ([], 0, [(MISSED, None, 0), (MISSED, None, 1)]),
        ([(LEFT, DOG), (LEFT, DOG), (RIGHT, CAT)], 2, [(DUPLICATE, 1, 0)]),
        ([(LEFT, CAT), (RIGHT, CAT)], 1, [(CLASS, 0, 0)]),  # the dog is found, as something else
        ([(NEAR_LEFT, DOG), (RIGHT, CAT)], 1, [(BOX, 0, 0)]),
        ([(NEAR_LEFT, CAT), (RIGHT, CAT)], 1, [(BOTH, 0, 0), (MISSED, None, 0)]),
        ([(NOWHERE, DOG), (LEFT, DOG), (RIGHT, CAT)], 2, [(BACKGROUND, 0, None)]),
        ([(NEAR_RIGHT, CAT), (RIGHT, CAT), (LEFT, DOG)], 2, [(BOX, 0, 1)]),  # a bad box takes no object
    ],
)
def test_kinds(detections: list, right: int, kinds: list) -> None:
    outcome = image_outcome(record(), found(*detections), score=0.5)
    assert (outcome.right, outcome.objects) == (right, 2)
    assert [(one.kind, one.detection, one.object) for one in outcome.failures] == kinds
    for one in outcome.failures:
        expected = {MISSED: 1 / 3 if (BOTH, 0, 0) in kinds else 0, BOX: 1 / 3, BOTH: 1 / 3, BACKGROUND: 0}
        assert one.iou == pytest.approx(expected.get(one.kind, 1))


def test_the_better_detection_has_the_object_whatever_overlaps_more() -> None:
    shifted = (2, 0, 22, 20)
    outcome = image_outcome(record(), found((shifted, DOG), (LEFT, DOG), (RIGHT, CAT)), score=0.5)
    assert [one.kind for one in outcome.failures] == [DUPLICATE] and outcome.right == 2


def test_detections_below_the_score_do_not_count() -> None:
    detected = found((LEFT, DOG), (NOWHERE, CAT), scores=(0.6, 0.4))
    assert [one.kind for one in image_outcome(record(), detected, score=0.5).failures] == [MISSED]
    assert len(image_outcome(record(), detected, score=0.3).failures) == 2


def test_a_stricter_overlap() -> None:
    outcome = image_outcome(record(), found(((5, 0, 20, 20), DOG), (RIGHT, CAT)), score=0.5, on=0.9)
    assert [one.kind for one in outcome.failures] == [BOX]


@pytest.mark.parametrize("crowd", [False, True])
def test_what_does_not_count_is_no_failure(crowd: bool) -> None:
    image = record((True, False), crowd)
    both = found((LEFT, DOG), (LEFT, DOG), (RIGHT, CAT))
    assert image_outcome(image, both, score=0.5) == ((), 1, 1)
    assert image_outcome(image, found((RIGHT, CAT)), score=0.5).failures == ()  # nor is it missed
    small = image_outcome(image, found(((5, 5, 10, 10), DOG), (RIGHT, CAT)), score=0.5)
    assert [one.kind for one in small.failures] == ([] if crowd else [BACKGROUND])  # one of many


def test_the_report() -> None:
    failures = (
        NamedFailure("a.png", CLASS, "cat", "dog", 0.9, 0.8, (0.0, 0.0, 5.0, 5.0)),
        NamedFailure("a.png", MISSED, "", "<owl>", None, 0.0, (0.0, 0.0, 5.0, 5.0)),
        NamedFailure("b.png", CLASS, "cat", "dog", 0.8, 0.7, (0.0, 0.0, 5.0, 5.0)),
        NamedFailure("b.png", CLASS, "dog", "cat", 0.7, 0.6, (0.0, 0.0, 5.0, 5.0)),
    )
    report = ObjectReport("mine on shapes test", 0.5, 0.5, 7, 12, 8, "AP 0.5", failures, {"c.png": "damaged"})
    assert report.counts() == {**dict.fromkeys(MEANINGS, 0), CLASS: 3, MISSED: 1}
    assert report.confusions() == [("dog", "cat", 2), ("cat", "dog", 1)]
    assert json.loads(json.dumps(report.to_json()))["failed"][CLASS] == 3
    text = report.to_markdown()
    assert "8 of 12 objects in 7 images are found, with 11 detections" in text
    assert "| wrong class | 3 | 75.0% |" in text and "| dog | cat | 2 |" in text
    page = report.to_html([WorstImage("<a>.png", Path("absent.png"), failures[:2])])
    assert page.startswith("<!DOCTYPE html>") and "c.png: damaged" in page
    assert "wrong class: cat 0.90, dog at IoU 0.80\nmissed: &lt;owl&gt;" in page and "<owl>" not in page
    assert WorstImage("a.png", Path(), failures[:2]).title == "a.png: 1 missed, 1 wrong class"
    empty = ObjectReport("none", 0.5, 0.5, 0, 0, 0, "", (), {})
    assert "0 of 0 objects" in empty.to_markdown() and "Images with" not in empty.to_html([])
