"""Scene graphs of a split and of image files, as files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.scene_graphs.command import graphs_of_images
from dsg.errors import UserError
from dsg.runtime.picture_names import PlainNames
from tests.programs import run_program
from tests.small_trained import write_snapshot
from tests.tiny import make_tiny_shapes


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    make_tiny_shapes(folder / "data", train=2, test=3)
    write_snapshot(folder / "mine_iter_0.npz")
    return folder


def program(place: Path, *words: str) -> subprocess.CompletedProcess:
    return run_program("scene_graph", *words, cwd=place)


def test_a_split_gives_graphs_pictures_and_an_accuracy(place, untraced):
    done = program(
        place, "--imdb", "data/shapes", "--model", "mine_iter_0.npz", "--to", "out", "--pictures", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "paper (Visual Genome)" in done.stdout and "76%" in done.stdout
    names = sorted(path.name for path in (place / "out/graphs").iterdir())
    assert [sum(name.endswith(end) for name in names) for end in (".json", ".dot", ".png")] == [3, 3, 1]
    found = json.loads((place / "out/accuracy.json").read_text())
    assert found["images"] == 3 and found["published"] == {"entities": 0.76, "relations": 0.7}
    graph = json.loads((place / "out/graphs" / names[1]).read_text())
    boxes = np.array([node["box"] for node in graph["nodes"]])
    assert (
        boxes.min() >= 0 and boxes[:, 2].max() <= 96 and boxes[:, 3].max() <= 64
    )  # of the image, not the input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "mine_iter_0.npz"], "give image files"),
        (["--model", "absent.npz", "photo.png"], "absent.npz: no such file"),
        (["--model", "absent.npz", "photo.png", "--set", "TEST.SCALES", "64"], "--set need --dataset"),
        (["--model", "mine_iter_0.npz", "--imdb", "data/shapes", "a.png"], "not both"),
        (["--model", "mine_iter_0.npz", "--imdb", "data/shapes", "--nodes", "0"], "--nodes"),
        (["--model", "absent_iter_0", "--imdb", "data/shapes", "--net", "mini"], "no snapshot"),
        (
            ["--model", "mine_iter_0.npz", "--imdb", "data/shapes", "--net", "vrd", "--set", "NET", "vrd"],
            "maps",
        ),
    ],
)
def test_mistakes_are_one_line(place, words, message):
    done = program(place, *words)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_image_files_give_a_graph_each(place):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)
    (place / "more").mkdir()
    images = [place / name for name in ("a b.png", "other_1.png", "other.png", "more/other.png")]
    for path in images:
        cv2.imwrite(str(path), pixels)
    (place / "files").mkdir()
    graphs_of_images(place / "mine_iter_0.npz", images, place / "files", nodes=2)
    assert len(list((place / "files").glob("*.dot"))) == len(images)
    for name in ("a_b", "other_1", "other"):
        assert len(json.loads((place / f"files/{name}.json").read_text())["nodes"]) <= 2
        assert (place / f"files/{name}.dot").read_text().startswith("digraph")
        assert cv2.imread(str(place / f"files/{name}.png")) is not None


def test_every_image_of_a_split_has_a_file_of_its_own():
    names = PlainNames()
    asked = [("x/a.jpg", False), ("x/a.jpg", True), ("y/a.png", False), ("a_2.png", False), ("a.jpg", False)]
    assert [names.of(*one) for one in asked] == ["a", "a_mirrored", "a_2", "a_2_2", "a_3"]


def test_a_network_without_labels_is_refused(place):
    write_snapshot(place / "plain_iter_0.npz", "VARIANT", "dsg_sgl")
    cv2.imwrite(str(place / "grey.png"), np.full((40, 60, 3), 90, np.uint8))
    with pytest.raises(UserError, match="no label heads"):
        graphs_of_images(place / "plain_iter_0.npz", [place / "grey.png"], place)
