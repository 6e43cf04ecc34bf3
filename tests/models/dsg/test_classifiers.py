"""Role classifiers, the matching head and the label heads, against what they stand for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.models.dsg.classifiers import GraphLabels, GroundTruthLabels, MatchingHead, RoleClassifier
from dsg.models.dsg.outputs import LabelLogits
from tests.models.dsg.cases import close, noise

E, R = 5, 4


@pytest.mark.parametrize("hidden", [(6,), (6, 7)])
def test_role_classifier_is_dense_layers_on_the_concatenation(hidden: tuple[int, ...]) -> None:
    classifier = RoleClassifier(3, E, R, hidden, "glorot_uniform")
    for variable in classifier.named_variables().values():
        variable.assign(noise(*variable.shape, seed=len(variable.shape)))
    nodes, queries = noise(2, 8, 3), tf.constant([[[0, 1, 2], [4, 3, 4], [2, 0, 2]]] * 2)
    parts = zip((0, 1, 2), (E, R, E))
    one_hot = tf.concat([tf.one_hot(queries[..., slot], depth) for slot, depth in parts], -1)
    tiled_nodes = tf.broadcast_to(nodes[:, None], [2, 3, 8, 3])
    tiled_queries = tf.broadcast_to(one_hot[:, :, None], [2, 3, 8, 2 * E + R])
    x = tf.concat([tiled_nodes, tiled_queries], -1)
    for number, layer in enumerate(classifier.mlp.layers):
        x = layer(tf.nn.relu(x) if number else x)
    found = classifier(nodes, queries)
    assert found.shape == (2, 3, 8, 4)
    close(found, x)


def log_softmax(values: np.ndarray) -> np.ndarray:
    shifted = values - values.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def naive_matching(
    entities: np.ndarray, predicates: np.ndarray, query: Any, valid: Any, head: Any
) -> np.ndarray:
    """[N, 4] for one image and one query, box by box."""
    subject, relation, object_ = query
    entity, predicate = log_softmax(entities), log_softmax(predicates)
    count = len(entities)
    scores = np.zeros((count, 4))
    scale, shift = np.asarray(head.scale), np.asarray(head.shift)
    for i in range(count):
        as_subject = as_object = -math.inf
        for j in range(count):
            usable = i != j and valid[i] and valid[j]
            forward = predicate[i, j, relation] if usable else -30.0
            backward = predicate[j, i, relation] if usable else -30.0
            as_subject = max(as_subject, forward + entity[j, object_])
            as_object = max(as_object, backward + entity[j, subject])
        scores[i, 1] = scale[0] * (entity[i, subject] + as_subject) + shift[0]
        scores[i, 2] = scale[1] * (entity[i, object_] + as_object) + shift[1]
    return scores


@pytest.mark.parametrize("count", [1, 2, 6])
def test_matching_head(count: int) -> None:
    head = MatchingHead()
    head.scale.assign([0.7, 1.3])
    head.shift.assign([0.2, -0.4])
    labels = LabelLogits(2 * noise(2, count, E), 2 * noise(2, count, count, R, seed=1))
    queries = np.array([[[0, 1, 2], [4, 3, 4]], [[1, 0, 1], [3, 2, 0]]])
    valid = np.ones((2, count), bool)
    valid[1, count // 2 + 1 :] = False
    found = head(labels, tf.constant(queries), tf.constant(valid)).numpy()
    for image in range(2):
        arrays = (value[image].numpy().astype(float) for value in labels)
        entities, predicates = arrays
        for number, query in enumerate(queries[image]):
            expected = naive_matching(entities, predicates, query, valid[image], head)
            rows = valid[image]
            close(found[image, number][rows], expected[rows])
    assert np.isfinite(found).all()


def test_matching_does_not_hear_padding() -> None:
    head = MatchingHead()
    entities, predicates = noise(1, 5, E), noise(1, 5, 5, R, seed=1)
    query, valid = tf.constant([[[0, 1, 2]]]), tf.constant([[True, True, True, False, False]])
    found = head(LabelLogits(entities, predicates), query, valid)[:, :, :3]
    alone = LabelLogits(entities[:, :3], predicates[:, :3, :3])
    close(found, head(alone, query, tf.ones([1, 3], tf.bool)))


def test_matching_does_not_hear_padding_when_nothing_is_likely() -> None:
    """Of boxes that are all far from what is asked, one is still the nearest."""
    head = MatchingHead()
    entities, predicates = 60 * noise(1, 4, E, seed=2), noise(1, 4, 4, R, seed=1)
    entities = tf.tensor_scatter_nd_add(entities, [[0, box, 3] for box in range(4)], [500.0] * 4)
    query, valid = tf.constant([[[0, 1, 2]]]), tf.constant([[True, False, False, False]])
    for count in (1, 2):
        valid = tf.constant([[box < count for box in range(4)]])
        found = head(LabelLogits(entities, predicates), query, valid)[:, :, :count]
        alone = LabelLogits(entities[:, :count], predicates[:, :count, :count])
        close(found, head(alone, query, tf.ones([1, count], tf.bool)))


def packed(count: int, width: int) -> tuple[tf.Tensor, tf.Tensor, np.ndarray]:
    """Edge features [P, F], index [1, N, N], and the same as [N, N, F]."""
    edges = noise(count * count, width, seed=8)
    index = np.random.default_rng(1).permutation(count * count).reshape(1, count, count)
    return edges, tf.constant(index), edges.numpy()[index[0]]


def test_predicates_read_the_graph_in_the_release_s_order() -> None:
    head = GraphLabels(6, 3, 2, 5, E, R, refined_edges=False)
    nodes, refined, graph = noise(1, 4, 3), noise(1, 4, 6, seed=2), noise(1, 5, seed=3)
    edges, index, pairs = packed(4, 2)
    found = head(nodes, edges, index, refined, graph, None)
    close(found.entities, head.entities(refined))
    node, vector = nodes[0].numpy(), graph[0].numpy()
    for i in range(4):
        for j in range(4):
            row = np.concatenate([node[j], node[i], pairs[i, j], vector])
            close(found.predicates[0, i, j], head.predicates.layers[0](row[None])[0])


def test_predicates_read_refined_edges_where_there_are_some() -> None:
    head = GraphLabels(6, 3, 2, 5, E, R, refined_edges=True)
    refined_edges = noise(1, 4, 4, 6, seed=4)
    found = head(None, None, None, noise(1, 4, 6), None, refined_edges)
    close(found.predicates, head.predicates.layers[0](refined_edges))


def test_ground_truth_labels_put_the_relation_first() -> None:
    head = GroundTruthLabels(3, E, R)
    nodes = noise(1, 4, 3)
    edges, index, pairs = packed(4, 3)
    found = head(nodes, edges, index)
    node = nodes[0].numpy()
    for i in range(4):
        for j in range(4):
            row = np.concatenate([pairs[i, j], node[j], node[i]])
            close(found.predicates[0, i, j], head.predicates.layers[0](row[None])[0])


def test_role_classifier_answers_in_float32() -> None:
    nodes = tf.cast(noise(1, 4, 3), tf.bfloat16)
    roles = RoleClassifier(3, E, R, (6,), "glorot_uniform")(nodes, tf.constant([[[0, 0, 0]]]))
    assert roles.dtype == tf.float32


@pytest.mark.parametrize(("even", "louder"), [(True, 1.0), (False, 8.0)])
def test_node_and_query_begin_equally_loud_where_asked(even, louder):
    """Size of what a node of 192 values of unit size, and a query, add to the first layer."""
    classifier = RoleClassifier(192, 40, 6, (300, 5), "glorot_uniform", even=even)
    rng = np.random.default_rng(0)
    node = classifier.mlp.term(tf.constant(rng.normal(size=(200, 192)), tf.float32), 0)
    ids = [tf.constant(rng.integers(0, count, 200)) for count in (40, 6, 40)]
    query = sum(classifier.mlp.look_up(one, slot + 1) for slot, one in enumerate(ids))
    assert np.std(node.numpy()) / np.std(query.numpy()) == pytest.approx(louder, rel=0.1)
