"""Grounded graphs as programs get them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dsg.datasets.formats.segmentations import decode
from dsg.metrics.graph_recall import GraphTruth
from dsg.models.grounding.scene import right_relations
from tests.schema import faults
from tests.shared import ROOT
from tests.small_graphs import BOXES, HEIGHT, WIDTH, made_graph


def test_nodes_and_relations() -> None:
    graph = made_graph()
    assert [node.label for node in graph.nodes] == ["man", "horse", "traffic light", "man"]
    assert graph.nodes[2].box == (100, 5, 120, 60) and graph.nodes[2].score == 0.5
    assert len(graph.edges) == 12
    best = graph.edges[0]
    assert (best.subject, best.predicate, best.object) == (0, "riding", 1)
    assert best.score == pytest.approx(0.9 * 0.9 * 0.8) and best.probability == pytest.approx(0.9)
    assert np.all(np.diff([edge.score for edge in graph.edges]) <= 0)
    mask = graph.nodes[0].mask
    assert mask is not None and mask.shape == (HEIGHT, WIDTH)
    assert mask[50, 12:33].all() and not mask[50, 38:].any() and not mask[:5].any()


def test_refined_masks_are_the_masks() -> None:
    mask = made_graph(refined=True).nodes[0].mask
    assert mask is not None and mask[30, 55] and not mask[70, 20]
    assert made_graph(masks=False).nodes[0].mask is None


def test_what_matters_most() -> None:
    graph = made_graph().chosen()
    assert [node.box for node in graph.nodes] == [tuple(BOXES[i].tolist()) for i in (0, 1, 2)]
    words = [(edge.subject, edge.predicate, edge.object) for edge in graph.edges]
    # One relation of each pair of things; the man who is there twice is one.
    assert words == [(0, "riding", 1), (2, "next to", 0), (1, "on", 2)]
    few = made_graph().chosen(nodes=2)
    assert len(few.nodes) == 2 and [edge.predicate for edge in few.edges] == ["riding"]
    assert [node.label for node in made_graph().chosen(nodes=3, edges=0).nodes] == [
        "man",
        "horse",
        "traffic light",
    ]
    twice = made_graph().chosen(nodes=9, edges=99, overlap=1.0)
    assert len(twice.nodes) == 4 and len(twice.edges) == 6


def test_regions_follow_their_relations() -> None:
    graph = made_graph()
    assert graph.found.attended is not None
    marked = np.arange(12, dtype=np.float32)[:, None, None, None] * np.ones_like(graph.found.attended)
    known = graph.found._replace(attended=marked[:5])
    chosen = type(graph)(graph.width, graph.height, known, graph.vocabulary).chosen(9, 99, overlap=1.0)
    every = [(BOXES[one.subject].tolist(), BOXES[one.object].tolist()) for one in graph.edges]
    ends = [[list(chosen.nodes[i].box) for i in (one.subject, one.object)] for one in chosen.edges]
    rows = [every.index(tuple(pair)) for pair in ends]
    assert chosen.found.attended is not None
    assert chosen.found.attended[:, 0, 0, 0].tolist() == [row for row in rows if row < 5]


def test_json() -> None:
    graph = made_graph().chosen()
    plain = json.loads(json.dumps(graph.to_json()))
    assert (plain["version"], plain["width"], plain["height"]) == (1, WIDTH, HEIGHT)
    assert [node["id"] for node in plain["nodes"]] == [1, 2, 3]
    assert plain["nodes"][2]["label"] == "traffic light" and plain["nodes"][2]["box"] == [100, 5, 120, 60]
    for entry, node in zip(plain["nodes"], graph.nodes):
        np.testing.assert_array_equal(decode(entry["mask"], HEIGHT, WIDTH, ""), node.mask)
    assert plain["edges"][0] == {
        "subject": 1,
        "predicate": "riding",
        "object": 2,
        "probability": 0.9,
        "score": 0.648,
    }
    schema = json.loads((ROOT / "docs" / "scene-graph.schema.json").read_text())
    assert not list(faults(plain, schema)) and not list(faults(graph.to_json(image="a.jpg"), schema))
    assert "mask" not in graph.to_json(masks=False)["nodes"][0]
    assert "mask" not in made_graph(masks=False).to_json()["nodes"][0]


def test_dot_has_the_numbers_of_the_json() -> None:
    lines = made_graph().chosen().to_dot().splitlines()
    assert '  n3 [label="3 traffic light"];' in lines
    assert '  n1 -> n2 [label="riding 0.65"];' in lines


def test_relations_that_are_true() -> None:
    graph = made_graph()
    truth = GraphTruth(
        BOXES[:3].astype(np.float64), np.array([0, 1, 2]), np.array([[0, 1, 1], [2, 0, 1], [1, 0, 0]])
    )
    right = right_relations(graph, truth)
    named = {(graph.edges[place].subject, graph.edges[place].object, row) for place, row in right.tolist()}
    # The man who is there twice hits twice; "traffic light riding man" is not what is said of that pair.
    assert named == {(0, 1, 0), (3, 1, 0), (1, 0, 2), (1, 3, 2)}


def test_pictures() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    graph = made_graph().chosen()
    assert graph.draw(image).shape[1] > 420
    masks, regions = graph.draw_relation(image, 0), graph.draw_relation(image, 0, attended=True)
    assert masks.shape == regions.shape and (masks != regions).any()
    assert made_graph(masks=False).draw_relation(image, 0).shape == masks.shape
