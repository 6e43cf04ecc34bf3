"""Whole detectors out of other programs' files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsg.checkpoints.published import COCO_NAMES
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.config import load_config
from dsg.errors import UserError
from dsg.models.detector.build import build_detector
from dsg.models.detector.trained import load_detector
from tests.checkpoints.test_tf1 import save
from tests.shared import ROOT
from tests.small_trained import write_snapshot
from tests.torch_files import torch_state, write_pth

CFGS = ROOT / "experiments" / "cfgs" / "models"


def shapes_of(net: str, classes: int, *overrides: str) -> dict[str, tuple[int, ...]]:
    model = build_detector(load_config([CFGS / f"{net}.yml"], overrides), classes)
    return {name: tuple(variable.shape) for name, variable in model.named_variables().items()}


def test_torchvision_s_detector(tmp_path: Path) -> None:
    state = torch_state(shapes_of("detector_res50_fpn", 91), "backbone.body.")
    path = write_pth(tmp_path / "mine.pth", state)
    trained = load_detector(path)
    assert (trained.config.net, trained.config.test.scales) == ("detector_res50_fpn", (800,))
    assert trained.vocabulary.objects == COCO_NAMES[1:] and trained.model.mask_head is None
    variables = trained.model.named_variables()
    bias = state["roi_heads.box_predictor.cls_score.bias"]
    np.testing.assert_array_equal(variables["predictor/classes/bias"], bias)
    cut = dict(list(state.items())[:40])
    with pytest.raises(UserError, match=r"body\.pth: not a Faster R-CNN or Mask R-CNN of torchvision"):
        load_detector(write_pth(tmp_path / "body.pth", cut))


def test_tf_faster_rcnn_s_checkpoint(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = shapes_of("detector_mobile", 21, "ANCHOR_SCALES", "[8, 16, 32]")
    values = {
        theirs: rng.random(shape, np.float32)
        for name, shape in shapes.items()
        if (theirs := detector_name(name, "mobile"))
    }
    prefix = save(tmp_path / "mobile_faster_rcnn_iter_70000.ckpt", values)
    trained = load_detector(prefix, "mobile")
    assert trained.config.net == "detector_mobile" and trained.config.anchor_scales == (8, 16, 32)
    assert trained.vocabulary.objects[6] == "car" and len(trained.vocabulary.objects) == 20
    bias = trained.model.named_variables()["predictor/classes/bias"]
    np.testing.assert_array_equal(bias, values[detector_name("predictor/classes/bias", "mobile")])
    for backbone, message in {
        "": r"a checkpoint of tf-faster-rcnn is one of res50, .*; it does not say which: give --net",
        "mini": "; not mini",
        "vgg16": "not a detector of vgg16: vgg_16/cls_score/biases is missing",
    }.items():
        with pytest.raises(UserError, match=message):
            load_detector(prefix, backbone)


def test_a_snapshot_of_another_system(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dsg\.npz: a snapshot of mini, not of a detector; use `dsg ask`"):
        load_detector(write_snapshot(tmp_path / "dsg.npz"))
