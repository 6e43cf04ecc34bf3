"""Adding up an evaluation, and the ways it is reported."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from dsg.errors import UserError
from dsg.metrics.evaluation import Evaluator
from dsg.metrics.report import format_table, query_rows, write_queries
from dsg.metrics.results import Mean
from dsg.metrics.role_iou import role_iou

PREDICATES = ("left", "right", "on")
ENTITIES = ("cat", "dog")


def random_image(rng, queries=5, boxes=6, truths=4):
    """Keyword arguments of `add_image` for an image of random content."""

    def random_boxes(count):
        return np.sort(rng.random((count, 2, 2)), axis=1).reshape(count, 4)

    roles = rng.integers(0, 4, (queries, truths))
    return {
        "queries": np.stack([rng.integers(0, n, queries) for n in (2, 3, 2)], axis=1),
        "ambiguous": rng.random(queries) < 0.4,
        "probabilities": rng.dirichlet(np.ones(4), (queries, boxes)),
        "boxes_norm": random_boxes(boxes),
        "gt_boxes_norm": random_boxes(truths),
        "gt_roles": roles,
        "subject_masks": roles == 1,
        "object_masks": (roles == 2) | (roles == 1),
        "proposals_norm": random_boxes(boxes),
        "image_size": (480, 320),
    }


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {f"{i}.png": random_image(rng, queries=int(rng.integers(1, 9))) for i in range(12)}


@pytest.fixture
def results(images):
    evaluator = Evaluator(PREDICATES, ENTITIES)
    for name, image in images.items():
        evaluator.add_image(name, **image)
    evaluator.skip("broken.png", "not an image")
    return evaluator.results()


def test_micro_average_with_standard_error(images, results):
    pairs = [
        role_iou(i["probabilities"], i["boxes_norm"], i["gt_boxes_norm"], i["gt_roles"])
        for i in images.values()
    ]
    subject = np.concatenate([pair[0] for pair in pairs])
    object_ = np.concatenate([pair[1] for pair in pairs])
    scores = results.scores()
    assert scores.queries == len(subject) == results.queries
    assert scores.subject.mean == pytest.approx(subject.mean())
    assert scores.object.stderr == pytest.approx(object_.std(ddof=1) / math.sqrt(len(object_)))
    assert results.score == pytest.approx((subject.mean() + object_.mean()) / 2)


def test_rr_set_uses_its_cells_and_both_roles(images, results):
    subject, object_ = zip(
        *(
            role_iou(
                i["probabilities"],
                i["boxes_norm"],
                i["gt_boxes_norm"],
                (i["subject_masks"], i["object_masks"]),
                raster="rr",
            )
            for i in images.values()
        )
    )
    scores = results.scores("rr")
    assert scores.subject.mean == pytest.approx(np.concatenate(subject).mean())
    assert scores.object.mean == pytest.approx(np.concatenate(object_).mean())
    assert scores.object.mean != results.scores("dsg").object.mean


def test_rr_boxes_of_the_original_image(images):
    image = images["0.png"]
    evaluator = Evaluator(PREDICATES)
    image["gt_boxes_norm_rr"] = image["boxes_norm"][: len(image["gt_boxes_norm"])]
    evaluator.add_image("0.png", **image)
    expected = role_iou(
        image["probabilities"],
        image["boxes_norm"],
        image["gt_boxes_norm_rr"],
        (image["subject_masks"], image["object_masks"]),
        raster="rr",
    )
    np.testing.assert_array_equal(evaluator.results().columns.iou["rr"], expected)


def test_subsets_add_up(results):
    whole, parts = results.scores(), [results.scores(ambiguous=flag) for flag in (True, False)]
    assert parts[0].queries > 0 and parts[1].queries > 0
    assert sum(part.queries for part in parts) == whole.queries
    weighted = sum(part.queries * part.subject.mean for part in parts) / whole.queries
    assert weighted == pytest.approx(whole.subject.mean)
    by_predicate = [results.scores(predicate=index) for index in range(len(PREDICATES))]
    assert sum(part.queries for part in by_predicate) == whole.queries
    both = [results.scores(ambiguous=True, predicate=index).queries for index in range(len(PREDICATES))]
    assert sum(both) == parts[0].queries


def test_an_image_counts_once(images):
    evaluator = Evaluator(PREDICATES)
    evaluator.add_image("a.png", **images["0.png"])
    with pytest.raises(ValueError, match="a.png"):
        evaluator.add_image("a.png", **images["1.png"])
    with pytest.raises(ValueError, match="a.png"):
        evaluator.skip("a.png", "again")
    evaluator.skip("b.png", "unreadable")
    with pytest.raises(ValueError, match="b.png"):
        evaluator.add_image("b.png", **images["1.png"])
    assert evaluator.results().queries == len(images["0.png"]["queries"])


def test_order_of_images_does_not_matter(images, results):
    evaluator = Evaluator(PREDICATES, ENTITIES)
    for name in reversed(images):
        evaluator.add_image(name, **images[name])
    assert evaluator.results().scores().subject.mean == pytest.approx(
        results.scores().subject.mean, abs=1e-12
    )


def test_answers_that_are_not_finite(images):
    image = images["0.png"]
    image["probabilities"][0, 0, 0] = np.nan
    with pytest.raises(UserError, match="x.png.*not finite"):
        Evaluator(PREDICATES).add_image("x.png", **image)


def test_selections_in_place_of_probabilities(images):
    image = images["0.png"]
    chosen = image["probabilities"].argmax(axis=2)
    image["selections"] = (chosen == 1, chosen == 2)
    with pytest.raises(ValueError, match="either"):
        Evaluator(PREDICATES).add_image("x.png", **image)
    image["probabilities"] = None
    evaluator = Evaluator(PREDICATES)
    subject, _ = evaluator.add_image("x.png", **image)
    assert subject.shape == (len(image["queries"]),)


def test_argmax_policy_reaches_the_metric(images):
    image = images["0.png"]
    scores = {}
    for policy in ("always", "if_empty"):
        evaluator = Evaluator(PREDICATES, argmax_policy=policy)
        scores[policy] = evaluator.add_image("x.png", **image)
        expected = role_iou(
            image["probabilities"],
            image["boxes_norm"],
            image["gt_boxes_norm"],
            image["gt_roles"],
            argmax_policy=policy,
        )
        np.testing.assert_array_equal(scores[policy], expected)


def test_a_box_in_both_roles_is_in_both_true_maps_where_that_is_asked(images):
    image = images["0.png"]
    found = {}
    for conflict in ("last_wins", "both"):
        evaluator = Evaluator(PREDICATES, role_conflict=conflict)
        evaluator.add_image("x.png", **image)
        found[conflict] = evaluator.results().columns.iou
        roles = (image["subject_masks"], image["object_masks"]) if conflict == "both" else image["gt_roles"]
        expected = role_iou(image["probabilities"], image["boxes_norm"], image["gt_boxes_norm"], roles)
        np.testing.assert_array_equal(found[conflict]["dsg"], expected)
    np.testing.assert_array_equal(found["both"]["rr"], found["last_wins"]["rr"])
    assert (found["both"]["dsg"][1] != found["last_wins"]["dsg"][1]).any()
    with pytest.raises(ValueError, match="role_conflict"):
        Evaluator(PREDICATES, role_conflict="first")


def test_recall(images):
    perfect = dict(images["0.png"])
    perfect["proposals_norm"] = np.concatenate([perfect["gt_boxes_norm"], perfect["proposals_norm"]])
    perfect["boxes_norm"] = np.zeros((6, 4))
    evaluator = Evaluator(PREDICATES)
    evaluator.add_image("a.png", **perfect)
    results = evaluator.results()
    assert results.gt_boxes == 4
    assert results.proposals.recall == {0.5: 1.0, 0.7: 1.0} and results.proposals.mean_best_iou == 1.0
    assert results.refined.recall[0.5] == 0.0 and results.refined.mean_best_iou < 0.1
    with pytest.raises(ValueError, match="image_size"):
        Evaluator(PREDICATES).add_image("a.png", **{**perfect, "image_size": None})


def test_summary_and_json(results):
    summary = results.summary()
    assert summary["subject_iou"] == results.scores().subject.mean
    assert summary["ambiguous_object_iou"] == results.scores(ambiguous=True).object.mean
    assert summary["rpn_recall_50"] == results.proposals.recall[0.5]
    assert all(isinstance(value, (int, float)) for value in summary.values())
    report = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert report["images"] == 12 and report["skipped"] == {"broken.png": "not an image"}
    assert report["iou"]["dsg"]["all"]["subject"] == {
        "mean": results.scores().subject.mean,
        "stderr": results.scores().subject.stderr,
    }
    assert set(report["iou"]["rr"]["predicates"]) <= set(PREDICATES)
    assert report["proposals"]["recall"]["0.7"] == results.proposals.recall[0.7]


def test_nothing_evaluated():
    results = Evaluator(PREDICATES).results()
    assert results.queries == 0 and math.isnan(results.score)
    assert results.summary() == {"images": 0, "queries": 0}
    assert json.loads(json.dumps(results.to_json(), allow_nan=False))["score"] is None
    assert "0 images" in format_table(results)


def test_mean_of_one_has_no_error():
    assert str(Mean.of(np.array([0.25]))) == "0.250"
    assert str(Mean.of(np.array([0.0, 1.0]))) == "0.500 +- 0.500"
    assert str(Mean.of(np.zeros(0))) == "-"


def test_table(results):
    lines = format_table(results).splitlines()
    assert lines[0] == f"12 images, 1 skipped, {results.queries} queries"
    table = {line[:15].strip(): line for line in lines[3:6]}
    assert str(results.scores(ambiguous=True).queries) in table["ambiguous"].split()
    assert (
        f"{results.scores().subject.mean:.3f} +- {results.scores().subject.stderr:.3f}"
        in table["all queries"]
    )
    for name in PREDICATES:
        assert any(line.startswith(name) for line in lines)
    assert any(line.startswith("RPN proposals") and "at IoU 0.7" in line for line in lines)
    assert max(map(len, lines)) <= 110
    rarest = PREDICATES[results.predicates_by_count()[-1]]
    short = format_table(results, max_predicates=2)
    assert "1 rarer" in short and not any(line.startswith(rarest) for line in short.splitlines())


def test_query_rows(tmp_path, results):
    rows = list(query_rows(results))
    assert len(rows) == results.queries
    assert np.mean([row["subject_iou"] for row in rows]) == pytest.approx(results.scores().subject.mean)
    assert rows[0]["text"].split()[1] == PREDICATES[rows[0]["predicate"]]
    write_queries(results, tmp_path / "queries.jsonl")
    read = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    assert read == rows
    write_queries(results, tmp_path / "queries.csv")
    with open(tmp_path / "queries.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["image"] for row in table] == [row["image"] for row in rows]
    assert float(table[3]["rr_object_iou"]) == rows[3]["rr_object_iou"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["queries.csv", "queries.jsonl"]


def test_rows_cannot_be_written(tmp_path, results):
    with pytest.raises(UserError, match="cannot write"):
        write_queries(results, tmp_path / "absent" / "queries.csv")


def test_many_queries_are_quick():
    rng = np.random.default_rng(0)
    evaluator = Evaluator(PREDICATES)
    for i in range(20):
        evaluator.add_image(str(i), **random_image(rng, queries=1000, boxes=32, truths=10))
    assert evaluator.results().queries == 20000
