"""Exported grounded models say what the library says, as a SavedModel; the rest is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.export.functions import load_any_trained
from dsg.apps.export.saved_model import export_saved_model
from dsg.apps.main import main
from dsg.models.grounding.answers import suppressed_labels
from dsg.models.grounding.label_choice import suppressed_in_graph
from dsg.models.grounding.scene import GroundedGraph
from dsg.models.grounding.trained import Given, TrainedGrounding
from tests.apps.export.test_saved_model import pictures
from tests.small_grounding import WORDS, write_grounding

SGDET = ("GROUNDING.SETTING", "sgdet", "GROUNDING.REFINE", "True")
BOXES, LABELS = np.array([[5, 5, 60, 40], [20, 10, 90, 60]], np.float32), np.array([3, 1], np.int32)


def trained_model(path: Path, *overrides: str) -> TrainedGrounding:
    trained = load_any_trained(write_grounding(path, *overrides))
    assert isinstance(trained, TrainedGrounding)
    return trained


def check(outputs: Mapping[str, Any], graph: GroundedGraph) -> None:
    outputs = {name: np.asarray(value) for name, value in outputs.items()}
    expected = graph.found.graph
    assert len(expected.boxes) > 1 and len(expected.pairs) > 1
    np.testing.assert_allclose(outputs["boxes"], expected.boxes, atol=5e-3)
    np.testing.assert_array_equal(outputs["labels"], expected.labels)
    np.testing.assert_allclose(outputs["scores"], expected.scores, atol=1e-4)
    np.testing.assert_allclose(outputs["masks"], graph.cells, atol=1e-3)
    # Relations of equal scores, but for rounding, may change places.
    np.testing.assert_allclose(outputs["triple_scores"], expected.triple_scores, atol=1e-4)
    assert (np.diff(outputs["triple_scores"]) <= 0).all()
    rows = {tuple(pair): row for row, pair in enumerate(expected.pairs.tolist())}
    order = [rows[tuple(pair)] for pair in outputs["pairs"].tolist()]
    np.testing.assert_allclose(outputs["predicate_probabilities"], expected.probabilities[order], atol=1e-4)
    np.testing.assert_array_equal(outputs["predicates"], expected.predicates[order])


def test_a_saved_model(tmp_path: Path) -> None:
    trained = trained_model(tmp_path / "small.npz", *SGDET)
    export_saved_model(trained, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures
    for name in ("twice", "odd"):
        image = pictures()[name]
        [graph] = trained.graphs([image[:, :, ::-1]], traced=False)
        check(served["serving_default"](image=tf.constant(image)), graph)
    [graph] = trained.graphs([image[:, :, ::-1]], [Given(BOXES, LABELS)], traced=False)
    known = {"boxes": tf.constant(BOXES), "labels": tf.constant(LABELS)}
    check(served["given"](image=tf.constant(image), **known), graph)
    words = {key: [one.decode() for one in value.numpy()] for key, value in served["vocabulary"]().items()}
    assert words == {"objects": list(WORDS.objects), "predicates": list(WORDS.predicates)}
    assert json.loads((tmp_path / "model" / "vocabulary.json").read_text()) == words


def test_onnx_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grounding(tmp_path / "small.npz")
    files = [f"--weights={tmp_path / 'weights.npz'}", f"--onnx={tmp_path / 'model.onnx'}"]
    assert main(["export", "--snapshot", str(tmp_path / "small.npz"), *files]) == 2
    assert "cannot be exported to ONNX" in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["small.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("GROUNDING.CONTEXT", "vctree"), "vctree cannot be exported: it builds its tree in Python"),
        (("GROUNDING.MASKS_FROM", "true"), "photographs have no true masks"),
    ],
)
def test_what_cannot_be_exported(
    tmp_path: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grounding(tmp_path / "small.npz", *options)
    words = ["--snapshot", str(tmp_path / "small.npz"), "--saved-model", str(tmp_path / "model")]
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1] and not (tmp_path / "model").exists()


def test_labels_are_settled_as_in_numpy() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 6, 12):
        probabilities = rng.dirichlet(np.ones(5) / 3, count).astype(np.float32)
        low = rng.uniform(0, 40, (count, 5, 2))
        boxes = np.concatenate([low, low + rng.uniform(10, 40, (count, 5, 2))], -1).astype(np.float32)
        labels = tf.function(suppressed_in_graph)(tf.constant(probabilities), tf.constant(boxes))
        np.testing.assert_array_equal(labels, suppressed_labels(probabilities, boxes))
