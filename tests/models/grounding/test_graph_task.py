"""A tiny graph on a detector, as people train and test it; and a model that knows the truth, evaluated."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.testing import evaluate_snapshot
from dsg.config import Config, flatten
from dsg.datasets.scene_graphs import GraphDataset, true_masks
from dsg.datasets.shapes.graph_generator import generate_graphs
from dsg.engine.runs import Run
from dsg.engine.snapshots import Meta, load_snapshot, save_snapshot
from dsg.engine.train import train
from dsg.models.grounding.answers import Graph
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.evaluate import ExaminedGraph, evaluate
from dsg.models.grounding.grounded import GroundedImage
from dsg.models.grounding.initial import DECODER_TABLE, FREQUENCY, start_graph
from dsg.models.grounding.mask_overlaps import OverlapMeter
from dsg.models.grounding.words import read_glove
from dsg.models.registry import task_of
from dsg.pipeline.graph_examples import masks_in_boxes
from dsg.pipeline.splits import load_split, load_splits
from tests.models.grounding.small_graphs import config_of, model_of
from tests.resuming import check_resuming

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
RUN = {
    "TRAIN.EPOCHS": "2",
    "TRAIN.STEPS_PER_EPOCH": "2",
    "TRAIN.SUMMARY_INTERVAL": "0",
    "TRAIN.DISPLAY": "0",
    "TRAIN.WARMUP_STEPS": "0",
    "TRAIN.DETERMINISTIC": "True",
    "TRAIN.SCALES": "[64]",
    "TRAIN.MAX_SIZE": "96",
    "TEST.SCALES": "[64]",
    "TEST.MAX_SIZE": "96",
    "TEST.PICTURES": "0",
    "DATA.WORKERS": "1",
    "GROUNDING.SETTING": "sgdet",
    "GROUNDING.REFINE": "True",
}


class Data(NamedTuple):
    config: Config
    training: GraphDataset
    validation: GraphDataset
    folder: Path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Generated pictures, and the snapshot of a detector of random weights."""
    folder = tmp_path_factory.mktemp("graphs")
    sizes: dict[str, Any] = {"size": (96, 64), "objects": (3, 4), "progress": False, "workers": 1}
    generate_graphs(folder / "shapes150", train=20, test=3, masks=6, **sizes)
    weights = folder / "detector.npz"
    pairs = [word for pair in RUN.items() for word in pair]
    config = config_of(*pairs, "DATA.DIR", str(folder), "WEIGHTS", str(weights))
    training, validation = load_splits(config, "shapes150")
    assert isinstance(training, GraphDataset) and isinstance(validation, GraphDataset)
    words = training.vocabulary
    model = model_of(config, words)
    variables = model.detector.named_variables()
    meta = Meta(
        net=config.net,
        epoch=1,
        step=1,
        config=json.loads(json.dumps(flatten(config))),
        objects=list(words.objects),
        predicates=list(words.predicates),
        mask_objects=list(words.mask_objects),
    )
    save_snapshot(weights, variables, {}, meta)
    return Data(config, training, validation, folder)


@pytest.fixture(scope="module")
def trained(data: Data) -> Run:
    run = Run.of(data.folder / "output", data.config.net, "shapes150", "tiny")
    train(task_of(data.config), data.config, data.training, data.validation, run)
    return run


def test_only_the_graph_learns(data: Data, trained: Run) -> None:
    before, after = load_snapshot(data.folder / "detector.npz"), load_snapshot(trained.snapshot(2))
    assert all(np.array_equal(after.variables[name], value) for name, value in before.variables.items())
    assert {name.split("/")[1] for name in after.slots} == {"graph", "reducer", "steps"}
    history = after.meta.history[-1]
    assert {"relation", "object", "refined"} <= set(history["losses"])
    meta = load_snapshot(trained.snapshot(0)).meta
    assert meta.best_score == max(entry["validation"]["mr_20"] for entry in meta.history)
    assert after.meta.mask_objects == list(data.training.vocabulary.mask_objects)
    assert after.variables["transfer"].shape == (len(after.meta.mask_objects), len(after.meta.objects))


def test_a_run_resumes_to_the_same_weights(data: Data, tmp_path: Path) -> None:
    check_resuming(data.config, data.training, data.validation, tmp_path)


