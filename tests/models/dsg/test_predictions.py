"""Asking a trained model about images of which nothing else is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.datasets.shapes.pictures import make_picture
from dsg.datasets.shapes.scene import OBJECTS
from dsg.engine.snapshots import load_snapshot, restore
from dsg.errors import UserError
from dsg.models.dsg.build import build_model
from dsg.models.dsg.trained import Trained, load_trained
from dsg.pipeline.batches import inference_batch
from tests.small_trained import write_snapshot

QUERIES = [[0, 1, 2], [3, 0, 3], [47, 3, 1]]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("ask") / "small_iter_0.npz")


@pytest.fixture(scope="module")
def trained(snapshot: Path) -> Trained:
    return load_trained(snapshot)


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    return make_picture("test", number, {"seed": 5, "size": list(size), "objects": [3, 5]})[0]


def test_a_snapshot_carries_all_that_is_needed(snapshot: Path, trained: Trained) -> None:
    saved = load_snapshot(snapshot)
    assert trained.config.net == "mini" and trained.config.test.scales == (64,)
    assert trained.vocabulary.objects == OBJECTS
    model = build_model(trained.config, len(OBJECTS), len(trained.vocabulary.predicates))
    restore(saved, model)
    model.fold()
    expected = model.named_variables()
    for name, variable in trained.model.named_variables().items():
        np.testing.assert_array_equal(variable.numpy(), expected[name].numpy())


def test_answers_are_in_pixels_of_the_image(trained: Trained) -> None:
    image = picture(0, (192, 128))
    found = trained.ask([image], [QUERIES])[0]
    predicted = trained.model.predict_roles(inference_batch([image], [QUERIES], trained.config))

    boxes = predicted.boxes.numpy()[0][predicted.valid.numpy()[0]]
    count = len(boxes)
    assert count > 1
    np.testing.assert_allclose(found.boxes, 2.0 * boxes, rtol=1e-5)  # the network sees 96 x 64 pixels
    assert found.boxes.min() >= 0 and (found.boxes <= [192, 128, 192, 128]).all()
    assert found.queries.tolist() == QUERIES
    assert found.probabilities.shape == (3, count, 4)
    np.testing.assert_allclose(found.probabilities.sum(axis=2), 1, rtol=1e-5)
    assert found.subjects.shape == found.objects.shape == (3, count)
    assert found.entities is not None and found.entities.shape == (count, 48)
    assert found.predicates is not None and found.predicates.shape == (count, count, 4)


def test_the_likeliest_box_comes_first(trained: Trained) -> None:
    found = trained.ask([picture(1, (96, 64))], [QUERIES])[0]
    for query in range(len(QUERIES)):
        for role, boxes in ((1, found.subject_boxes(query)), (2, found.object_boxes(query))):
            best = found.probabilities[query, :, role].argmax()
            np.testing.assert_array_equal(boxes[0], found.boxes[best])
            assert found.top(role)[query] == found.best_first(query, role)[0] == best
    assert len(found.subject_boxes(0)) == found.subjects[0].sum()
    unsure = replace(found, subjects=found.subjects & [[True], [False], [True]])
    assert (unsure.top(1) < 0).tolist() == [False, True, False]
    labelled = replace(found, probabilities=None, objects=~found.objects)  # as TWO STEP
    assert labelled.top(2).tolist() == [labelled.best_first(query, 2)[0] for query in range(len(QUERIES))]


def test_images_of_several_sizes_get_what_each_gets_alone(trained: Trained) -> None:
    images = [picture(0, (192, 128)), picture(1, (96, 96)), picture(2, (100, 70))]
    queries = [QUERIES, [], QUERIES[:1]]
    together = trained.ask(images, queries)
    for image, asked, found in zip(images, queries, together):
        alone = trained.ask([image], [asked])[0]
        assert len(found.probabilities) == len(asked)
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(found.probabilities, alone.probabilities, atol=1e-4)


def test_one_trace_answers_images_of_any_size(snapshot: Path, optimized: None) -> None:
    trained = load_trained(snapshot)
    sizes = [(192, 128), (96, 96), (100, 70)]
    for number, size in enumerate(sizes):
        image, queries = picture(number, size), QUERIES[:number]
        found, untraced = (trained.ask([image], [queries], traced=traced)[0] for traced in (True, False))
        for name in ("boxes", "proposals"):
            np.testing.assert_allclose(getattr(found, name), getattr(untraced, name), atol=1e-3)
        for name in ("probabilities", "entities", "predicates", "node_weights", "attention"):
            assert getattr(found, name).dtype == np.float32
            np.testing.assert_allclose(getattr(found, name), getattr(untraced, name), atol=1e-5)
        np.testing.assert_allclose(found.attention.sum(axis=1), 1, rtol=1e-5)
    assert trained._predict_one.traced.experimental_get_tracing_count() == 1
    trained.ask([picture(0, sizes[0]), picture(1, sizes[1])], [QUERIES, []])
    assert trained._predict_several.traced.experimental_get_tracing_count() == 1


def test_files_are_read(trained: Trained, tmp_path: Path) -> None:
    image = picture(3, (96, 64))
    cv2.imwrite(str(tmp_path / "a.png"), image)
    from_file, from_pixels = trained.ask([tmp_path / "a.png", image], [QUERIES] * 2)
    np.testing.assert_array_equal(from_file.boxes, from_pixels.boxes)


def test_a_scene_graph_is_decoded_where_there_are_labels(trained: Trained, tmp_path: Path) -> None:
    image = picture(4, (96, 64))
    graph = trained.ask([image], [[]])[0].scene_graph(trained.vocabulary)
    assert graph is not None and graph.nodes and graph.nodes[0].label.replace(" ", "_") in OBJECTS

    without = load_trained(write_snapshot(tmp_path / "plain.npz", "VARIANT", "no_dsg"))
    assert without.ask([image], [QUERIES])[0].scene_graph(without.vocabulary) is None


def test_mistakes(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 images, but queries for 1"):
        trained.ask([picture(0, (96, 64))] * 2, [QUERIES])
    with pytest.raises(UserError, match="no such image"):
        trained.ask([tmp_path / "absent.png"], [QUERIES])
    with pytest.raises(UserError, match="no such file"):
        load_trained(tmp_path / "absent.npz")
