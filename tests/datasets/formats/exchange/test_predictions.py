"""Scene graphs as files: their schema, and what other programs read of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dsg.datasets.formats.exchange import coco, gqa, label_studio, psg, scene_graphs, sgbench
from dsg.datasets.formats.exchange.annotation import Annotation
from dsg.datasets.formats.exchange.table import recognised
from dsg.errors import UserError
from dsg.visualize.scene_graph import Edge, Node, SceneGraph
from tests.datasets.formats.exchange.annotations import made
from tests.schema import faults
from tests.shared import ROOT

SCHEMA = json.loads((ROOT / "docs" / "scene-graph.schema.json").read_text())
GRAPH = SceneGraph(
    (
        Node(4, "cup", 0.75, 0.5, (50.0, 200.0, 130.0, 290.0)),
        Node(1, "table", 0.5, 0.25, (10.0, 280.0, 410.0, 430.0)),
    ),
    (Edge(1, "under", 0, 0.25), Edge(0, "on", 1, 0.75)),
)


@pytest.fixture
def graphs(tmp_path):
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "a_b.json").write_text(json.dumps(GRAPH.to_json("a b.png", (640, 480))))
    return folder


def test_our_files_are_of_the_schema() -> None:
    assert not list(faults(GRAPH.to_json(), SCHEMA)) and not list(faults(GRAPH.to_json("a", (2, 3)), SCHEMA))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(version=2), "/version: is 2, not 1"),
        (lambda v: v["nodes"][0].pop("label"), "/nodes/0: has no label"),
        (lambda v: v["nodes"][1].update(box=[1, 2, 3]), "/nodes/1/box: breaks minItems 4"),
        (lambda v: v["edges"][0].update(subject=0), "/edges/0/subject: breaks minimum 1"),
        (lambda v: v["edges"][0].update(score="high"), "/edges/0/score: is no number"),
    ],
)
def test_the_schema_finds_faults(change, said) -> None:
    content = GRAPH.to_json()
    change(content)
    assert list(faults(content, SCHEMA)) == [said]


def test_graphs_are_read_with_scores(graphs) -> None:
    assert recognised(graphs) == recognised(graphs / "a_b.json") == "scene-graphs"
    [image] = scene_graphs.read(graphs).images
    assert (image.file, image.width, image.height) == ("a b.png", 640, 480)
    assert [(one.name, one.score, one.box) for one in image.things] == [
        ("cup", 0.75, (50, 200, 130, 290)),
        ("table", 0.5, (10, 280, 410, 430)),
    ]
    assert [(r.subject, r.predicate, r.object, r.score) for r in image.relations] == [
        (1, "under", 0, 0.25),
        (0, "on", 1, 0.75),
    ]


@pytest.mark.parametrize("module", [coco, psg, label_studio, gqa])
def test_predictions_leave_and_come_back(module, graphs, tmp_path) -> None:
    found = scene_graphs.read(graphs)
    module.write(tmp_path / "out.json", found)
    [again], [wanted] = module.read(tmp_path / "out.json").images, found.images
    assert [(one.name, one.box) for one in again.things] == [(one.name, one.box) for one in wanted.things]
    said = {(r.subject, r.predicate, r.object) for r in again.relations}
    assert said == {(r.subject, r.predicate, r.object) for r in wanted.relations}
    if module in (coco, label_studio):
        assert [one.score for one in again.things] == [0.75, 0.5]


def test_sgbench_has_the_best_first(graphs, tmp_path) -> None:
    found = scene_graphs.read(graphs)
    found.categories, found.predicates = ("sky", "table", "cup"), ("on", "under")  # of the truth
    sgbench.write(tmp_path / "out.json", found)
    content = json.loads((tmp_path / "out.json").read_text())
    [image] = content["images"]
    assert content["version"] == 1 and image["id"] == "a b"
    assert image["categories"] == [2, 1] and image["bboxes"][0] == [50, 200, 130, 290]
    assert image["triplets"] == [[0, 1, 0], [1, 0, 1]]


def test_sgbench_itself_reads_it(tmp_path) -> None:
    pred = pytest.importorskip("sgbench.pred", reason="sgbench is not installed (requirements-compare.txt)")
    sgbench.write(tmp_path / "out.json", made())
    images = pred.parse_pred(json.loads((tmp_path / "out.json").read_text()))
    np.testing.assert_array_equal(images["7"].categories, [0, 1, 2, 0])
    np.testing.assert_array_equal(images["7"].bboxes[1], [10, 280, 410, 430])
    np.testing.assert_array_equal(images["7"].triplets, [[0, 1, 0], [1, 0, 1], [2, 0, 2], [2, 0, 0]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(version=9), "is of version 9"),
        (lambda v: v["nodes"][1].update(id=1), "the id 1 appears twice"),
        (lambda v: v["nodes"][1].update(box=3), "the box is 3"),
        (lambda v: v["edges"][0].pop("predicate"), "edges, entry 0: has no 'predicate'"),
        (lambda v: v.pop("width"), "no valid width and height"),
        (lambda v: [v.pop("width"), v.pop("height")], "--images DIR reads them"),
    ],
)
def test_faults_are_named(tmp_path, change, said) -> None:
    content = GRAPH.to_json("a.jpg", (640, 480))
    change(content)
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError) as error:
        scene_graphs.read(tmp_path / "a.json")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_other_files_in_the_folder_are_counted(graphs) -> None:
    (graphs / "results.json").write_text('{"score": 1}')
    found: Annotation = scene_graphs.read(graphs)
    assert found.skipped == {"file that is no scene graph": ["results.json"]} and len(found.images) == 1
