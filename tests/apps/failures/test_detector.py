"""The program that reports a detector's failures, on one that knows nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsg.apps.failures.objects import MEANINGS, MISSED
from dsg.apps.main import main
from dsg.datasets.detection import load_instances
from dsg.pipeline.images import read_image
from tests.small_detector import write_detector
from tests.tiny import make_tiny_shapes


def test_every_failure_is_counted_and_the_worst_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_tiny_shapes(tmp_path / "data", train=2, test=3)
    classes = load_instances("shapes", "test", data_dir=tmp_path / "data").vocabulary.objects
    overrides = ("DETECTOR.METRIC", "voc", "DETECTOR.MASKS", "False", "DATA.WORKERS", "1")
    write_detector(tmp_path / "mine_iter_0.npz", *overrides, classes=classes)
    words = ["--dataset", "data/shapes", "--snapshot", "mine_iter_0.npz", "--to", "out", "--score", "0.2"]
    assert main(["failures", *words]) == 0
    report = json.loads(Path("out/failures.json").read_text())
    assert sum(report["failed"].values()) == len(report["failures"]) > 0
    assert set(report["failed"]) == set(MEANINGS) and report["images"] == 3 and report["score"] == 0.2
    missed = [one for one in report["failures"] if one["kind"] == MISSED]
    assert all(one["score"] is None and one["truth"] in classes for one in missed)
    assert all(one["score"] >= 0.2 for one in report["failures"] if one["kind"] != MISSED)
    assert Path("out/failures.md").read_text().strip() in capsys.readouterr().out
    page = Path("out/failures.html").read_text()
    pictures = sorted(Path("out/pictures").iterdir())
    assert 1 <= len(pictures) == page.count("<img src=") <= 3
    assert read_image(pictures[0]).shape[1] > 500


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score", "2"], "--score must be from 0 to 1, not 2"),
        (["--score", "0.5", "--net", "ss"], "answers with maps"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["failures", "--dataset", "absent", *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
