"""Detectors on a feature pyramid as ONNX files: onnxruntime finds what the library finds, also where a level
has no box, or an image no object.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.apps.export.onnx_file import export_onnx
from dsg.models.detector import predictions
from dsg.models.detector.trained import TrainedDetector
from dsg.nets.backbones.fpn import STRIDES
from dsg.nets.pyramid_roi import CROPPED, box_levels
from dsg.pipeline.instance_batches import inference_batch
from tests.apps.export.conftest import ONNX
from tests.eager import untraced
from tests.small_pyramid import small_pyramid

pytestmark = pytest.mark.skipif(
    not ONNX, reason="tf2onnx, onnx or onnxruntime is not installed (requirements-export.txt)"
)


def images() -> dict[str, np.ndarray]:
    """uint8 RGB images by what is special about them."""
    rng = np.random.default_rng(0)
    mean = np.array([124, 116, 104], np.uint8)
    return {
        "several levels": rng.integers(0, 256, (64, 500, 3), np.uint8),
        "one level": rng.integers(0, 256, (64, 70, 3), np.uint8),
        "resized": rng.integers(0, 256, (128, 192, 3), np.uint8),
        "nothing": np.broadcast_to(mean, (64, 96, 3)).copy(),
    }


def levels_of(trained: TrainedDetector, image: np.ndarray) -> set[int]:
    """The levels that proposals are cropped from, 0 the finest."""
    batch = inference_batch([image[:, :, ::-1]], trained.config)
    first = trained.model(batch["image"], batch["image_size"], predictions.testing_proposals(trained.config))
    scales = [1.0 / stride for stride in STRIDES[:CROPPED]]
    return set(box_levels(first.proposals.boxes[0], scales).numpy().tolist())


def test_onnxruntime_finds_what_the_library_finds(tmp_path: Path) -> None:
    import onnxruntime

    trained = small_pyramid(masks=True)
    export_onnx(trained, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    counts = {}
    for about, image in images().items():
        with untraced():
            expected = trained.detect([image[:, :, ::-1]])[0]
        outputs = dict(zip(names, session.run(None, {"image": image})))
        counts[about] = count = len(expected)
        assert outputs["count"] == count
        np.testing.assert_allclose(outputs["boxes"][:count], expected.boxes, atol=1e-3)
        np.testing.assert_allclose(outputs["scores"][:count], expected.scores, atol=1e-5)
        np.testing.assert_array_equal(outputs["classes"][:count], expected.classes)
        assert not any(outputs[name][count:].any() for name in names if name != "count")
        assert expected.cells is not None
        np.testing.assert_allclose(outputs["masks"][:count], expected.cells, atol=1e-4)
    assert counts.pop("nothing") == 0 and min(counts.values()) > 0
    assert levels_of(trained, images()["one level"]) == {0} < levels_of(trained, images()["several levels"])
