"""A tiny joint detector from generated pictures to boxes and masks, as people train and test it; what a graph
or another detector starts from.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from dsg.apps.testing import evaluate_snapshot
from dsg.config import Config, flatten
from dsg.datasets import Dataset
from dsg.datasets.records import Vocabulary
from dsg.datasets.scene_graphs import GraphDataset
from dsg.datasets.shapes.graph_generator import generate_graphs
from dsg.engine.resume import describe
from dsg.engine.runs import Run
from dsg.engine.snapshots import Meta, load_meta, load_snapshot, save_snapshot
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.weights import load_initial
from dsg.models.registry import task_of
from dsg.pipeline.splits import load_splits
from tests.pipeline.small_graphs import MASKED, OBJECTS, PREDICATES, graph_config
from tests.resuming import check_resuming
from tests.small_detector import write_detector

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
TINY = [
    "TRAIN.EPOCHS",
    "2",
    "TRAIN.STEPS_PER_EPOCH",
    "2",
    "TRAIN.SUMMARY_INTERVAL",
    "0",
    "TRAIN.DISPLAY",
    "0",
]
TINY += ["TEST.PICTURES", "1", "TRAIN.DETERMINISTIC", "True", "DATA.WORKERS", "1", "TRAIN.WARMUP_STEPS", "0"]
WORDS = Vocabulary(OBJECTS, PREDICATES, MASKED)


class Trained(NamedTuple):
    config: Config
    run: Run
    training: Dataset
    validation: Dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("joint")
    sizes: dict[str, Any] = {"size": (96, 64), "objects": (3, 4), "progress": False, "workers": 1}
    generate_graphs(folder / "shapes150", train=20, test=2, masks=10, **sizes)
    config = graph_config(*TINY, "DATA.DIR", str(folder))
    training, validation = load_splits(config, "shapes150")
    run = Run.of(folder / "output", config.net, "shapes150", "tiny")
    train(task_of(config), config, training, validation, run)
    return Trained(config, run, training, validation)


def test_what_a_run_keeps(trained: Trained) -> None:
    meta = load_meta(trained.run.snapshot(0))
    assert tuple(meta.mask_objects) == trained.training.vocabulary.mask_objects != ()
    assert {"images", "relations", "images of masks", "masks of masks"} <= set(meta.data["training"])
    losses = meta.history[-1]["losses"]
    assert {"box", "masks_box", "masks_mask", "regularization"} <= set(losses) and "mask" not in losses
    validation = meta.history[-1]["validation"]
    assert {"ap_50", "voc_ap", "masks_ap", "masks_mask_ap"} <= set(validation)
    assert meta.best_score == max(entry["validation"]["ap_50"] for entry in meta.history)


def test_a_run_resumes_to_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    check_resuming(trained.config, trained.training, trained.validation, tmp_path)


def test_other_masks_are_other_data(trained: Trained) -> None:
    assert isinstance(trained.training, GraphDataset) and trained.training.auxiliary is not None
    auxiliary = trained.training.auxiliary
    fewer = dataclasses.replace(auxiliary, records=auxiliary.records[:-1])
    changed = dataclasses.replace(trained.training, auxiliary=fewer)
    before, now = (
        describe(trained.config, data, 3)["data"]["training"] for data in (trained.training, changed)
    )
    assert before != now and before["images"] == now["images"]


def test_a_test_measures_both_data_sets(trained: Trained, tmp_path: Path) -> None:
    results = evaluate_snapshot(trained.run.snapshot(0), trained.config, trained.validation, tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["graphs"]["images"] == len(trained.validation)
    assert written["masks"]["coco"].keys() == {"boxes", "masks"} and written["score"] == results.score
    table = (tmp_path / "table.txt").read_text()
    assert "of graphs" in table and "of masks" in table
    assert len(list((tmp_path / "pictures").glob("*_detections.png"))) == 1


def started(config: Config, weights: Path | str, words: Vocabulary = WORDS) -> tuple[dict, dict, Any]:
    """Values of a new model before and after, and the report."""
    config = dataclasses.replace(config, weights=str(weights))
    model = build_grounding(config, words)
    fresh = {name: variable.numpy() for name, variable in model.named_variables().items()}
    report = load_initial(model, config, words)
    return fresh, {name: variable.numpy() for name, variable in model.named_variables().items()}, report


def joint_snapshot(path: Path, config: Config, words: Vocabulary) -> dict[str, np.ndarray]:
    """A joint detector's, whose values are all different."""
    rng, model = np.random.default_rng(0), build_grounding(config, words)
    values = {
        name: rng.normal(size=v.shape).astype(np.float32) for name, v in model.named_variables().items()
    }
    meta = Meta(
        *(config.net, 1, 1),
        config=json.loads(json.dumps(flatten(config))),
        objects=list(words.objects),
        predicates=list(words.predicates),
        mask_objects=list(words.mask_objects),
    )
    save_snapshot(path, values, {}, meta)
    return values


