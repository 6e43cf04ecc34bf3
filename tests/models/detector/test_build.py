"""Every net of the detector from its configuration: it builds, answers, and has what the options say."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import BACKBONES
from dsg.models.detector.build import build_detector
from dsg.models.detector.predictions import Detected, DetectorPredictor
from dsg.pipeline.instance_batches import inference_batch
from tests.models.detector.small_runs import config_of

SMALL = ["RPN_CHANNELS", "16", "TEST.RPN_POST_NMS_TOP_N", "5", "TEST.RPN_PRE_NMS_TOP_N", "20"]
SMALL += ["TEST.SCORE_THRESHOLD", "0.0", "TEST.MAX_PER_IMAGE", "7", "TEST.IMS_PER_BATCH", "1"]


def batch() -> dict[str, tf.Tensor]:
    noise = np.random.default_rng(0).standard_normal((1, 64, 80, 3)).astype(np.float32)
    return {
        "image": tf.constant(noise),
        "image_size": tf.constant([[64.0, 80.0]]),
        "scale": tf.constant([2.0]),
        "original_size": tf.constant([[32.0, 40.0]]),
    }


@pytest.mark.parametrize("net", BACKBONES)
def test_every_net_answers(net: str) -> None:
    config = config_of(net, SMALL, tiny=False)
    model = build_detector(config, 4)
    tf.config.run_functions_eagerly(True)
    try:
        (detected,) = DetectorPredictor(model, config)(batch())
    finally:
        tf.config.run_functions_eagerly(False)
    assert 0 < len(detected.scores) <= 7 and np.isfinite(detected.boxes).all()
    assert detected.boxes.dtype == np.float32 and detected.classes.dtype == np.int32
    assert set(detected.classes.tolist()) <= {1, 2, 3} and (np.diff(detected.scores) <= 0).all()
    assert detected.boxes.min() >= 0 and (detected.boxes.max(0) <= [40, 32, 40, 32]).all()
    masks = detected.masks
    assert (masks is None) == (not config.detector.masks)
    if masks is not None:
        assert masks.shape == (len(detected.scores), 28, 28) and 0 <= masks.min() <= masks.max() <= 1


def answers(*choices: str, factor: float = 1.0) -> Detected:
    """What a random net says of a photograph whose size the network's input rounds up: 159 columns for 158.8.

    `factor` is that of the deltas of the second stage.
    """
    options = ["DETECTOR.MASKS", "False", "TEST.MAX_SIZE", "200", "TEST.IMS_PER_BATCH", "1"]
    options += ["TEST.SCORE_THRESHOLD", "0.0", "TEST.RPN_POST_NMS_TOP_N", "99", "TEST.MAX_PER_IMAGE", "999"]
    config = config_of("mini", [*options, *choices])
    model = build_detector(config, 3)
    for leaf, value in (("kernel", 0.0), ("bias", factor)):
        variable = model.named_variables()[f"predictor/boxes/{leaf}"]
        variable.assign(tf.fill(variable.shape, value))
    image = np.random.default_rng(0).integers(0, 256, (403, 1000, 3), np.uint8)
    tf.config.run_functions_eagerly(True)
    try:
        return DetectorPredictor(model, config)(inference_batch([image], config))[0]
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("exact", [True, False])
def test_boxes_are_cut_where_the_photograph_ends(exact: bool) -> None:
    boxes = answers("EXACT_BOXES", str(exact)).boxes
    assert boxes.max(0).tolist()[2:] == ([1000, 403] if exact else [999, 402])


@pytest.mark.parametrize("exact", ["True", "False"])
def test_deltas_are_in_the_units_of_the_options(exact: str) -> None:
    usual = answers("EXACT_BOXES", exact)
    halved = answers(*("EXACT_BOXES", exact, "TRAIN.BBOX_NORMALIZE_STDS", "[0.2, 0.2, 0.4, 0.4]"), factor=0.5)
    np.testing.assert_allclose(halved.boxes, usual.boxes, atol=1e-2)


def test_what_the_options_change() -> None:
    tiny = ["DETECTOR.MASKS", "True", "DETECTOR.CLASS_AGNOSTIC"]
    shapes = {}
    for agnostic in ("True", "False"):
        model = build_detector(config_of("mini", [*tiny, agnostic]), 4)
        variables = model.named_variables()
        names = ("predictor/boxes/kernel", "mask_head/masks/kernel")
        shapes[agnostic] = [variables[name].shape[-1] for name in names]
    assert shapes == {"True": [4, 1], "False": [16, 4]}
    fixed = build_detector(config_of("mobile", ["MOBILENET.FIXED_LAYERS", "0"], tiny=False), 4)
    assert any("conv0/kernel" in name for name in fixed.trainable_names())
    biases = build_detector(config_of("mini", ["TRAIN.BIAS_DECAY", "True"]), 4)
    assert any(name.endswith("bias") for name in biases.regularised_names())
