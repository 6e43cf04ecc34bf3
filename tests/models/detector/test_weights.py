"""Weights from TensorFlow 1 checkpoints and torch's files, written by the recipes and loaded by name."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.checkpoints.torchvision import for_pixels_bgr, name_of_2019, torchvision_name
from dsg.errors import UserError
from dsg.models.detector.build import pyramid_detector, single_map_detector
from dsg.models.detector.model import Detector
from dsg.models.detector.weights import load_imagenet_tf1, load_tf_faster_rcnn, load_torchvision
from dsg.parity.recipes import slim_value

BODY = "backbone.body."


def save(prefix: Path, values: dict[str, np.ndarray]) -> Path:
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    return prefix


def slim(model: Detector, net: str) -> dict[str, np.ndarray]:
    names = {detector_name(name, net): v.shape for name, v in model.named_variables().items()}
    return {str(name): slim_value(str(name), shape) for name, shape in names.items()}


@pytest.fixture(scope="module")
def mobile() -> Detector:
    return single_map_detector("mobile", 4, rpn_channels=32)


def test_a_detector_of_tf_faster_rcnn(mobile: Detector, tmp_path: Path) -> None:
    values = slim(mobile, "mobile")
    extra = {"global_step": np.int64(3), "MobilenetV1/Conv2d_0/weights/Momentum": np.zeros(3, np.float32)}
    report = load_tf_faster_rcnn(mobile, save(tmp_path / "x.ckpt", {**values, **extra}), "mobile")
    for name, variable in mobile.named_variables().items():
        assert np.array_equal(variable, values[str(detector_name(name, "mobile"))])
    assert len(report.matched) == len(values) and report.bookkeeping == 2 and not report.unused


def test_a_checkpoint_of_other_classes_changes_nothing(mobile: Detector, tmp_path: Path) -> None:
    before = {name: variable.numpy() for name, variable in mobile.named_variables().items()}
    values = slim(mobile, "mobile")
    values["MobilenetV1/cls_score/weights"] = np.zeros((1024, 21), np.float32)
    with pytest.raises(UserError, match=r"cls_score/weights is \[1024, 21\].*number of classes"):
        load_tf_faster_rcnn(mobile, save(tmp_path / "x.ckpt", values), "mobile")
    del values["MobilenetV1/cls_score/weights"]
    with pytest.raises(UserError, match="lacks MobilenetV1/cls_score/weights"):
        load_tf_faster_rcnn(mobile, save(tmp_path / "y.ckpt", values), "mobile")
    assert all(np.array_equal(before[name], v) for name, v in mobile.named_variables().items())


def test_imagenet_weights_of_mobilenet_are_turned_and_scaled(mobile: Detector, tmp_path: Path) -> None:
    values = {
        name: v for name, v in slim(mobile, "mobile").items() if "rpn" not in name and "_pred" not in name
    }
    del values["MobilenetV1/cls_score/weights"]
    values["MobilenetV1/Logits/Conv2d_1c_1x1/weights"] = np.zeros((1, 1, 4, 4), np.float32)
    report = load_imagenet_tf1(mobile, save(tmp_path / "x.ckpt", values), "mobile")
    first = mobile.named_variables()["trunk/conv0/kernel"].numpy()
    assert np.allclose(first, values["MobilenetV1/Conv2d_0/weights"][:, :, ::-1] / 127.5, rtol=1e-6)
    assert "box_head/blocks/1/pointwise/kernel" in report.matched
    assert not [name for name in report.matched if name.startswith(("rpn/", "predictor/"))]


def test_imagenet_weights_of_vgg_have_convolutions_for_dense_layers(tmp_path: Path) -> None:
    model = single_map_detector("vgg16", 2, rpn_channels=8)
    rng = np.random.default_rng(0)
    names = [n for n in model.named_variables() if n.startswith(("trunk/", "box_head/"))]
    variables = model.named_variables()
    values = {}
    for name in names:
        shape = tuple(variables[name].shape)
        shape = {"box_head/fc6/kernel": (7, 7, 512, 4096), "box_head/fc7/kernel": (1, 1, 4096, 4096)}.get(
            name, shape
        )
        values[str(detector_name(name, "vgg16"))] = rng.random(shape, np.float32)
    load_imagenet_tf1(model, save(tmp_path / "vgg.ckpt", values), "vgg16")
    assert np.array_equal(
        variables["trunk/conv1/0/kernel"], values["vgg_16/conv1/conv1_1/weights"][:, :, ::-1]
    )
    assert np.array_equal(variables["box_head/fc6/kernel"], values["vgg_16/fc6/weights"].reshape(25088, 4096))


def write_pth(path: Path, values: dict[str, np.ndarray]) -> Path:
    """A state dict as `torch.save` writes it, opcode by opcode."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(sides: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", side) for side in sides) + b"t"

    body = b"\x80\x02}("
    for key, (name, value) in enumerate(values.items()):
        strides = tuple(step // value.itemsize for step in value.strides)
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        body += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage
        body += b"J" + struct.pack("<i", value.size) + b"tQK\x00" + numbers(value.shape) + numbers(strides)
        body += b"\x89}tR"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", body + b"u.")
        for key, value in enumerate(values.values()):
            archive.writestr(f"archive/data/{key}", value.astype("<f4").tobytes())
    return path


def torch_state(model: Detector, body: str = BODY) -> dict[str, np.ndarray]:
    """Small numbers that differ from tensor to tensor, in torch's layout."""
    state = {}
    for number, (name, variable) in enumerate(model.named_variables().items()):
        shape = tuple(variable.shape)
        turned = tuple(shape[axis] for axis in (3, 2, 0, 1)) if len(shape) == 4 else shape[::-1]
        state[str(torchvision_name(name, body))] = np.full(turned, number / 1000, np.float32)
    return state


@pytest.fixture(scope="module")
def masks() -> Detector:
    return pyramid_detector("res50", 3, masks=True, epsilon=0.0)


@pytest.mark.parametrize("old", [False, True])
def test_a_published_detector_under_either_names(masks: Detector, old: bool, tmp_path: Path) -> None:
    state = torch_state(masks)
    rng = np.random.default_rng(0)
    state[f"{BODY}conv1.weight"] = rng.random((64, 3, 7, 7), np.float32)
    file = {name_of_2019(name): value for name, value in state.items()} if old else state
    report = load_torchvision(masks, write_pth(tmp_path / "detector.pth", file))
    variables = masks.named_variables()
    assert len(report.matched) == len(variables) and not report.unused and not report.missing
    for number, (name, variable) in enumerate(variables.items()):
        if name != "trunk/conv1/kernel":
            assert np.allclose(variable, number / 1000), name
    first = state[f"{BODY}conv1.weight"].transpose(2, 3, 1, 0)
    assert np.array_equal(variables["trunk/conv1/kernel"], first)
    load_torchvision(masks, tmp_path / "detector.pth", pixels_bgr=True)
    assert np.array_equal(variables["trunk/conv1/kernel"], for_pixels_bgr(first))


def test_a_detector_of_other_classes_gives_all_but_its_outputs(masks: Detector, tmp_path: Path) -> None:
    state = torch_state(masks)
    for part, width in (("cls_score", 91), ("bbox_pred", 364)):
        state[f"roi_heads.box_predictor.{part}.weight"] = np.zeros((width, 1024), np.float32)
        state[f"roi_heads.box_predictor.{part}.bias"] = np.zeros(width, np.float32)
    path = write_pth(tmp_path / "detector.pth", state)
    with pytest.raises(UserError, match="another network or number of classes"):
        load_torchvision(masks, path)
    before = masks.named_variables()["predictor/classes/kernel"].numpy()
    report = load_torchvision(masks, path, own_classes=True)
    assert not report.unused and np.array_equal(before, masks.named_variables()["predictor/classes/kernel"])


def test_a_resnet_gives_the_body_and_a_cut_detector_nothing(masks: Detector, tmp_path: Path) -> None:
    plain = {name[len(BODY) :]: value for name, value in torch_state(masks).items() if name.startswith(BODY)}
    plain["fc.weight"] = np.zeros((10, 4), np.float32)
    report = load_torchvision(masks, write_pth(tmp_path / "resnet.pth", plain))
    assert {name.split("/")[0] for name in report.matched} == {"trunk"} and report.bookkeeping == 1
    del plain["layer3.5.bn3.running_var"]
    with pytest.raises(UserError, match=r"lacks 1 of .*trunk/block3/5/conv3/moving_variance"):
        load_torchvision(masks, write_pth(tmp_path / "cut.pth", plain))
    state = torch_state(masks)
    del state["rpn.head.cls_logits.bias"]
    with pytest.raises(UserError, match="lacks 1 of .*rpn/objectness/bias"):
        load_torchvision(masks, write_pth(tmp_path / "lacking.pth", state))
