"""Scores of maps in both conventions, what each of them asks, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dsg.datasets import ImageRecord, ambiguous
from dsg.datasets.records import Vocabulary
from dsg.datasets.roidb import build_record
from dsg.errors import UserError
from dsg.metrics.evaluation import ROLE_CONFLICTS
from dsg.metrics.maps import kl_divergence, map_metrics
from dsg.metrics.report import query_rows
from dsg.models.baselines.report import map_table
from dsg.models.baselines.scores import MapEvaluator, asked, true_maps

VOCABULARY = Vocabulary(("cat", "dog"), ("left", "on"))


def mention(category: int, x1: int, y1: int, x2: int, y2: int) -> dict:
    return {"category": category, "bbox": [y1, y2, x1, x2]}


CAT, OTHER_CAT, DOG = mention(0, 10, 10, 60, 60), mention(0, 80, 80, 130, 130), mention(1, 70, 0, 100, 25)


def record(name: str = "a.jpg") -> ImageRecord:
    """<cat left dog>, and a cat on itself."""
    return record_of([(CAT, 0, DOG), (OTHER_CAT, 1, OTHER_CAT), (DOG, 0, CAT)], name)


def record_of(relations: list[tuple[dict, int, dict]], name: str = "a.jpg") -> ImageRecord:
    """140 x 140 pixels, so that cells end at every tenth."""
    relationships = [{"subject": s, "predicate": r, "object": o} for s, r, o in relations]
    rng = np.random.RandomState(0)

    def report(*fault: object) -> None:
        pytest.fail(str(fault))

    return build_record(name, Path(name), (140, 140), relationships, VOCABULARY, rng, report, keep_self=True)


def evaluator(**options) -> MapEvaluator:
    return MapEvaluator(VOCABULARY.predicates, VOCABULARY.objects, **options)


def zeros(one: ImageRecord) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(one.queries)), np.zeros(len(one.queries))


def as_maps(masks: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return masks[0].astype(np.float32), masks[1].astype(np.float32)


def test_relations_to_oneself_are_asked_in_rr_only() -> None:
    one = record()
    assert one.queries.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert asked(one, "rr").tolist() == [True] * 3 and asked(one, "dsg").tolist() == [True, False, True]
    np.testing.assert_array_equal(true_maps(one, "rr")[0][1], true_maps(one, "rr")[1][1])
    assert true_maps(one, "rr")[0].sum(1).tolist() == [36, 36, 12]
    assert true_maps(one, "dsg")[0].sum(1).tolist() == [25, 0, 9]


def test_a_box_may_be_subject_and_object_where_both_roles_count() -> None:
    """Of three things in a row the middle one has both; a relation to itself gives none."""
    boxes = [mention(0, 10 + 40 * place, 10, 40 + 40 * place, 40) for place in range(3)]  # nine cells each
    one = record_of([(boxes[0], 0, boxes[1]), (boxes[1], 0, boxes[2]), (boxes[2], 0, boxes[2])])
    assert one.queries.tolist() == [[0, 0, 0]]
    cells = {conflict: true_maps(one, "dsg", role_conflict=conflict) for conflict in ROLE_CONFLICTS}
    assert [one.sum() for one in cells["both"]] == [18, 18]
    assert sum(one.sum() for one in cells["last_wins"]) == 27
    for conflict, iou in (("last_wins", 0.5), ("both", 1.0)):
        made = evaluator(role_conflict=conflict)
        made.add_image(one, as_maps(cells["both"]), zeros(one))
        scores = made.results().scores("dsg")
        assert min(scores.subject.mean, scores.object.mean) == pytest.approx(iou)


def test_perfect_maps_and_none() -> None:
    one, made = record(), evaluator()
    iou = made.add_image(one, as_maps(true_maps(one, "rr")), zeros(one))
    np.testing.assert_allclose(iou, 1.0)
    results = made.results()
    assert results.scores("rr").queries == 3 and results.scores("dsg").queries == 2
    assert results.scores("rr").subject.mean == pytest.approx(1.0)
    # The same maps against boxes without the cell in which they end.
    assert results.scores("dsg").subject.mean == pytest.approx((25 / 36 + 9 / 12) / 2)
    assert results.scores("rr", ambiguous=True).queries == ambiguous(one).sum() == 3
    assert results.measure("rr", "kl")[0].mean < 1e-5

    nothing = evaluator()
    nothing.add_image(one, (np.zeros((3, 196)), np.zeros((3, 196))), zeros(one))
    found = nothing.results()
    assert found.scores("rr").object.mean == 0 and 5 < found.measure("rr", "kl")[1].mean < 100


def test_kl_of_equal_maps() -> None:
    maps = np.random.default_rng(0).random((20, 196))
    assert kl_divergence(maps, maps).max() < 1e-5


def test_every_measure_is_the_mean_over_samples() -> None:
    rng = np.random.default_rng(0)
    made, targets, found = evaluator(), [], []
    for number in range(3):
        one = record(f"{number}.jpg")
        maps = (rng.random((3, 196)), rng.random((3, 196)))
        made.add_image(one, maps, (np.full(3, 0.5), np.full(3, 1.0 + number)))
        targets.append(true_maps(one, "rr")[1])
        found.append(maps[1])
    results = made.results()
    assert results.loss == pytest.approx(0.5 + 2.0)
    expected = map_metrics(np.concatenate(targets), np.concatenate(found))
    assert set(results.measures["rr"]) == set(results.measures["dsg"]) == set(expected)
    for name, values in expected.items():
        assert results.measure("rr", name)[1].mean == pytest.approx(values.mean())
    assert results.summary()["rr_object_kl"] == pytest.approx(expected["kl"].mean())
    assert results.summary()["rr_object_iou"] == pytest.approx(expected["iou_0.5"].mean())


def test_snapshots_are_chosen_by_loss_or_iou() -> None:
    one = record()
    scores = {}
    for select in ("loss", "iou"):
        made = evaluator(select=select)
        made.add_image(one, as_maps(true_maps(one, "dsg")), (np.full(3, 0.25), np.full(3, 0.5)))
        scores[select] = made.results().score
    assert scores == pytest.approx({"loss": -0.75, "iou": 1.0})


def test_the_remainder_may_be_dropped() -> None:
    counts = {}
    for drop in (False, True):
        made = evaluator(drop_remainder=drop)
        for number in range(6):  # 18 queries
            one = record(f"{number}.jpg")
            made.add_image(one, as_maps(true_maps(one, "rr")), zeros(one))
        counts[drop] = made.results().queries, len(made.results().losses[0])
    assert counts == {False: (18, 18), True: (16, 16)}


def test_reports_are_complete_and_json() -> None:
    one, made = record(), evaluator()
    made.add_image(one, as_maps(true_maps(one, "rr")), zeros(one))
    made.skip("b.jpg", "no such image")
    results = made.results()
    text = map_table(results)
    for part in ("3 queries", "1 skipped", "IoU at 0.3", "recall at 0.6", "KL", "CC", "SIM", "(rr)", "(dsg)"):
        assert part in text
    values = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert values["maps"]["rr"]["sim"]["all"]["subject"]["mean"] >= 0
    assert values["maps"]["dsg"]["iou_0.5"]["unambiguous"]["object"]["mean"] is None
    assert values["iou"]["rr"]["all"]["queries"] == 3
    rows = json.loads(json.dumps(list(query_rows(results)), allow_nan=False))
    assert rows[1]["subject_iou"] is None and rows[1]["rr_subject_iou"] == pytest.approx(1.0)
    empty = evaluator().results()
    assert empty.queries == 0 and json.dumps(empty.to_json(), allow_nan=False) and map_table(empty)


def test_maps_that_are_not_finite() -> None:
    one = record()
    maps = (np.full((3, 196), np.nan), np.zeros((3, 196)))
    with pytest.raises(UserError, match="not finite"):
        evaluator().add_image(one, maps, zeros(one))
