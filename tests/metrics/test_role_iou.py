"""The release's IoU: its own results, and the choice of the answer's boxes."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.metrics.role_iou import OBJECT, SUBJECT, answer_boxes, role_iou, selection_iou
from tests.golden import golden
from tests.shared import needs_shared, shared_path

CASES = range(50)


@pytest.mark.parametrize("case", CASES)
def test_golden_cases(case):
    arrays = golden("iou_metric")
    given = {key: arrays[f"{case:02d}/{key}"] for key in ("pred_prob", "pred_class", "gt_labels")}
    subject, object_ = role_iou(
        given["pred_prob"][None],
        arrays[f"{case:02d}/pred_boxes_norm"],
        arrays[f"{case:02d}/gt_boxes_norm"],
        given["gt_labels"][None],
        predicted=given["pred_class"][None],
    )
    assert subject[0] == pytest.approx(float(arrays[f"{case:02d}/sub_iou"]), abs=1e-12)
    assert object_[0] == pytest.approx(float(arrays[f"{case:02d}/obj_iou"]), abs=1e-12)


def check_forward(arrays):
    """The metric at the end of a whole forward pass, all queries at once."""
    subject, object_ = role_iou(
        arrays["cls_prob_gpi"],
        arrays["eval/pred_boxes_norm"],
        arrays["eval/gt_boxes_norm"],
        arrays["input/gt_labels"][:, :, 0],
    )
    np.testing.assert_allclose(subject, arrays["eval/sub_iou"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(object_, arrays["eval/obj_iou"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["forward_res101_generated", "forward_res50_generated"])
def test_golden_forward_passes(name):
    check_forward(golden(name))


@needs_shared("reference")
@pytest.mark.parametrize("name", ["forward_res101_300", "forward_res101_600", "forward_res50_300"])
def test_golden_forward_passes_on_a_photo(name):
    with np.load(shared_path("reference", f"{name}.npz"), allow_pickle=False) as arrays:
        check_forward(arrays)


def one_hot(classes, margin=1.0):
    """Probabilities [1, N, 4] whose argmax is the given classes."""
    probabilities = np.full((len(classes), 4), 0.1)
    probabilities[np.arange(len(classes)), classes] += margin
    return (probabilities / probabilities.sum(axis=1, keepdims=True))[None]


BOXES = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [0, 0.5, 0.5, 1.0]])


@pytest.mark.parametrize("policy", ["always", "if_empty"])
def test_perfect_boxes_score_one(policy):
    roles = np.array([[1, 2, 1]])
    subject, object_ = role_iou(one_hot([1, 2, 1]), BOXES, BOXES, roles, argmax_policy=policy)
    assert subject[0] == object_[0] == 1.0


def test_policies_agree_without_a_labelled_box():
    probabilities = one_hot([0, 3, 3])
    probabilities[0, 1, SUBJECT] = 0.3
    chosen = [answer_boxes(probabilities, SUBJECT, argmax_policy=p) for p in ("always", "if_empty")]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    np.testing.assert_array_equal(chosen[0], [[False, True, False]])


def test_policies_differ_when_the_best_box_is_not_labelled():
    # Box 1 has the largest subject probability of all, and yet a larger object probability.
    probabilities = np.array([[[0.2, 0.4, 0.2, 0.2], [0.0, 0.45, 0.55, 0.0], [1.0, 0, 0, 0]]])
    always = answer_boxes(probabilities, SUBJECT)
    if_empty = answer_boxes(probabilities, SUBJECT, argmax_policy="if_empty")
    np.testing.assert_array_equal(always, [[True, True, False]])
    np.testing.assert_array_equal(if_empty, [[True, False, False]])
    roles = np.array([[1, 2, 0]])
    assert role_iou(probabilities, BOXES, BOXES, roles)[0][0] == 0.5
    assert role_iou(probabilities, BOXES, BOXES, roles, argmax_policy="if_empty")[0][0] == 1.0


def test_first_of_equals_wins():
    probabilities = np.full((1, 3, 4), 0.25)
    np.testing.assert_array_equal(answer_boxes(probabilities, OBJECT), [[True, False, False]])


def test_no_boxes_and_no_truth():
    subject, object_ = role_iou(
        np.zeros((2, 0, 4)), np.zeros((0, 4)), BOXES, np.array([[1, 2, 0], [3, 3, 3]])
    )
    np.testing.assert_array_equal([subject, object_], np.zeros((2, 2)))
    subject, _ = role_iou(one_hot([1, 2, 0]), BOXES, np.zeros((0, 4)), np.zeros((1, 0)))
    assert subject.tolist() == [0.0]


def test_unknown_policy():
    with pytest.raises(ValueError, match="argmax_policy"):
        answer_boxes(np.zeros((1, 1, 4)), SUBJECT, argmax_policy="never")


def test_a_box_in_both_roles():
    masks = (np.array([[True, False, False]]), np.array([[True, True, False]]))
    probabilities = one_hot([1, 2, 0])
    subject, object_ = role_iou(probabilities, BOXES, BOXES, masks)
    assert (subject[0], object_[0]) == (1.0, 0.5)


def test_queries_are_independent():
    rng = np.random.default_rng(1)
    corners = np.sort(rng.random((9, 2, 2)), axis=1).reshape(9, 4)
    probabilities, roles = rng.random((40, 6, 4)), rng.integers(0, 4, (40, 3))
    together = role_iou(probabilities, corners[:6], corners[6:], roles)
    for query in range(40):
        alone = role_iou(probabilities[query, None], corners[:6], corners[6:], roles[query, None])
        assert together[0][query] == alone[0][0] and together[1][query] == alone[1][0]


def test_any_selection_can_be_scored():
    iou = selection_iou(np.array([[True, True, False]]), BOXES, np.array([[True, False, False]]), BOXES)
    assert iou.tolist() == [0.5]
