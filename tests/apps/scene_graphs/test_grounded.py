"""Grounded scene graphs of image files and of a split, as files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import dsg
from dsg.apps.main import main
from tests.small_graph_data import make_graphs, words_of
from tests.small_grounding import write_grounding


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grounded")
    data = make_graphs(folder / "data")
    write_grounding(folder / "mine_iter_0.npz", words=words_of(data))
    write_grounding(folder / "detector.npz", "GROUNDING.STAGE", "detector", words=words_of(data))
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a b.png", "c.png"):
        cv2.imwrite(str(folder / "photos" / name), rng.integers(0, 256, (60, 90, 3), np.uint8))
    return folder


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.usefixtures("untraced")
def test_images_and_folders(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    Path("damaged.png").write_bytes(b"no image")
    words = ["photos", "damaged.png", "--snapshot", "mine_iter_0.npz", "--to", "files", "--nodes", "3"]
    assert main(["graph", *words]) == 2  # after the others' graphs
    assert "1 of 3 images cannot be read, for example damaged.png" in last_line(capsys)
    model = dsg.load("mine_iter_0.npz")
    for name, file in (("a_b", "a b.png"), ("c", "c.png")):
        graph = model.scene_graph(Path("photos", file)).chosen(nodes=3)
        assert 0 < len(graph.nodes) <= 3
        assert json.loads(Path(f"files/{name}.json").read_text()) == {**graph.to_json(), "image": file}
        assert Path(f"files/{name}.dot").read_text() == graph.to_dot()
        assert cv2.imread(f"files/{name}.png") is not None


@pytest.mark.usefixtures("untraced")
def test_a_split_in_a_setting(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    words = ["--dataset", "data/shapes150", "--snapshot", "mine_iter_0.npz", "--pictures", "1"]
    assert main(["graph", *words, "--setting", "sgcls", "--to", "out", "--nodes", "9"]) == 0
    names = sorted(path.name for path in Path("out/graphs").iterdir())
    assert [sum(name.endswith(end) for name in names) for end in (".json", ".dot", ".png")] == [3, 3, 1]
    first = json.loads(Path("out/graphs/200000.json").read_text())
    from dsg.datasets.scene_graphs import graphs_of, load_graphs

    boxes = graphs_of(load_graphs("data/shapes150", "test"))[0].boxes.tolist()
    assert sorted(node["box"] for node in first["nodes"]) == sorted(
        np.round(box, 2).tolist() for box in boxes
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos/c.png", "--setting", "sgcls"], "--setting needs --dataset"),
        (["absent.png"], "absent.png: no such file"),
        (["data/shapes150"], "no image in this folder"),
        (["photos/c.png", "--snapshot", "detector.npz"], "detector.npz: the detector of a scene graph"),
        (["--dataset", "data/shapes150", "--snapshot", "detector.npz"], "without the graph"),
        (["--dataset", "data/shapes150", "--net", "ssas"], "answers with maps"),
    ],
)
def test_mistakes_are_one_line(
    place: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    given = [] if "--snapshot" in words else ["--snapshot", "mine_iter_0.npz"]
    assert main(["graph", *words, *given, "--to", "none"]) == 2
    assert message in last_line(capsys)


@pytest.mark.parametrize(
    ("command", "use"),
    [("ask", "use `dsg graph`, or scene_graph() in Python"), ("detect", "use `dsg graph`")],
)
def test_it_answers_nothing_else(
    place: Path,
    command: str,
    use: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    words = ["photos/c.png", "dog, on, cat"] if command == "ask" else ["photos/c.png"]
    assert main([command, *words, "--snapshot", "mine_iter_0.npz"]) == 2
    assert use in last_line(capsys)
