"""The filters of ss against loops over the formula, and what they look like."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.models.baselines.statistic import shift_filters
from tests.small_dataset import SIZES, make_record


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return [make_record(folder, number, size) for number, size in enumerate(SIZES)]


def expected(records, predicate, size, units):
    """Means over the relationships, cell by cell."""
    found = []
    for record in records:
        for subject, kind, object_ in record.triples:
            if kind != predicate:
                continue
            centres = []
            for entity in (subject, object_):
                x1, y1, x2, y2 = (float(value) for value in record.boxes[entity])
                centre = np.array([(y1 + y2) / 2, (x1 + x2) / 2])
                if units == "cells":
                    centre *= 14 / np.array([record.height, record.width])
                centres.append(centre)
            v = centres[1] - centres[0]
            scores = np.zeros((size, size))
            for i in range(size):
                for j in range(size):
                    u = np.array([i - size / 2, j - size / 2])
                    longest = max(np.linalg.norm(u), np.linalg.norm(v))
                    scores[i, j] = (v @ u) / (1e-7 + longest) ** 2
            found.append(scores)
    return np.mean(found, axis=0)


@pytest.mark.parametrize("units", ["cells", "pixels"])
def test_filters_are_mean_scores(records, units) -> None:
    forward, inverse = shift_filters(records, 4, 10, units)
    assert forward.shape == inverse.shape == (4, 10, 10) and forward.dtype == np.float32
    for predicate in range(3):
        np.testing.assert_allclose(forward[predicate], expected(records, predicate, 10, units), atol=1e-6)
    np.testing.assert_allclose(inverse[:3], -forward[:3], atol=1e-7)


def test_predicates_never_seen_keep_maps_as_they_are(records) -> None:
    identity = np.zeros((10, 10), np.float32)
    identity[5, 5] = 1.0
    for filters in shift_filters(records, 5, 10):
        np.testing.assert_array_equal(filters[3], identity)
        np.testing.assert_array_equal(filters[4], identity)
    assert not shift_filters([], 2, 4)[0][:, 0].any()