def test_a_graph_starts_from_the_whole_detector_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "joint.npz"
    values = joint_snapshot(path, graph_config(), WORDS)
    config = graph_config("GROUNDING.FEATURES", "8", stage="graph")
    _, after, report = started(config, path)
    assert all(np.array_equal(after[name], value) for name, value in values.items())
    assert set(report.matched) == set(values)
    model = build_grounding(config, WORDS)
    assert not set(values) & set(model.trainable_names()) and model.trainable_names()


def test_a_graph_needs_a_detector(tmp_path: Path) -> None:
    config = graph_config("GROUNDING.FEATURES", "8", stage="graph")
    for weights in ("", "none"):
        with pytest.raises(UserError, match="a graph is learned on a trained detector"):
            started(config, weights)
    path = tmp_path / "baseline.npz"
    joint_snapshot(path, graph_config("GROUNDING.JOINT", "False"), WORDS)
    with pytest.raises(
        UserError, match="baseline.npz: lacks .* weights of the detector, such as mask_branch"
    ):
        started(config, path)


def test_words_find_their_rows_in_another_joint_detector(tmp_path: Path) -> None:
    path = tmp_path / "joint.npz"
    values = joint_snapshot(
        path, graph_config(), Vocabulary(("man", "sky"), ("on",), ("person", "kite", "cup"))
    )
    fresh, after, report = started(graph_config(), path)
    for name, row, there, fill in (
        ("predictor/vg_cls/bias", 2, 0, 1),  # man; the background is the last
        ("predictor/coco_cls/bias", 1, 0, 1),
        ("mask_branch/masks/bias", 1, 0, 0),
    ):
        assert after[name][row] == values[name][there]
        assert np.array_equal(after[name][:row], fresh[name][:row])
        assert not fill or after[name][-1] == values[name][-1]
    boxes = "predictor/coco_box/kernel"
    assert np.array_equal(after[boxes][:, 4:], values[boxes][:, :4])
    assert any(
        "1 of 3 categories" in note and "1 of 2 categories with masks" in note for note in report.notes
    )


def test_a_plain_detector_gives_what_it_has(tmp_path: Path) -> None:
    same = [
        "HEAD.DIM",
        "12",
        "HEAD.CHANNELS",
        "8",
        "RPN_CHANNELS",
        "16",
        "ANCHOR_SCALES",
        "[3.0, 4.5, 6.5, 9.5]",
    ]
    pairs = [*same, "DETECTOR.CLASS_AGNOSTIC", "False", "DETECTOR.HEAD_CONVOLUTIONS", "1"]
    path = write_detector(tmp_path / "plain.npz", *pairs, classes=("hat", "bowl", "man"))
    values = load_snapshot(path).variables
    _, after, report = started(graph_config(*same), path)
    for name in ("trunk/conv1/kernel", "rpn/classes/kernel", "box_head/dense/kernel"):
        assert np.array_equal(after[name], values[name])
    assert np.array_equal(after["predictor/vg_cls/kernel"][:, 1], values["predictor/classes/kernel"][:, 1])
    assert np.array_equal(after["predictor/coco_cls/kernel"][:, 0], values["predictor/classes/kernel"][:, 2])
    masks = "mask_branch/masks/kernel"
    assert np.array_equal(after[masks][..., 0], values["mask_head/masks/kernel"][..., 2])
    assert np.array_equal(after["mask_branch/up/kernel"], values["mask_head/up/kernel"])
    assert any(note.startswith("taken: trunk") for note in report.notes)


def test_the_baseline_has_nothing_of_masks() -> None:
    names = build_grounding(graph_config("GROUNDING.JOINT", "False"), WORDS).named_variables()
    assert not any("coco" in name or name.startswith("mask_branch") for name in names)
    with pytest.raises(UserError, match="needs EXACT_BOXES True"):
        build_grounding(graph_config("EXACT_BOXES", "False"), WORDS)
