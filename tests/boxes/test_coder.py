"""`BoxCoder` against both detectors' codecs."""

from __future__ import annotations

import numpy as np
import pytest
from dsg.boxes.coder import TF_FASTER_RCNN, TF_FASTER_RCNN_RPN, TORCHVISION, TORCHVISION_RPN, BoxCoder

from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


@pytest.mark.parametrize(("case", "coder"), [("rpn", TORCHVISION_RPN), ("roi", TORCHVISION)])
def test_torchvisions_codec(case: str, coder: BoxCoder) -> None:
    boxes, truth = UNITS["box_coder/proposals"], UNITS["box_coder/gt"]
    assert error(coder.encode(boxes, truth), UNITS[f"box_coder/{case}/encoded"]) < 1e-5
    decoded = coder.decode_classes(boxes, UNITS[f"box_coder/{case}/codes"])
    assert error(decoded, UNITS[f"box_coder/{case}/decoded"]) < 1e-5
    assert np.isclose(coder.limit, UNITS[f"box_coder/{case}/clip"])


def test_tf_faster_rcnns_codec() -> None:
    layers = golden("layers")
    boxes, truth = layers["bbox_transform/ex"], layers["bbox_transform/gt"]
    assert error(TF_FASTER_RCNN_RPN.encode(boxes, truth), layers["bbox_transform/out"]) < 1e-6
    wanted = layers["bbox_transform/out"] / np.array([0.1, 0.1, 0.2, 0.2])
    assert error(TF_FASTER_RCNN.encode(boxes, truth), wanted) < 1e-6
    decoded = TF_FASTER_RCNN_RPN.decode(
        layers["bbox_transform_inv/boxes"], layers["bbox_transform_inv/deltas"]
    )
    assert error(decoded, layers["bbox_transform_inv/out_tf"]) < 1e-6


@pytest.mark.parametrize(
    "coder",
    [
        TORCHVISION,
        BoxCoder(offset=1.0, inset=1.0, means=(0.1, 0.0, -0.2, 0.3), deviations=(0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_decode_inverts_encode(coder: BoxCoder) -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 300, (50, 2))
    boxes, truth = (
        np.concatenate([low, low + rng.uniform(5, 80, (50, 2))], 1).astype(np.float32) for _ in range(2)
    )
    assert np.allclose(coder.decode(boxes, coder.encode(boxes, truth)), truth, atol=1e-3)


def test_growth_is_limited() -> None:
    coder = BoxCoder(limit=np.log(2.0))
    box, deltas = (np.array([row], np.float32) for row in ([0, 0, 10, 10], [0, 0, 50, -1e9]))
    assert np.allclose(coder.decode(box, deltas), [[-5, 5, 15, 5]])
