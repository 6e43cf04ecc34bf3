"""Exported detectors find what the library finds: in a graph, as a SavedModel, as an ONNX file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.export.functions import for_tensorflow, load_any_trained
from dsg.apps.export.onnx_file import export_onnx
from dsg.apps.export.saved_model import export_saved_model
from dsg.models.detector.objects import DetectedObjects
from dsg.models.detector.trained import TrainedDetector
from tests.apps.export.test_saved_model import pictures
from tests.eager import untraced
from tests.small_detector import CLASSES, write_detector

ONNX = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
AS_TF_FASTER_RCNN = (
    *("EXACT_BOXES", "False", "DETECTOR.MASKS", "False", "DETECTOR.ROI_MODE", "crop"),
    *("USE_E2E_TF", "True", "TEST.NMS", "0.3", "TEST.SCORE_THRESHOLD", "0.1"),
)

Expected = list[tuple[np.ndarray, DetectedObjects]]


def trained_detector(path: Path, *overrides: str) -> TrainedDetector:
    trained = load_any_trained(write_detector(path, *overrides))
    assert isinstance(trained, TrainedDetector)
    return trained


def check(outputs: Mapping[str, Any], expected: DetectedObjects) -> None:
    """Outputs are what the library finds, zeros behind."""
    outputs = {name: np.asarray(value) for name, value in outputs.items()}
    count = int(outputs["count"])
    assert count == len(expected) > 0
    assert outputs["boxes"].shape == (20, 4) and outputs["scores"].shape == outputs["classes"].shape == (20,)
    np.testing.assert_allclose(outputs["boxes"][:count], expected.boxes, atol=5e-3)
    np.testing.assert_allclose(outputs["scores"][:count], expected.scores, atol=1e-4)
    np.testing.assert_array_equal(outputs["classes"][:count], expected.classes)
    assert not any(outputs[name][count:].any() for name in outputs if name != "count")
    assert ("masks" in outputs) == (expected.cells is not None)
    if expected.cells is not None:
        assert outputs["masks"].shape == (20, 28, 28)
        np.testing.assert_allclose(outputs["masks"][:count], expected.cells, atol=1e-3)


def found(trained: TrainedDetector, *names: str) -> Expected:
    """RGB images by name, and what the library finds in them."""
    images = [pictures()[name] for name in names]
    with untraced():
        return [(image, trained.detect([image[:, :, ::-1]])[0]) for image in images]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedDetector:
    return trained_detector(tmp_path_factory.mktemp("detector") / "small.npz")


@pytest.fixture(scope="module")
def expected(trained: TrainedDetector) -> Expected:
    return found(trained, "twice", "odd", "long", "upright")


def test_boxes_and_choice_of_tf_faster_rcnn(tmp_path: Path) -> None:
    trained = trained_detector(tmp_path / "small.npz", *AS_TF_FASTER_RCNN)
    exported = for_tensorflow(trained, direct=True)
    graph = tf.function(exported.function, input_signature=exported.signature, autograph=False)
    # Of sizes that the network's input gives back exactly.
    for image, objects in found(trained, "twice", "upright"):
        check(graph(image), objects)


def test_a_saved_model(trained: TrainedDetector, expected: Expected, tmp_path: Path) -> None:
    export_saved_model(trained, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures
    for image, objects in expected:
        check(served["serving_default"](image=tf.constant(image)), objects)
    words = [word.decode() for word in served["vocabulary"]()["objects"].numpy()]
    assert words == list(CLASSES)
    assert json.loads((tmp_path / "model" / "vocabulary.json").read_text()) == {"objects": list(CLASSES)}


@pytest.mark.skipif(
    not ONNX, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)
def test_an_onnx_file(trained: TrainedDetector, expected: Expected, tmp_path: Path) -> None:
    import onnxruntime

    export_onnx(trained, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for image, objects in expected:
        check(dict(zip(names, session.run(None, {"image": image}))), objects)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["objects"]) == list(CLASSES) and "predicates" not in about
