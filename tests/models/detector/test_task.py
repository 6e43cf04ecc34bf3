"""A tiny detector from two pictures to their objects, as people train and test it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dsg.apps.testing import evaluate_snapshot
from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.runs import Run
from dsg.engine.snapshots import load_snapshot
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.models.detector.predictions import DetectorPredictor
from dsg.models.detector.task import DetectorTask
from dsg.models.registry import task_of
from dsg.pipeline.images import read_image
from dsg.pipeline.instance_batches import inference_batch
from tests.models.detector.small_runs import config_of, two_pictures
from tests.resuming import check_resuming


class Trained(NamedTuple):
    config: Config
    run: Run
    training: Dataset
    pictures: Dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    config = config_of("mini")
    folder = tmp_path_factory.mktemp("detector")
    training = two_pictures(folder, config, repeats=config.train.steps_per_epoch)
    pictures = two_pictures(folder, config)
    run = Run.of(folder / "output", config.net, "shapes", "tiny")
    train(task_of(config), config, training, pictures, run)
    return Trained(config, run, training, pictures)


def model_of(trained: Trained):
    task = DetectorTask(trained.config)
    model = task.build_model(trained.pictures.vocabulary)
    variables = model.named_variables()
    for name, value in load_snapshot(trained.run.snapshot(0)).variables.items():
        variables[name].assign(value)
    return model


def test_training_lowers_the_loss_and_finds_the_objects(trained: Trained) -> None:
    history = load_snapshot(trained.run.snapshot(0)).meta.history
    first, last = history
    assert set(last["losses"]) == {"rpn_class", "rpn_box", "region_class", "box", "mask", "regularization"}
    assert last["total"] < 0.6 * first["total"]
    validation = last["validation"]
    assert validation["ap_50"] > 0.7 and validation["voc_ap"] > 0.7
    assert validation["mask_ap"] > 0.3 and validation["objects"] == 2 * len(trained.pictures.records[0].boxes)


def test_training_says_what_the_anchors_reach(trained: Trained) -> None:
    (log,) = (trained.run.folder / "logs").glob("train_*.log")
    assert "of the training boxes at IoU 0.5" in log.read_text(encoding="utf-8")


def test_a_run_resumes_to_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    config = config_of("mini", ["TRAIN.STEPS_PER_EPOCH", "2"])
    check_resuming(config, trained.training, trained.pictures, tmp_path)


def test_an_image_of_a_batch_has_the_detections_it_has_alone(trained: Trained) -> None:
    model, config = model_of(trained), trained.config
    image = read_image(trained.pictures.records[0].path)
    images = [image, image[:50, :70]]
    together = DetectorPredictor(model, config, alone=False)
    both = together(inference_batch(images, config))
    alone = DetectorPredictor(model, config, alone=True)
    for detected, image in zip(both, images):
        (single,) = alone(inference_batch([image], config))
        assert len(single.scores) == len(detected.scores) > 0
        assert np.array_equal(single.classes, detected.classes)
        assert np.allclose(single.boxes, detected.boxes, atol=0.01)
        assert np.allclose(single.masks, detected.masks, atol=1e-3)
        assert (np.diff(single.scores) <= 0).all() and single.boxes.min() >= 0
    assert both[0].pasted(64, 96).shape == (len(both[0].scores), 64, 96)
    # boxes are in pixels of the original image, whatever its size was for the network
    doubled = alone(inference_batch([images[0].repeat(2, 0).repeat(2, 1)], config))[0]
    best = doubled.boxes[0] / 2
    assert np.abs(both[0].boxes - best).max(1).min() < 4


def test_a_test_writes_table_figures_and_pictures(trained: Trained) -> None:
    snapshot = trained.run.snapshot(0)
    folder = trained.run.folder / "test" / snapshot.stem
    results = evaluate_snapshot(snapshot, trained.config, trained.pictures, folder)
    stored = json.loads((folder / "results.json").read_text())
    assert stored["coco"]["boxes"]["AP"] == results.summary()["ap"] and stored["score"] == results.score
    assert "COCO, masks" in (folder / "table.txt").read_text()
    assert len(list((folder / "pictures").glob("*_detections.png"))) == 1
    report = (trained.run.folder / "report.txt").read_text()
    assert "mask AP" in report and f"Test of {snapshot.stem}" in report and "best epoch" in report


def test_pycocotools_is_missed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.cocoeval", None)
    with pytest.raises(UserError, match="pycocotools is not installed.* set DETECTOR.METRIC voc and"):
        DetectorTask(config_of("mini"))
    DetectorTask(config_of("mini", ["DETECTOR.METRIC", "voc", "DETECTOR.MASKS", "False"]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([], "mean of box and mask AP 0.5000"),
        (["DETECTOR.MASKS", "False"], "AP 0.5000"),
        (["DETECTOR.METRIC", "voc"], "VOC AP 0.5000"),
    ],
)
def test_the_log_says_what_the_score_is(changes: list[str], text: str) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    assert DetectorTask(config_of("mini", changes)).score_text(0.5) == text


@pytest.mark.parametrize(("metric", "lack"), [("coco", 0.6), ("voc", 0.1)])
def test_the_plateau_is_one_of_the_metric(metric: str, lack: float) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    task = DetectorTask(config_of("mini", ["DETECTOR.METRIC", metric]))
    assert task.to_be_lowered({"ap": 0.5, "mask_ap": 0.3, "voc_ap": 0.9}) == pytest.approx(lack)
    assert task.to_be_lowered({"images": 3.0}) == 1
