"""The class of a failed answer, on boxes that are placed for it."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dsg.apps.failures.classes import CLASSES, PUBLISHED, Side, failure_classes
from dsg.apps.failures.report import Failure, FailureReport, draw_report

GT = np.array([[0, 0, 19, 19], [40, 0, 59, 19], [80, 0, 99, 19]], np.float32)  # asked for: the first two
NOWHERE = np.array([[200, 200, 219, 219]], np.float32)
BACKGROUND, SUBJECT, OBJECT, OTHER = range(4)


def side(boxes, chosen, roles, *, categories=(0, 0, 0), true=(True, True, False), proposals=None) -> Side:
    boxes = np.asarray(boxes, np.float32)
    return Side(
        proposals=boxes if proposals is None else np.asarray(proposals, np.float32),
        boxes=boxes,
        chosen=np.array(chosen, bool),
        roles=None if roles is None else np.array(roles),
        categories=None if categories is None else np.array(categories),
        gt_boxes=GT,
        gt_categories=np.array([0, 0, 0]),
        true=np.array(true),
        category=0,
    )


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (side(np.repeat(NOWHERE, 3, 0), [1, 0, 0], [SUBJECT, 0, 0]), ("detector",)),
        (side(GT + 15, [1, 0, 0], [SUBJECT, 0, 0]), ("detector",)),
        (side(GT, [0, 0, 0], [OTHER, BACKGROUND, OTHER]), ("misclassified",)),
        (side(GT, [0, 0, 1], [OTHER, OTHER, SUBJECT]), ("misclassified", "relation")),
        (side(GT, [0, 0, 1], [OTHER, OTHER, SUBJECT], categories=(0, 0, 7)), ("misclassified",)),
        (side(GT, [0, 0, 1], [OBJECT, OTHER, SUBJECT]), ("relation",)),
        (side(GT, [1, 0, 0], [SUBJECT, OTHER, OTHER]), ("multiplicity",)),
        (side(GT, [1, 1, 1], [SUBJECT, SUBJECT, SUBJECT]), ("multiplicity",)),
        (side(GT, [1, 1, 0], [SUBJECT, SUBJECT, OTHER]), ("other",)),  # all right: it is the boxes' edges
        (side(GT, [0, 0, 1], [OBJECT, OTHER, SUBJECT], categories=(1, 1, 1)), ("other",)),
    ],
)
def test_classes(example, expected):
    assert failure_classes(example) == expected


def test_without_role_classes_what_was_not_chosen_is_unnamed():
    assert failure_classes(side(GT, [0, 0, 1], None)) == ("misclassified", "relation")
    assert failure_classes(side(GT, [1, 0, 0], None)) == ("multiplicity",)


def test_without_labels_a_box_has_the_category_of_the_box_it_is_on():
    assert failure_classes(side(GT, [0, 0, 1], [OBJECT, OTHER, SUBJECT], categories=None)) == ("relation",)
    moved = np.concatenate([GT[:2], NOWHERE])
    assert failure_classes(side(moved, [0, 0, 1], [OBJECT, OTHER, SUBJECT], categories=None)) == ("other",)


def test_detection_is_the_proposals_and_not_the_refined_boxes():
    found = side(GT, [1, 0, 0], [SUBJECT, OTHER, OTHER], proposals=np.repeat(NOWHERE, 3, 0))
    assert failure_classes(found) == ("detector",)


def test_an_image_without_proposals():
    nothing = side(np.zeros((0, 4)), [], [], categories=())
    assert failure_classes(nothing) == ("detector",)


def test_the_report_counts_and_draws(tmp_path):
    failures = (
        Failure("a.png", "cat - on - mat", "subject", 0.1, True, ("misclassified", "relation")),
        Failure("a.png", "cat - on - mat", "object", 0.0, True, ("detector",)),
        Failure("b.png", "cat - on - mat", "object", 0.4, False, ("multiplicity",)),
        Failure("b.png", "mat - on - cat", "object", 0.4, False, ("multiplicity",)),
    )
    report = FailureReport("mine on shapes test", 0.5, 20, 8, failures)
    assert report.shares() == dict(zip(CLASSES, (0.25, 0.25, 0, 0.5, 0)))
    assert report.shares(True)["detector"] == 0.5
    found = json.loads(json.dumps(report.to_json()))
    assert found["failed"]["all"]["fitting"]["relation"] == 1
    assert found["failed"]["ambiguous"]["count"] == 2 and len(found["failures"]) == 4
    text = report.to_markdown()
    assert "4 of 20 subjects and objects (20.0%)" in text
    assert "| relation | 0 | 0.0% | 0.0% | 1 | 16.6% |" in text
    draw_report(report, tmp_path / "bars.png")
    assert cv2.imread(str(tmp_path / "bars.png")).shape[1] > 600
    draw_report(replace(report, about="$^$ on caf\udce9 test"), tmp_path / "bars.png")
    empty = FailureReport("none", 0.5, 0, 0, ())
    assert set(empty.shares().values()) == {0} and "0 of 0" in empty.to_markdown()
    assert sum(PUBLISHED.values()) == pytest.approx(1, abs=0.01)
