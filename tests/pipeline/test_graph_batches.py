"""Batches of graphs and of masks: what is in them, what follows from chance, and that nothing else does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.datasets.mirror import mirror_map
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.errors import UserError
from dsg.pipeline.bad_records import BadRecords
from dsg.pipeline.graph_batch import GRAPHS, MASKS
from dsg.pipeline.graph_batches import graph_evaluation_batches, graph_spec, graph_training_examples
from dsg.pipeline.graph_examples import graph_arrays, inner_boxes, mask_arrays
from tests.pipeline.small_graphs import MASKED, OBJECTS, PREDICATES, graph_config, small_graphs

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> GraphDataset:
    return small_graphs(tmp_path_factory.mktemp("graphs"))


def arrays_of(batches: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return [{key: value.numpy() for key, value in batch.items()} for batch in batches]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
        for a, b in zip(first, second)
    )


@pytest.mark.parametrize("stage", ["detector", "graph"])
def test_a_run_that_resumes_gets_the_same_batches(dataset: GraphDataset, stage: str) -> None:
    pairs = ["GROUNDING.REFINE", "True"] if stage == "graph" else []
    whole = arrays_of(graph_training_examples(dataset, graph_config(*pairs, stage=stage)).batches(2, 1))
    alone = graph_config(*pairs, "DATA.WORKERS", "1", stage=stage)
    made = graph_training_examples(dataset, alone)
    assert same(whole, arrays_of(made.batches(2, 1))) and len(whole) == made.steps(2) == 3
    assert same(whole[2:], arrays_of(made.batches(2, 1, made.next_step(whole[1], 2, 1))))
    assert not same(whole, arrays_of(made.batches(2, 2)))


def test_what_the_detector_learns_from(dataset: GraphDataset) -> None:
    config = graph_config("TRAIN.SCALES", "[64]")
    batch = arrays_of(graph_training_examples(dataset, config).batches(2, 0))[0]
    assert batch["domain"].tolist() == [GRAPHS, GRAPHS, MASKS]
    assert batch["index"][2] >= len(dataset) and batch["name"][2].startswith(b"m")
    assert set(batch) == set(graph_spec(config)) and "relations" not in batch
    counts = batch["gt_valid"].sum(1)
    records = graphs_of(dataset)
    assert counts[:2].tolist() == [len(records[index].boxes) for index in batch["index"][:2]]
    labels = records[batch["index"][0]].labels
    assert batch["gt_classes"][0, : counts[0]].tolist() == labels.tolist()
    # masks: of the last image only, each in its box, classes from 0
    masks, boxes = batch["gt_masks"], batch["gt_boxes"][2]
    assert masks.shape == (3, 2, 64, 96) and not masks[:2].any()
    assert sorted(batch["gt_classes"][2, :2].tolist()) == [0, 1] and len(MASKED) == 2
    for mask, (x1, y1, x2, y2) in zip(masks[2], boxes):
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)
    assert (batch["rpn_labels"] == 1).any((1, 2, 3)).all()


def test_without_masks_there_are_graphs_alone(dataset: GraphDataset) -> None:
    config = graph_config("GROUNDING.JOINT", "False")
    batches = arrays_of(graph_training_examples(dataset, config).batches(2, 0))
    assert [len(batch["index"]) for batch in batches] == [2, 2, 1]
    assert not any(batch["domain"].any() for batch in batches) and "gt_masks" not in batches[0]
    lacking = dataclasses.replace(dataset, auxiliary=None)
    with pytest.raises(UserError, match="no masks to learn from"):
        graph_training_examples(lacking, graph_config())


@pytest.mark.parametrize("setting", ["predcls", "sgdet"])
def test_what_the_graph_learns_from(dataset: GraphDataset, setting: str) -> None:
    config = graph_config("GROUNDING.SETTING", setting, "TRAIN.FLIP_PREDICATES", "True", stage="graph")
    swap, seen = mirror_map(PREDICATES), set()
    for epoch in range(4):
        for index, record in enumerate(graphs_of(dataset)):
            rng = np.random.default_rng((config.rng_seed, epoch, index))
            arrays = graph_arrays(record, index, config, rng, predicates=len(PREDICATES), swap=swap)
            flipped = np.random.default_rng((config.rng_seed, epoch, index)).random() < 0.5
            kept = arrays["relations"].tolist()
            # one predicate for each ordered pair, in the order in which pairs appear; mirrored with the image
            own = {tuple(row[:2]): row[2] for row in kept}
            assert [row[:2] for row in kept] == [[0, 1], [1, 0]] and own[1, 0] == 2
            choices = {3, 1} if flipped else {0, 1}
            assert own[0, 1] in choices
            seen.add((flipped, own[0, 1]))
            centre = arrays["gt_boxes"][:, [0, 2]].mean(1) / arrays["scale"]
            expected = inner_boxes(record)[:, [0, 2]].mean(1)
            assert np.allclose(centre, 96 - expected if flipped else expected, atol=1e-4)
            assert ("pairs" in arrays) == (setting == "predcls")
            if setting == "predcls":
                pairs, predicates = arrays["pairs"].tolist(), arrays["pair_predicates"]
                count = len(record.boxes)
                assert len({tuple(pair) for pair in pairs}) == len(pairs) == count * (count - 1)
                assert pairs[:2] == [[0, 1], [1, 0]] or pairs[:2] == [[1, 0], [0, 1]]
                assert (predicates[2:] == len(PREDICATES)).all()
                assert arrays["related"][0, 1] == arrays["related"][1, 0] == 1 == arrays["related"].sum() / 2
    assert len(seen) == 4


def test_masks_that_a_graph_refines(dataset: GraphDataset) -> None:
    config = graph_config("GROUNDING.REFINE", "True", stage="graph")
    batch = arrays_of(graph_training_examples(dataset, config).batches(2, 0))[0]
    assert batch["domain"].tolist() == [GRAPHS, GRAPHS, MASKS] and "rpn_labels" not in batch
    assert batch["gt_masks"][2].any() and not batch["pair_valid"][2].any()
    assert not batch["relation_valid"][2].any()
    without = graph_training_examples(dataset, graph_config(stage="graph"))
    assert "gt_masks" not in without.spec and without.images(2) == 2


def test_images_that_cannot_be_read(dataset: GraphDataset, tmp_path: Path) -> None:
    records, masked = list(graphs_of(dataset)), list(dataset.auxiliary.records)  # type: ignore[union-attr]
    records[0] = dataclasses.replace(records[0], path=tmp_path / "missing.png")
    masked[0] = dataclasses.replace(masked[0], path=tmp_path / "lost.png")
    auxiliary = dataclasses.replace(dataset.auxiliary, records=masked)  # type: ignore[type-var]
    damaged = dataclasses.replace(dataset, records=records, auxiliary=auxiliary)
    bad = BadRecords()
    batches = arrays_of(graph_training_examples(damaged, graph_config()).batches(2, 0, bad=bad))
    assert set(bad.reasons) == {"0.png", "m0.png"} and bad.fatal is None
    indices = np.concatenate([batch["index"] for batch in batches])
    assert sorted(indices[indices < 5].tolist()) == [1, 2, 3, 4]
    assert sum(int((batch["domain"] == MASKS).sum()) for batch in batches) == 2


def test_a_test_takes_every_image_as_it_is(dataset: GraphDataset) -> None:
    config = graph_config(stage="graph")
    batches = arrays_of(graph_evaluation_batches(dataset, config))
    assert np.concatenate([batch["index"] for batch in batches]).tolist() == list(range(5))
    batch = batches[0]
    assert set(batch) == set(graph_spec(config, training=False)) and "pairs" not in batch
    record = graphs_of(dataset)[0]
    assert np.allclose(batch["gt_boxes"][0, : len(record.boxes)], inner_boxes(record))
    assert batch["gt_classes"].max() < len(OBJECTS)


@pytest.mark.parametrize("relations", [0, 1])
def test_few_and_many_boxes(dataset: GraphDataset, relations: int) -> None:
    record = graphs_of(dataset)[0]
    rows = np.zeros((relations, 3), np.int32) + [0, 1, 2]
    config, rng = graph_config(stage="graph"), np.random.default_rng(0)
    for count in (2, 200) if relations else (1, 2, 200):
        crowd = dataclasses.replace(
            record,
            boxes=np.tile([[-5.0, 2.0, 20.0, 90.0]], (count, 1)),
            labels=np.zeros(count, np.int32),
            relations=rows,
        )
        arrays = graph_arrays(crowd, 0, config, rng, predicates=4)
        assert arrays["gt_boxes"].shape == (count, 4) and len(arrays["relations"]) == relations
        wanted = min(64, count * (count - 1)) or 1  # one box with itself, where there is no pair
        assert len(arrays["pairs"]) == wanted and arrays["related"].shape == (count, count)


def test_boxes_are_cut_to_the_image_and_none_is_lost(dataset: GraphDataset) -> None:
    boxes = np.array([[-9, -9, -2, -2], [90, 60, 99, 70], [5, 5, 5, 5], [1, 2, 3, 4], [96, 0, 96, 64.0]])
    record = dataclasses.replace(graphs_of(dataset)[0], boxes=boxes)
    cut = inner_boxes(record)
    assert cut.dtype == np.float32
    assert cut.tolist() == [[0, 0, 1, 1], [90, 60, 96, 64], [5, 5, 6, 6], [1, 2, 3, 4], [95, 0, 96, 64]]


def test_a_mirrored_mask_lies_in_its_mirrored_box(dataset: GraphDataset) -> None:
    config = graph_config("TRAIN.SCALES", "[64]")
    found = set()
    for seed in range(6):
        arrays = mask_arrays(dataset.auxiliary.records[0], 9, config, np.random.default_rng(seed))  # type: ignore[union-attr, arg-type]
        x1, _, x2, _ = arrays["gt_boxes"][1]
        columns = np.nonzero(arrays["gt_masks"][1])[1]
        assert (columns.min(), columns.max() + 1) == (x1, x2)
        found.add((x1, x2))
    assert len(found) == 2
