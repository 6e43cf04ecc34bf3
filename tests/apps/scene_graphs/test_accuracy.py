"""Which labels of a decoded graph count, and which of them are right."""

from __future__ import annotations

import json
import math

import numpy as np

from dsg.apps.scene_graphs.accuracy import Accuracy, accuracy_table, graph_accuracy

GT = np.array([[0, 0, 39, 39], [60, 0, 99, 39], [0, 60, 39, 99]], np.float32)
CATEGORIES = np.array([0, 1, 2])
TRIPLES = np.array(
    [[0, 0, 1], [0, 1, 1], [1, 2, 0], [2, 0, 2]]
)  # two predicates from 0 to 1, one of 2 to itself


def one_hot(indices, count) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[np.asarray(indices)]


def test_perfect_labels_are_all_right_and_unmatched_boxes_do_not_count():
    boxes = np.concatenate([GT, GT[:1] + 20])  # the last overlaps a truth by a third
    predicates = one_hot(np.zeros((4, 4), int), 3)
    predicates[1, 0] = [0, 0, 1]
    found = graph_accuracy(one_hot([0, 1, 2, 0], 3), predicates, boxes, GT, CATEGORIES, TRIPLES)
    assert found == Accuracy(3, 3, 2, 2, proposals=4, images=1)
    assert found.entity_accuracy == found.relation_accuracy == 1.0


def test_any_annotated_predicate_is_right_and_others_are_wrong():
    predicates = one_hot(np.full((3, 3), 1), 3)  # second of the two from 0 to 1; wrong from 1 to 0
    found = graph_accuracy(one_hot([0, 0, 2], 3), predicates, GT, GT, CATEGORIES, TRIPLES)
    assert (found.entities_right, found.entities) == (2, 3)
    assert (found.relations_right, found.relations) == (1, 2)


def test_two_proposals_of_one_box_are_asked_for_both_and_not_for_each_other():
    boxes = GT[[0, 0, 1]]
    predicates = one_hot(np.zeros((3, 3), int), 3)
    found = graph_accuracy(one_hot([0, 0, 1], 3), predicates, boxes, GT, CATEGORIES, TRIPLES)
    assert (found.entities, found.relations, found.relations_right) == (3, 4, 2)


def test_the_threshold_decides():
    boxes = GT + np.array([0, 0, 8, 0], np.float32)  # IoU 40 / 48

    def counted(threshold: float) -> int:
        labels, relations = one_hot([0, 1, 2], 3), np.zeros((3, 3, 3))
        return graph_accuracy(labels, relations, boxes, GT, CATEGORIES, TRIPLES, threshold=threshold).entities

    assert (counted(0.83), counted(0.84)) == (3, 0)


def test_images_add_up_and_nothing_is_no_number():
    empty = graph_accuracy(np.zeros((0, 3)), np.zeros((0, 0, 3)), np.zeros((0, 4)), GT, CATEGORIES, TRIPLES)
    assert math.isnan(empty.entity_accuracy) and math.isnan(empty.relation_accuracy)
    total = sum([Accuracy(1, 2, 3, 4, 5, 1), Accuracy(2, 2, 0, 1, 3, 1)], empty)
    assert total == Accuracy(3, 4, 3, 5, 8, 3)
    assert json.loads(json.dumps(total.to_json()))["entities"] == {"right": 3, "count": 4, "accuracy": 0.75}
    text = accuracy_table(total, "mine on shapes test")
    assert "| entities | 3 | 4 | 75.0% | 76% |" in text and "| relations | 3 | 5 | 60.0% | 70% |" in text
    assert "| entities | 0 | 0 | - | 76% |" in accuracy_table(empty, "none")
