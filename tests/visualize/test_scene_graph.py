"""Decoding a scene graph, laying it out without overlaps, drawing it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from dsg.visualize.graph_picture import diagram_layout, draw_diagram, draw_scene_graph
from dsg.visualize.scene_graph import Edge, Node, SceneGraph, decode_scene_graph

ENTITIES = ("red_cube", "blue_sphere", "man", 'the "odd" one')
PREDICATES = ("left", "on", "next_to")


def probabilities(labels, count):
    """Rows that are 0.7 at each label."""
    rows = np.full((*np.shape(labels), count), 0.3 / (count - 1))
    np.put_along_axis(rows, np.asarray(labels)[..., None], 0.7, axis=-1)
    return rows


@pytest.fixture
def inputs():
    """Four boxes, the last almost the same as the first."""
    boxes = np.array([[0, 0, 40, 40], [60, 0, 100, 40], [60, 60, 100, 100], [2, 2, 41, 41]], np.float32)
    predicate = probabilities(np.array([[0, 0, 1, 0], [2, 0, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]]), 3)
    predicate[0, 2] = [0.02, 0.95, 0.03]
    predicate[1, 0] = [0.1, 0.1, 0.8]
    return {
        "entity_probabilities": probabilities(np.array([0, 1, 2, 3]), 4),
        "predicate_probabilities": predicate,
        "boxes": boxes,
        "entities": ENTITIES,
        "predicates": PREDICATES,
        "node_weights": np.array([0.2, 0.4, 0.3, 0.1]),
    }


def test_nodes_by_weight_without_duplicates(inputs):
    graph = decode_scene_graph(**inputs)
    assert [node.label for node in graph.nodes] == ["blue sphere", "man", "red cube"]
    assert [node.index for node in graph.nodes] == [1, 2, 0]
    assert graph.nodes[0].box == (60, 0, 100, 40) and graph.nodes[0].score == pytest.approx(0.7)
    everything = decode_scene_graph(**inputs, max_overlap=1.0)
    assert len(everything.nodes) == 4
    assert [node.index for node in decode_scene_graph(**inputs, max_nodes=2).nodes] == [1, 2]


def test_duplicates_keep_the_heavier_box(inputs):
    inputs["node_weights"] = np.array([0.1, 0.4, 0.3, 0.2])
    assert {node.index for node in decode_scene_graph(**inputs).nodes} == {1, 2, 3}


def test_weights_default_to_entity_probability(inputs):
    inputs["node_weights"] = None
    inputs["entity_probabilities"][2] = [0.0, 0.0, 1.0, 0.0]
    graph = decode_scene_graph(**inputs)
    assert graph.nodes[0].index == 2 and graph.nodes[0].weight == 1.0


def test_edges_by_confidence(inputs):
    graph = decode_scene_graph(**inputs)
    assert graph.edges[0] == Edge(subject=2, predicate="on", object=1, score=0.95)
    assert graph.edges[1] == Edge(subject=0, predicate="next to", object=2, score=0.8)
    assert len(graph.edges) == 3  # one for each pair
    assert len({frozenset((edge.subject, edge.object)) for edge in graph.edges}) == 3
    both = decode_scene_graph(**inputs, both_directions=True, max_edges=99)
    assert len(both.edges) == 6
    assert [edge.score for edge in both.edges] == sorted((edge.score for edge in both.edges), reverse=True)
    assert len(decode_scene_graph(**inputs, both_directions=True, max_edges=4).edges) == 4


def test_no_boxes():
    graph = decode_scene_graph(
        np.zeros((0, 4)), np.zeros((0, 0, 3)), np.zeros((0, 4)), entities=ENTITIES, predicates=PREDICATES
    )
    assert graph == SceneGraph((), ())
    assert draw_scene_graph(np.zeros((50, 60, 3), np.uint8), graph).shape[2] == 3


def test_shapes_are_checked(inputs):
    inputs["predicates"] = PREDICATES[:2]
    with pytest.raises(ValueError, match="shapes"):
        decode_scene_graph(**inputs)


def test_json(inputs):
    data = json.loads(json.dumps(decode_scene_graph(**inputs).to_json()))
    assert [node["id"] for node in data["nodes"]] == [1, 2, 3]
    assert data["nodes"][2]["label"] == "red cube" and data["nodes"][2]["box"] == [0, 0, 40, 40]
    assert data["edges"][0] == {"subject": 3, "predicate": "on", "object": 2, "score": 0.95}


def test_dot(inputs):
    lines = decode_scene_graph(**inputs).to_dot().splitlines()
    assert lines[0] == "digraph scene {" and lines[-1] == "}"
    assert '  n3 [label="3 red cube"];' in lines
    assert '  n3 -> n2 [label="on 0.95"];' in lines
    odd = SceneGraph((Node(0, 'a "b" \\', 1.0, 1.0, (0, 0, 1, 1)),), ()).to_dot()
    assert '[label="1 a \\"b\\" \\\\"]' in odd


def random_graph(rng, nodes, edges, name="entity number"):
    corners = np.sort(rng.random((nodes, 2, 2)) * 400, axis=1).reshape(nodes, 4)
    pairs = list(itertools.permutations(range(nodes), 2))
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:edges]]
    return SceneGraph(
        tuple(Node(i, f"{name} {i}", 0.9, 0.1, tuple(box)) for i, box in enumerate(corners)),
        tuple(Edge(i, "in front of", j, 0.5) for i, j in chosen),
    )


def overlapping(first, second):
    return bool(np.all(first[:2] < second[2:]) and np.all(second[:2] < first[2:]))


@pytest.mark.parametrize("nodes, edges", [(1, 0), (2, 2), (3, 6), (5, 8), (6, 8), (8, 12), (12, 20)])
def test_texts_never_overlap(nodes, edges):
    for seed in range(3):
        graph = random_graph(np.random.default_rng(seed), nodes, edges)
        layout, names, labels = diagram_layout(graph, 420)
        rectangles = np.concatenate([layout.nodes, layout.labels])
        assert len(rectangles) == len(names) + len(labels)
        for first, second in itertools.combinations(rectangles, 2):
            assert not overlapping(first, second)
        assert layout.nodes.min() >= 0 and np.all(layout.nodes[:, 2:].max(axis=0) <= layout.size)
        for edge, curve in zip(graph.edges, layout.curves):
            assert on_border(curve[0], layout.nodes[edge.subject])
            assert on_border(curve[-1], layout.nodes[edge.object])


def on_border(point, rectangle):
    inside = np.all(point >= rectangle[:2] - 1e-6) and np.all(point <= rectangle[2:] + 1e-6)
    distance = min(np.abs(point - rectangle[:2]).min(), np.abs(point - rectangle[2:]).min())
    return inside and distance < 1e-6


def test_boxes_in_one_point_are_laid_out():
    nodes = tuple(Node(i, "thing", 0.9, 0.1, (5.0, 5.0, 9.0, 9.0)) for i in range(3))
    layout, _, _ = diagram_layout(SceneGraph(nodes, (Edge(0, "on", 1, 0.5),)), 300)
    assert not any(overlapping(a, b) for a, b in itertools.combinations(layout.nodes, 2))


def test_left_in_the_image_is_left_in_the_diagram():
    boxes = [(0, 180, 40, 220), (360, 180, 400, 220), (180, 0, 220, 40), (180, 360, 220, 400)]
    graph = SceneGraph(tuple(Node(i, "thing", 0.9, 0.1, box) for i, box in enumerate(boxes)), ())
    centres = np.reshape(diagram_layout(graph, 420)[0].nodes, (-1, 2, 2)).mean(axis=1)
    assert centres[:, 0].argmin() == 0 and centres[:, 0].argmax() == 1
    assert centres[:, 1].argmin() == 2 and centres[:, 1].argmax() == 3


def test_picture(inputs):
    image = np.full((420, 420, 3), 90, np.uint8)
    inputs["boxes"] = inputs["boxes"] * 4
    graph = decode_scene_graph(**inputs)
    picture = draw_scene_graph(image, graph)
    diagram = draw_diagram(graph, 420)
    assert picture.shape == (420, 420 + 12 + diagram.shape[1], 3)
    node_colour = picture[100, 240]  # left side of the first node's box
    assert not (node_colour == 90).all()
    in_diagram = (picture[:, 432:] == node_colour).all(axis=2)
    assert in_diagram.sum() > 500  # its rectangle
    assert (image == 90).all()


def test_long_names_are_shortened():
    graph = random_graph(
        np.random.default_rng(0), 6, 8, name="a very long name of an entity that nobody would read"
    )
    layout, names, _ = diagram_layout(graph, 420)
    assert all(name.endswith("…") for name in names)
    assert (layout.nodes[:, 2] - layout.nodes[:, 0]).max() < 250