def test_a_test_measures_graphs_and_masks(data: Data, trained: Run, tmp_path: Path) -> None:
    test = load_split(data.config, "shapes150", "test", 0)
    results = evaluate_snapshot(trained.snapshot(0), data.config, test, tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["setting"] == "sgdet" and written["images"] == len(test)
    assert set(written["recall"]) == {"20", "50", "100"}
    assert set(written["masks"]) == {"no_refine", "refine"}
    assert written["score"] == results.score
    table = (tmp_path / "table.txt").read_text()
    assert all(word in table for word in ("mR as released", "No Refine", "+ Refine", "near"))


@pytest.mark.usefixtures("untraced")
def test_another_setting_leaves_how_the_graph_was_trained(data: Data) -> None:
    """A decoder that never learned labels has no say in them."""
    images = data.validation
    config = config_of("GROUNDING.TEST_SETTING", "sgcls")
    model = build_grounding(config, images.vocabulary)
    for name, variable in model.named_variables().items():
        if "decoder" in name:
            variable.assign(tf.fill(variable.shape, np.nan))
    results = task_of(config).validator(model)(images, lambda: None)[0]
    assert results.setting == "sgcls" and results.images == len(images)
    assert results.summary()["r_100"] >= 0


def test_a_new_graph_knows_words_and_frequencies(data: Data) -> None:
    words = data.training.vocabulary
    config = config_of("GROUNDING.EMBEDDING", "50")
    model = build_grounding(config, words)
    notes = start_graph(model, data.training, config)
    assert len(notes) == 3
    variables = model.named_variables()
    table = variables[FREQUENCY].numpy().reshape(len(words.objects) + 1, len(words.objects) + 1, -1)
    record = next(record for record in data.training.records if len(record.relations))
    subject, object_, predicate = record.relations[0]
    assert table[record.labels[subject], record.labels[object_], predicate] > np.log(1e-3)
    glove = read_glove(
        next((data.folder / "shapes150/embeddings").glob("glove*.50d.txt")), {words.objects[2]}, 50
    )
    np.testing.assert_array_equal(variables[f"{DECODER_TABLE}/embeddings"][3], glove[words.objects[2]])
    matrix = model.transfer.numpy()
    np.testing.assert_allclose(matrix.sum(0), 1, rtol=1e-5)
    for number, name in enumerate(words.objects):
        if name in words.mask_objects:
            assert matrix[words.mask_objects.index(name), number] == 1
    other = start_graph(build_grounding(config_of(), words), data.training, config_of())
    assert any("random values" in note for note in other)  # there are no vectors of that width


class Knowing:
    """Says of each image what its annotation says."""

    def __init__(self, dataset: GraphDataset, setting: str) -> None:
        self.setting, self._dataset, self._masks = setting, dataset, true_masks(dataset)

    def __call__(self, batch: Mapping[str, Any]) -> list[GroundedImage]:
        return [self._image(int(index)) for index in batch["index"]]

    def _image(self, index: int) -> GroundedImage:
        record = self._dataset.records[index]
        count = len(record.relations)
        probabilities = np.zeros((count, len(self._dataset.vocabulary.predicates) + 1))
        probabilities[np.arange(count), record.relations[:, 2]] = 1
        graph = Graph(
            *(record.boxes.astype(np.float32), record.labels, np.ones(len(record.boxes))),
            *(record.relations[:, :2], probabilities, record.relations[:, 2], np.ones(count)),
        )
        return GroundedImage(graph, masks_in_boxes(record, self._masks[record.name]))


@pytest.mark.parametrize("setting", ["predcls", "sgdet"])
def test_a_model_that_knows_the_truth_finds_all_of_it(data: Data, setting: str) -> None:
    dataset = data.validation
    shown: list[ExaminedGraph] = []
    meter = OverlapMeter(np.eye(len(dataset.vocabulary.objects), dtype=np.float32), true_masks(dataset))
    results = evaluate(
        *(dataset, data.config, Knowing(dataset, setting)), overlaps=meter, observe=shown.append
    )
    assert results.images == len(dataset) == len(shown) and results.setting == setting
    assert (
        results.relations == sum(len(record.relations) for record in dataset.records) == results.counts.sum()
    )
    at = results.recalls[100]
    assert at.recall == at.unconstrained == 1
    assert (at.per_predicate == (results.counts > 0)).all()
    assert results.score == pytest.approx((results.counts > 0).mean())
    if setting == "predcls":
        assert results.overlaps is not None
        assert results.overlaps.ious["transferred"]["base"] > 0.85
        assert results.overlaps.ious["filled"]["base"] < results.overlaps.ious["transferred"]["base"]
        assert math.isnan(results.overlaps.ious["transferred"]["novel"])
    else:
        assert results.overlaps is None
