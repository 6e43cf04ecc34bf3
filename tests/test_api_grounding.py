"""`dsg.load` of a grounded model: scene graphs with masks in Python, and the program of docs/api.md."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dsg
from dsg.api import Model
from dsg.datasets.shapes.pictures import make_picture
from dsg.errors import UserError
from dsg.models.grounding.trained import Given
from tests.shared import ROOT
from tests.small_grounding import WORDS, write_grounding

pytestmark = pytest.mark.usefixtures("untraced")
BOXES = np.array([[10, 10, 80, 100], [60, 30, 150, 120], [120, 70, 190, 127]], np.float64)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    options = ("GROUNDING.REFINE", "True", "GROUNDING.SETTING", "sgdet")
    return dsg.load(write_grounding(tmp_path_factory.mktemp("api") / "small.npz", *options))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """R, G, B."""
    picture = make_picture("test", 0, {"seed": 5, "size": [192, 128], "objects": [3, 5]})[0]
    return picture[:, :, ::-1].copy()


def test_the_graph_of_an_image(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    assert repr(model) == "<dsg model grounding_mini: 4 categories, 3 predicates>" and model.is_grounded
    graph = model.scene_graph(image)
    assert (graph.width, graph.height) == (192, 128) and 1 < len(graph.nodes) <= 8
    for node in graph.nodes:
        assert node.label in WORDS.objects and 0 < node.score <= 1 and node.mask.shape == (128, 192)
        x1, y1, x2, y2 = node.box
        assert 0 <= x1 <= x2 <= 192 and 0 <= y1 <= y2 <= 128
    assert graph.edges and all(edge.subject != edge.object for edge in graph.edges)
    for edge in graph.edges[:3]:
        certain = graph.nodes[edge.subject].score * graph.nodes[edge.object].score
        assert edge.score == pytest.approx(edge.probability * certain, rel=1e-5)

    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    again = model.scene_graph(tmp_path / "a.png")
    assert [node.box for node in again.nodes] == [node.box for node in graph.nodes]


def test_several_images(model: Model, image: np.ndarray) -> None:
    images = [image, image[:100, :150].copy(), image[:, ::-1].copy()]
    for alone, graph in zip((model.scene_graph(one) for one in images[:2]), model.grounded(images)):
        assert [node.label for node in alone.nodes] == [node.label for node in graph.nodes]
        np.testing.assert_allclose(alone.found.graph.boxes, graph.found.graph.boxes, atol=1e-2)
        np.testing.assert_allclose(alone.found.masks, graph.found.masks, atol=1e-3)


def test_boxes_and_labels_may_be_given(model: Model, image: np.ndarray) -> None:
    [graph] = model.grounded([image], given=[Given(BOXES)], attended=4)
    np.testing.assert_allclose(graph.found.graph.boxes, BOXES, atol=1e-4)
    assert len(graph.edges) == 6 and len(graph.found.attended) == 4
    assert len({node.score for node in graph.nodes}) == 3
    [named] = model.grounded([image], given=[Given(BOXES, np.array([3, 0, 2]))])
    assert [node.label for node in named.nodes] == ["hat", "dog", "traffic light"]
    assert [node.score for node in named.nodes] == [1, 1, 1] and named.found.attended is None


def test_a_model_that_was_given_labels_takes_the_detector_s(image: np.ndarray, tmp_path: Path) -> None:
    model = dsg.load(write_grounding(tmp_path / "small.npz"))
    graph = model.scene_graph(image)
    assert graph.nodes and (np.diff(graph.found.graph.scores) <= 0).all()  # as they were detected


def test_nothing_in_the_image(image: np.ndarray, tmp_path: Path) -> None:
    model = dsg.load(write_grounding(tmp_path / "small.npz", "TEST.SCORE_THRESHOLD", "1.0"))
    graph = model.scene_graph(image)
    assert not graph.nodes and not graph.edges and not graph.chosen().nodes
    assert graph.to_json()["edges"] == [] and graph.draw(image).shape[0] > 0


def test_what_it_does_not_do(model: Model, image: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"3 predicates> answers no queries: use scene_graph\(image\)"):
        model.ask(image, ["dog, on, cat"])
    with pytest.raises(UserError, match=r"gives graphs: use scene_graph\(image\)"):
        model.detect(image)
    with pytest.raises(UserError, match="has no graphs with masks: use `dsg ask`"):
        dsg.load(ROOT / "data/demo/mini.npz").grounded([image])
    with pytest.raises(UserError, match="small.npz: the detector of a scene graph, without the graph"):
        dsg.load(write_grounding(tmp_path / "small.npz", "GROUNDING.STAGE", "detector"))


def test_a_model_of_true_masks_sees_no_photographs(image: np.ndarray, tmp_path: Path) -> None:
    model = dsg.load(write_grounding(tmp_path / "small.npz", "GROUNDING.MASKS_FROM", "true"))
    with pytest.raises(UserError, match="trained on true masks"):
        model.scene_graph(image)


def test_the_program_of_the_document(
    image: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chapter = (
        (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("\n## Grounded scene graphs\n")[2]
    )
    found = re.search(r"(?:^ {4}.*\n|^\n(?= {4}))+", chapter, re.MULTILINE)
    assert found is not None
    write_grounding(tmp_path / "grounded.npz")
    cv2.imwrite(str(tmp_path / "photo.jpg"), image[:, :, ::-1])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(found[0]), "docs/api.md", "exec"), names)
    graph = names["graph"]
    assert len(capsys.readouterr().out.splitlines()) == min(10, len(graph.edges)) > 0
