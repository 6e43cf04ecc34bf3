"""Baselines through the scripts that people run; mistakes end with one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsg.engine.snapshots import load_snapshot
from tests.models.baselines.small_runs import PAIRS
from tests.programs import run_script
from tests.tiny import make_tiny_shapes


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=14, test=3)


def script(name: str, *words: str, data: Path, output: Path):
    return run_script(name, *words, "--data", data, "--output", output, cwd=data)


@pytest.mark.parametrize("net", ["vrd", "ssas"])
def test_train_and_test(net, data, tmp_path, untraced) -> None:
    done = script("train.sh", "cpu", "shapes", net, "run", *PAIRS, data=data, output=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stderr == "" and "best on validation: epoch" in done.stdout and ", loss " in done.stdout
    folder = tmp_path / net / "shapes_train" / "run"
    snapshot = load_snapshot(folder / "run_iter_0.npz")
    assert snapshot.meta.net == net and "features/trunk/conv1/kernel" in snapshot.variables
    history = snapshot.meta.history
    assert history[0]["learning_rate"] == 0.01 and history[0]["validation"]["loss"] > 0
    tested = folder / "test" / "run_iter_0"
    assert {path.name for path in tested.iterdir()} >= {"table.txt", "results.json", "queries.jsonl"}
    results = json.loads((tested / "results.json").read_text())
    assert results["images"] == 3 and set(results["iou"]) == set(results["maps"]) == {"rr", "dsg"}
    assert "rr subject" in done.stdout and "IoU at 0.5" in (tested / "table.txt").read_text()
    assert len(list((tested / "pictures").glob("*_maps.png"))) == 1


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("cpu shapes ssas x BASELINE.HIDDEN 100", ["BASELINE.HIDDEN 100", "160 channels"]),
        ("cpu shapes ssas x BASELINE.ITERATION 3", ["unknown option", "BASELINE.ITERATIONS"]),
        ("cpu shapes ssas x BASELINE.FEATURES vgg", ["BASELINE.FEATURES is one of resnet50, res18, mini"]),
        ("cpu shapes vrd_net x", ["unknown net 'vrd_net'", " vrd"]),
        ("cpu shapes co x WEIGHTS nowhere.npz", ["nowhere.npz"]),
    ],
)
def test_mistakes(words, parts, data, tmp_path) -> None:
    done = script("train.sh", *words.split(), data=data, output=tmp_path)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    for part in parts:
        assert part in lines[0]
