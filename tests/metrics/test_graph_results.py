"""Results of scene graphs as text and as JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dsg.metrics.coco_ap import NAMES, CocoResult
from dsg.metrics.graph_recall import Recall
from dsg.metrics.graph_results import GraphResults, MaskOverlaps


def results_of(**changes: object) -> GraphResults:
    recalls = {
        k: Recall(0.5, 0.75, k / 200, k / 100, math.nan, np.array([k / 100, 0.0, 0.25]))
        for k in (20, 50, 100)
    }
    given = {"setting": "sgcls", "images": 7, "relations": 30, "recalls": recalls}
    given.update(predicates=("above", "below", "near"), counts=np.array([10, 0, 20]), **changes)
    return GraphResults(**given)  # type: ignore[arg-type]


def test_snapshots_are_compared_by_the_mean_recall_at_20() -> None:
    results = results_of()
    assert results.score == results.summary()["mr_20"] == 0.1
    assert results.summary()["mr_released_50"] == 0.5 and results.summary()["ng_r_100"] == 0.75
    assert "zsr_20" not in results.summary()
    assert "mR@20 0.1000" in results.headline() and "zsR@20 -" in results.headline()


def test_the_table_has_the_frequent_predicates_first_and_only_those_that_occur() -> None:
    lines = results_of().table().splitlines()
    assert lines[0] == "sgcls: 7 images, 30 relations, 0 skipped"
    rows = [line.split() for line in lines]
    assert ["mR", "as", "released", "0.2000", "0.5000", "1.0000"] in rows
    start = next(number for number, row in enumerate(rows) if row[:1] == ["predicate"])
    assert [row[0] for row in rows[start + 1 :]] == ["near", "above"]
    assert not any("mask" in line for line in lines)


def test_masks_are_shown_where_they_were_measured() -> None:
    plain, refined = (CocoResult(dict.fromkeys(NAMES, value), {}) for value in (0.25, math.nan))
    overlaps = MaskOverlaps(
        {"base": 5, "novel": 3},
        {"transferred": {"base": 0.8, "novel": 0.6}, "filled": {"base": 0.5, "novel": math.nan}},
    )
    results = results_of(masks=plain, refined=refined, overlaps=overlaps)
    rows = [line.split() for line in results.table().splitlines()]
    assert ["No", "Refine", *["0.2500"] * 6] in rows and ["+", "Refine", *["-"] * 6] in rows
    assert ["transferred", "0.8000", "0.6000"] in rows and ["box", "filled", "0.5000", "-"] in rows
    content = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert content["masks"]["no_refine"]["AP50"] == 0.25 and content["masks"]["refine"]["AP"] is None
    assert content["overlaps"]["iou"]["filled"] == {"base": 0.5, "novel": None}
    assert content["recall"]["20"] == pytest.approx(
        {"R": 0.5, "ng-R": 0.75, "mR": 0.1, "mR_released": 0.2, "zsR": None}
    )
    assert content["predicates"]["near"] == {
        "relations": 20,
        "recall_20": 0.25,
        "recall_50": 0.25,
        "recall_100": 0.25,
    }
    assert results.summary()["iou_transferred_novel"] == 0.6
