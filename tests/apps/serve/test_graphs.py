"""The page of a grounded model: what it shows, its examples, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dsg
from dsg.apps.serve.command import find_examples, service_of
from dsg.apps.serve.graph_figure import graph_figure
from dsg.apps.serve.graph_service import GraphService
from dsg.apps.serve.upload import Limits
from dsg.errors import UserError
from tests.apps.serve.running import DEMO
from tests.apps.serve.test_service import of_class, parsed
from tests.small_graph_data import make_graphs, words_of
from tests.small_graphs import HEIGHT, WIDTH, made_graph
from tests.small_grounding import write_grounding

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphService]:
    folder = tmp_path_factory.mktemp("graphs")
    data = make_graphs(folder)
    write_grounding(folder / "small.npz", "GROUNDING.REFINE", "True", words=words_of(data))
    found = service_of(dsg.load(folder / "small.npz"), Limits(), data)
    assert isinstance(found, GraphService)
    yield found


def test_relations_stand_beside_the_image_with_their_regions() -> None:
    graph = made_graph().chosen()
    tree = parsed(graph_figure(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), graph, [0]))
    rows = of_class(tree, "relation")
    texts = [next(one.text for one in row.iter() if one.tag.endswith("text")) for row in rows]
    assert texts == [
        "1 man riding 2 horse 0.65 \N{CHECK MARK}",
        "3 traffic light next to 1 man 0.27",
        "2 horse on 3 traffic light 0.16",
    ]
    for row, edge in zip(rows, graph.edges):
        regions = of_class(row, "region")
        for region, node in zip(regions, (edge.subject, edge.object)):
            x1, y1, x2, y2 = graph.nodes[node].box
            places = [float(region.attrib[key]) for key in ("x", "y", "width", "height")]
            assert places == [x1, y1, x2 - x1, y2 - y1]
        assert len(regions) == 2
    assert len(of_class(tree, "masks")) == 1
    bare = parsed(graph_figure(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), made_graph(masks=False).chosen()))
    assert not of_class(bare, "region") and not of_class(bare, "masks")


def test_the_graph_of_an_upload(service: GraphService) -> None:
    shown = service.describe(DEMO / "images" / "demo_0.png")
    assert shown.data["setting"] == "sgdet" and shown.data["nodes"] and "true_relations" not in shown.data
    assert len(of_class(parsed(shown.figure), "relation")) == len(shown.data["edges"])
    assert "before and after" in shown.refinement and "<img" in shown.diagram
    assert list(shown.data["seconds"]) == ["reading", "network", "drawing", "together"]


@pytest.mark.parametrize("setting", ["sgdet", "sgcls", "predcls"])
def test_the_three_settings_of_an_example(service: GraphService, setting: str) -> None:
    known = service.known[1]
    shown = service.describe(known.path, setting)
    true = shown.data["true_relations"]
    assert true["count"] == len(known.truth.relations) and set(true["found"]) == {"20", "50", "100"}
    assert "true relations" in shown.figure
    if setting != "sgdet":
        boxes = {tuple(np.round(box, 2).tolist()) for box in known.truth.boxes}
        assert {tuple(node["box"]) for node in shown.data["nodes"]} <= boxes
    if setting == "predcls":
        assert all(node["score"] == 1 for node in shown.data["nodes"])


@pytest.mark.parametrize(
    ("path", "setting", "message"),
    [
        (None, "sgdet", "Choose an image first"),
        (DEMO / "images" / "demo_0.png", "sgcls", "known of the examples"),
        (DEMO / "images" / "demo_0.png", "all", "The setting is one of predcls, sgcls, sgdet"),
    ],
)
def test_what_it_refuses(service: GraphService, path: Path | None, setting: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        service.describe(path, setting)


def test_examples(service: GraphService, tmp_path: Path) -> None:
    assert [one.path for one in find_examples(service.model, service.known[0].path.parents[1])] == [
        one.path for one in service.known
    ]
    assert len(service.known) == 3
    assert find_examples(service.model, DEMO)  # pictures of a data set of another kind
    other = dsg.load(write_grounding(tmp_path / "other.npz"))
    assert not service_of(other, Limits(), service.known[0].path.parents[1]).known  # other words
