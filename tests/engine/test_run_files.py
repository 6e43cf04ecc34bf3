"""What a training and its test leave in the run's folder, on the quickest network that there is."""

from __future__ import annotations

import json
import shutil

import cv2
import pytest
import tensorflow as tf

from dsg.apps.testing import evaluate_snapshot
from dsg.engine.runs import Run
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.metrics.iou_curves import TOLERANCE
from dsg.models.registry import task_of
from dsg.pipeline.splits import load_split
from dsg.visualize.curves import read_history
from tests.models.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes

pytestmark = pytest.mark.usefixtures("untraced_module")

STEPS = ("TRAIN.IMS_PER_BATCH", "8")  # samples: an epoch has a few steps


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=14, test=3)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """One epoch under the profiler; then another one of the same run without."""
    made = Run.of(tmp_path_factory.mktemp("output"), "co", "shapes", "run")
    for epochs, profiled in (("1", "2"), ("2", "0")):
        config, *splits = settings("co", data, *STEPS, "TRAIN.EPOCHS", epochs, "TRAIN.PROFILE", profiled)
        train(task_of(config), config, *splits, made)
    return made


@pytest.fixture(scope="module")
def tested(data, run):
    """The folder of a test of the best snapshot."""
    config, *_ = settings("co", data, *STEPS)
    folder = run.folder / "test" / "run_iter_0"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "an_earlier_maps.png").write_bytes(b"")
    evaluate_snapshot(run.snapshot(0), config, load_split(config, "shapes", "test", 0), folder)
    return folder


def test_the_profile_lies_beside_the_scalars(run):
    assert len(list((run.folder / "tensorboard").glob("plugins/profile/*/*.xplane.pb"))) == 1


def test_validation_draws_the_iou_curves(run):
    found = []
    for file in (run.folder / "tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.tag == "validation_iou_curves":
                    found.append((event.step, value.metadata.plugin_data.plugin_name))
    steps = [entry["step"] for entry in read_history(run.folder / "history.jsonl")]
    assert sorted(found) == [(step, "images") for step in steps]


def test_a_test_has_iou_curves(tested):
    results = json.loads((tested / "results.json").read_text())
    curves = results["iou_curves"]
    assert curves["thresholds"][10] == 0.5 and set(curves) == {"thresholds", "dsg", "rr"}
    rows = [json.loads(line) for line in (tested / "queries.jsonl").read_text().splitlines()]
    for role in ("subject", "object"):
        reached = [row[f"rr_{role}_iou"] >= 0.5 - TOLERANCE for row in rows]
        assert curves["rr"]["all"][role][10] == pytest.approx(sum(reached) / len(reached))
    assert cv2.imread(str(tested / "iou_curves.png")) is not None


def test_pictures_of_an_earlier_test_are_gone(tested):
    names = [path.name for path in (tested / "pictures").iterdir()]
    assert len(names) == 1 and "an_earlier_maps.png" not in names


def test_a_run_killed_behind_its_last_snapshot_gets_its_history(data, run):
    history = run.folder / "history.jsonl"
    whole = history.read_text()
    history.write_text(whole.partition("\n")[0] + "\n")
    (run.folder / "curves.png").unlink()
    shutil.copy(run.snapshot(1), run.last)  # as from inside the last epoch
    config, *splits = settings("co", data, *STEPS, "TRAIN.EPOCHS", "2")
    train(task_of(config), config, *splits, run)
    assert history.read_text() == whole and (run.folder / "curves.png").is_file()
    assert not run.last.exists()


def test_a_report_after_training_and_after_testing(run, tested):
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "co on shapes: run" in page and "Test of run_iter_0" in page and page.count("<img ") == 3
    text = (run.folder / "report.txt").read_text(encoding="utf-8")
    assert "shapes train: 12 images" in text and f"tensorflow {tf.__version__}" in text
    assert text.count("went on") == 1 and "after epoch 1, step 11" in text and "TRAIN.PROFILE" not in text


def test_a_test_that_fails_leaves_no_results_of_the_one_before(data, run, tmp_path):
    """Else they would be shown beside its own pictures."""
    config, *_ = settings("co", data, *STEPS, "TEST.PICTURES", "1")
    test = load_split(config, "shapes", "test", 0)
    evaluate_snapshot(run.snapshot(0), config, test, tmp_path)
    assert (tmp_path / "results.json").is_file()
    shutil.rmtree(tmp_path / "pictures")
    (tmp_path / "pictures").write_text("in the way")
    with pytest.raises(UserError, match="cannot write the picture"):
        evaluate_snapshot(run.snapshot(0), config, test, tmp_path)
    assert not (tmp_path / "results.json").exists()
