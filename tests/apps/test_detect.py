"""`dsg detect`, and its door in tools/."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import dsg
from dsg.apps.main import main
from dsg.datasets.formats.segmentations import encode
from dsg.pipeline.images import read_image
from tests.programs import run_program
from tests.small_detector import CLASSES, write_detector
from tests.small_trained import write_snapshot


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, and images of two sizes."""
    folder = tmp_path_factory.mktemp("detect")
    write_detector(folder / "small.npz")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for name, size in {"a.png": (70, 90), "b, c.png": (90, 60)}.items():
        cv2.imwrite(str(folder / "images" / name), rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    return folder


def test_one_image(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = folder / "images" / "a.png"
    given = ["--snapshot", str(folder / "small.npz"), "--threshold", "0.4", "--limit", "5"]
    assert main(["detect", str(image), *given, "--to", str(tmp_path / "found")]) == 0
    expected = dsg.load(folder / "small.npz").detect(image, threshold=0.4, limit=5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(expected) + 1 and str(tmp_path / "found") in lines[-1]
    assert lines[0].startswith(expected.names[0]) and f"{expected.scores[0]:.2f}" in lines[0]

    plain = json.loads((tmp_path / "found" / "a_detections.json").read_text())
    assert (plain["version"], plain["file"], plain["width"], plain["height"]) == (1, str(image), 90, 70)
    assert [one["class"] for one in plain["objects"]] == list(expected.names)
    np.testing.assert_allclose([one["box"] for one in plain["objects"]], expected.boxes, atol=0.02)
    assert expected.masks is not None
    assert [one["mask"] for one in plain["objects"]] == [encode(mask) for mask in expected.masks]
    assert read_image(tmp_path / "found" / "a_detections.png").shape[0] == 420  # small ones are enlarged


def test_several_images_as_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("damaged.png").write_bytes(b"no image")
    words = [str(folder / "images"), "damaged.png", "--snapshot", str(folder / "small.npz"), "--json"]
    assert main(["detect", *words]) == 2
    streams = capsys.readouterr()
    results = json.loads(streams.out)
    assert [one["image"] for one in results] == ["a", "b__c"]
    assert all(one["class"] in CLASSES and one["score"] >= 0.5 for one in results[0]["objects"])
    assert "1 of 3 images cannot be read, for example damaged.png" in streams.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.png"]  # nothing is written


def test_the_tool(folder: Path, tmp_path: Path) -> None:
    given = ("--snapshot", folder / "small.npz", "--threshold", "1", "--by-object")
    done = run_program("demo_detect", folder / "images", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["a: nothing", "b__c: nothing"]
    written = sorted(path.name for path in (tmp_path / "output" / "detect").iterdir())
    assert written == [f"{name}_detections.{kind}" for name in ("a", "b__c") for kind in ("json", "png")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "2"], "--threshold must be from 0 to 1, not 2"),
        (["--limit", "0"], "--limit must be 1 or more"),
        (["--snapshot", "absent.npz"], "absent.npz: no such file"),
        (["--snapshot", "dsg.npz"], "dsg.npz: a snapshot of mini, not of a detector; use `dsg ask`"),
        (["absent.png"], "none of the 2 images can be read"),
        (["--to", "a.txt"], "a.txt: cannot be created"),
        (["--net", "res101"], "small.npz: says itself of which network it is; --net is for TensorFlow 1"),
        (["--gpu", "first"], "give a GPU number"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_snapshot(tmp_path / "dsg.npz")
    Path("a.txt").write_text("no folder")
    images = 1 if words[0] == "absent.png" else 0  # before the options
    given = ["--snapshot", str(folder / "small.npz"), *words[images:]]
    assert main(["detect", "a.txt", *words[:images], *given]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not Path("output").exists()  # no empty folder is left


@pytest.mark.parametrize("command", ["ask", "graph"])
def test_a_detector_answers_no_queries(
    folder: Path, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, snapshot = str(folder / "images" / "a.png"), str(folder / "small.npz")
    words = [image, "dog, on, cat"] if command == "ask" else [image, "--to", str(tmp_path)]
    assert main([command, *words, "--snapshot", snapshot]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "small.npz: a detector (detector_mini), which answers no queries; use `dsg detect`" in message
