"""Other programs' weights by our names: what is read of a file, how it is changed, and what is refused.

A network is only its shapes here, and they are small.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.checkpoints.torchvision import MEANS, STDS
from dsg.config import Config, load_config
from dsg.errors import UserError
from dsg.models.foreign_weights import Shapes, name_in_detector, read_foreign
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT, TORCH, WeightFile
from tests.checkpoints.test_tf1 import save
from tests.torch_files import torch_state, write_pth

NORMS = ("gamma", "beta", "moving_mean", "moving_variance")
THEIR_MEANS = tuple(255 * mean for mean in MEANS[::-1])  # of B, G, R


def normed(path: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{path}/kernel": shape, **{f"{path}/{leaf}": shape[-1:] for leaf in NORMS}}


def plain(path: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{path}/kernel": shape, f"{path}/bias": shape[-1:]}


RESNET: Shapes = {
    **normed("trunk/conv1", 7, 7, 3, 4),
    **normed("trunk/block1/0/conv1", 1, 1, 4, 4),
    **plain("rpn/conv", 3, 3, 4, 5),
    **plain("rpn/classes", 1, 1, 5, 18),
    **plain("rpn/boxes", 1, 1, 5, 36),
    **normed("box_head/units/0/conv1", 1, 1, 4, 6),
    **plain("predictor/classes", 6, 3),
}
VGG: Shapes = {
    **plain("trunk/conv1/0", 3, 3, 3, 4),
    **plain("trunk/conv1/1", 3, 3, 4, 2),
    **plain("box_head/fc6", 98, 5),
    **plain("box_head/fc7", 5, 6),
    **plain("predictor/classes", 6, 3),
}
MOBILE: Shapes = {
    **normed("trunk/conv0", 3, 3, 3, 4),
    **normed("box_head/blocks/0/pointwise", 1, 1, 4, 6),
    **plain("predictor/classes", 6, 3),
}
PYRAMID: Shapes = {
    **normed("trunk/conv1", 7, 7, 3, 4),
    **plain("pyramid/lateral/0", 1, 1, 4, 4),
    **plain("rpn/boxes", 1, 1, 4, 12),
    **plain("box_head/fc6", 196, 5),
    **plain("predictor/classes", 5, 3),
    **plain("mask_head/masks", 1, 1, 5, 3),
}


def config(*overrides: str, net: str = "detector_res50") -> Config:
    return load_config(overrides=["NET", net, "PIXEL_MEANS", str(list(THEIR_MEANS)), *overrides])


def slim_file(
    path: Path,
    shapes: Shapes,
    net: str,
    *,
    parts: tuple[str, ...] = ("trunk/", "box_head/"),
    old: bool = False,
) -> tuple[WeightFile, dict[str, np.ndarray]]:
    """A TensorFlow 1 checkpoint with those parts, and its values by our names."""
    rng = np.random.default_rng(0)
    ours = {n: rng.random(shape, np.float32) for n, shape in shapes.items() if n.startswith(parts)}
    file = save(path, {str(detector_name(name, net)): value for name, value in ours.items()}, old=old)
    return WeightFile(CHECKPOINT, file), ours


def torch_file(path: Path, state: dict[str, np.ndarray]) -> WeightFile:
    return WeightFile(TORCH, write_pth(path, state))


def random_state(shapes: Shapes, body: str = "") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.random(v.shape, np.float32) for name, v in torch_state(shapes, body).items()}


def refused(file: WeightFile, shapes: Shapes, config: Config, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_foreign(file, shapes, config)
    assert "\n" not in str(caught.value) and file.path.name in str(caught.value)


# slim's


@pytest.mark.parametrize("old", [False, True])
def test_slim_s_imagenet_weights_of_both_formats(tmp_path: Path, old: bool) -> None:
    file, ours = slim_file(tmp_path / "res50.ckpt", RESNET, "res50", old=old)
    values, report, detector, classes = read_foreign(file, RESNET, config())
    assert set(values) == set(ours) and set(report.matched) == set(ours) and not detector and classes == 0
    assert all(np.array_equal(values[name], v) for name, v in ours.items() if name != "trunk/conv1/kernel")
    assert np.array_equal(values["trunk/conv1/kernel"], ours["trunk/conv1/kernel"][:, :, ::-1])


@pytest.mark.parametrize("rgb", [False, True])
@pytest.mark.parametrize("heads", [False, True])
def test_dsg_reads_slim_s_weights_as_the_release_does(tmp_path: Path, rgb: bool, heads: bool) -> None:
    file, ours = slim_file(tmp_path / "res50.ckpt", RESNET, "res50")
    options = ("RESNET.RGB_WEIGHTS", str(rgb), "RESNET.INIT_HEADS", str(heads))
    values = read_foreign(file, RESNET, config(*options, net="res50")).values
    assert any(name.startswith("box_head/") for name in values) == heads
    first = ours["trunk/conv1/kernel"]
    assert np.array_equal(values["trunk/conv1/kernel"], first[:, :, ::-1] if rgb else first)


def test_slim_s_mobilenet_is_turned_and_scaled(tmp_path: Path) -> None:
    file, ours = slim_file(tmp_path / "mobile.ckpt", MOBILE, "mobile")
    values = read_foreign(file, MOBILE, config(net="detector_mobile")).values
    first = ours["trunk/conv0/kernel"][:, :, ::-1] / 127.5
    assert np.allclose(values["trunk/conv0/kernel"], first, rtol=1e-6) and set(values) == set(ours)


def test_slim_s_vgg_has_convolutions_for_dense_layers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {**VGG, "box_head/fc6/kernel": (7, 7, 2, 5), "box_head/fc7/kernel": (1, 1, 5, 6)}
    file, ours = slim_file(tmp_path / "vgg16.ckpt", shapes, "vgg16")
    values = read_foreign(file, VGG, config(net="detector_vgg16")).values
    crop = rng.random((7, 7, 2), np.float32)
    whole = np.einsum("yxc,yxco->o", crop, ours["box_head/fc6/kernel"])
    assert np.allclose(crop.reshape(-1) @ values["box_head/fc6/kernel"], whole, rtol=1e-4)
    assert np.array_equal(values["box_head/fc7/kernel"], ours["box_head/fc7/kernel"][0, 0])
    assert np.array_equal(values["trunk/conv1/0/kernel"], ours["trunk/conv1/0/kernel"][:, :, ::-1])


def test_a_detector_of_tf_faster_rcnn_is_read_as_it_is(tmp_path: Path) -> None:
    """Whatever shapes its outputs have: what follows from that is decided by who reads it."""
    there = {**RESNET, **plain("predictor/classes", 6, 21), **plain("rpn/boxes", 1, 1, 5, 48)}
    everything = ("trunk/", "box_head/", "rpn/", "predictor/")
    file, ours = slim_file(tmp_path / "res50_iter_1.ckpt", there, "res50", parts=everything)
    values, report, detector, classes = read_foreign(file, RESNET, config())
    assert set(values) == set(ours) == set(RESNET) and detector and classes == 20
    assert all(np.array_equal(values[name], value) for name, value in ours.items())


def test_slim_s_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    other, _ = slim_file(tmp_path / "res101.ckpt", RESNET, "res101")
    refused(
        other, RESNET, config(), "lacks resnet_v1_50/conv1/weights; .*not an ImageNet checkpoint of res50"
    )
    cut, _ = slim_file(tmp_path / "trunk.ckpt", RESNET, "res50", parts=("trunk/",))
    refused(cut, RESNET, config(), "lacks resnet_v1_50/block4/unit_1/bottleneck_v1/conv1/weights")
    for net, remedy in (
        ("detector_res50_fpn", "which res50_fpn cannot start from; res50_fpn starts from resnet50-0676ba61"),
        ("detector_mini", "which mini cannot start from$"),
    ):
        refused(cut, PYRAMID, config(net=net), remedy)
    refused(cut, RESNET, config("RESNET.LAYOUT", "torchvision"), "set RESNET.LAYOUT slim")
    narrow = {**RESNET, **normed("trunk/conv1", 7, 7, 3, 5)}
    refused(slim_file(tmp_path / "a.ckpt", narrow, "res50")[0], RESNET, config(), "another network")


# torchvision's


def test_torchvision_s_resnet_gives_trunk_and_head(tmp_path: Path) -> None:
    state = random_state({n: s for n, s in RESNET.items() if n.startswith(("trunk/", "box_head/"))})
    file = torch_file(tmp_path / "resnet50.pth", {**state, "fc.weight": np.zeros((10, 4), np.float32)})
    there = config("RESNET.LAYOUT", "torchvision")
    values, report, detector, classes = read_foreign(file, RESNET, there)
    assert {name.split("/")[0] for name in values} == {"trunk", "box_head"} and not detector and classes == 0
    assert np.array_equal(values["box_head/units/0/conv1/gamma"], state["layer4.0.bn1.weight"])
    dsg = dataclasses.replace(there, model="dsg")
    assert all(name.startswith("trunk/") for name in read_foreign(file, RESNET, dsg).values)
    refused(file, RESNET, config(), "set RESNET.LAYOUT torchvision to start res50 from it")


@pytest.mark.parametrize("means", [THEIR_MEANS, (102.9801, 115.9465, 122.7717), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("net", ["vgg16", "res50"])
def test_the_first_layer_sees_our_pixels_as_torchvision_s_saw_its_own(
    net: str, means: tuple[float, ...], tmp_path: Path
) -> None:
    """Whatever PIXEL_MEANS subtracts."""
    shapes, path = (VGG, "trunk/conv1/0") if net == "vgg16" else (RESNET, "trunk/conv1")
    state = random_state({n: s for n, s in shapes.items() if n.startswith(("trunk/", "box_head/"))})
    there = config("PIXEL_MEANS", str(list(means)), "RESNET.LAYOUT", "torchvision", net=f"detector_{net}")
    values = read_foreign(torch_file(tmp_path / "x.pth", state), shapes, there).values
    kernel = state["features.0.weight" if net == "vgg16" else "conv1.weight"].astype(np.float64)
    bgr = np.random.default_rng(2).integers(0, 256, (*kernel.shape[2:], 3)).astype(np.float64)
    rgb = (bgr[..., ::-1] / 255 - MEANS) / STDS
    wanted = np.einsum("yxi,oiyx->o", rgb, kernel)
    found = np.einsum("yxi,yxio->o", bgr - means, values[f"{path}/kernel"].astype(np.float64))
    if net == "vgg16":
        wanted, found = wanted + state["features.0.bias"], found + values[f"{path}/bias"]
    else:  # what the normalisation subtracts
        wanted, found = wanted - state["bn1.running_mean"], found - values[f"{path}/moving_mean"]
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_torchvision_s_vgg_reads_crops_channel_by_channel(tmp_path: Path) -> None:
    state = random_state({n: s for n, s in VGG.items() if n.startswith(("trunk/", "box_head/"))})
    state["classifier.6.weight"] = np.zeros((7, 6), np.float32)
    foreign = read_foreign(torch_file(tmp_path / "vgg16.pth", state), VGG, config(net="detector_vgg16"))
    crop = np.random.default_rng(3).random((7, 7, 2), np.float32)
    wanted = state["classifier.0.weight"] @ crop.transpose(2, 0, 1).reshape(-1) + state["classifier.0.bias"]
    values = foreign.values
    found = crop.reshape(-1) @ values["box_head/fc6/kernel"] + values["box_head/fc6/bias"]
    assert np.allclose(found, wanted, rtol=1e-5) and not foreign.report.unused
    assert np.array_equal(values["box_head/fc7/kernel"], state["classifier.3.weight"].T)


def test_a_detector_of_torchvision_gives_all_that_the_network_has(tmp_path: Path) -> None:
    there = {**PYRAMID, **plain("predictor/classes", 5, 91), **plain("mask_head/masks", 1, 1, 5, 91)}
    file = torch_file(tmp_path / "mask.pth", random_state(there, "backbone.body."))
    values, report, detector, classes = read_foreign(file, PYRAMID, config(net="detector_res50_fpn"))
    assert set(values) == set(PYRAMID) and classes == 90 and not report.unused
    assert values["predictor/classes/kernel"].shape == (5, 91)
    boxes_only = {name: shape for name, shape in PYRAMID.items() if not name.startswith("mask_head/")}
    file = torch_file(tmp_path / "boxes.pth", random_state(boxes_only, "backbone.body."))
    values, report, detector, classes = read_foreign(file, PYRAMID, config(net="detector_res50_fpn"))
    assert set(values) == set(boxes_only) and classes == 2


def test_a_detector_of_the_second_generation(tmp_path: Path) -> None:
    """Its first generation's network would take some of it, and compute something else."""
    second: Shapes = {
        **normed("trunk/conv1", 7, 7, 3, 4),
        **normed("pyramid/lateral/0", 1, 1, 4, 4),
        **plain("rpn/convs/0", 3, 3, 4, 4),
        **plain("rpn/convs/1", 3, 3, 4, 4),
        **plain("rpn/boxes", 1, 1, 4, 12),
        **normed("box_head/convs/0", 3, 3, 4, 4),
        **plain("box_head/dense", 196, 5),
        **plain("predictor/classes", 5, 3),
    }
    state = random_state(second, "backbone.body.")
    file = torch_file(tmp_path / "v2.pth", state)
    there = config("DETECTOR.SECOND_GENERATION", "True", net="detector_res50_fpn")
    values = read_foreign(file, second, there).values
    assert set(values) == set(second)
    assert np.array_equal(values["trunk/conv1/gamma"], state["backbone.body.bn1.weight"])  # epsilon as ours
    refused(file, PYRAMID, config(net="detector_res50_fpn"), r"_v2\); set DETECTOR.SECOND_GENERATION True to")
    first = torch_file(tmp_path / "v1.pth", random_state(PYRAMID, "backbone.body."))
    refused(first, second, there, "first generation; set DETECTOR.SECOND_GENERATION False to")


def test_a_resnet_gives_a_pyramid_its_body(tmp_path: Path) -> None:
    body = {name: shape for name, shape in PYRAMID.items() if name.startswith("trunk/")}
    file = torch_file(tmp_path / "resnet50.pth", random_state(body))
    assert set(read_foreign(file, PYRAMID, config(net="detector_res50_fpn")).values) == set(body)


def test_torchvision_s_files_of_other_networks_are_refused(tmp_path: Path) -> None:
    pyramid = config(net="detector_res50_fpn")
    state = random_state(PYRAMID, "backbone.body.")

    def changed(**tensors: np.ndarray | None) -> WeightFile:
        values = {name.replace("__", "."): value for name, value in tensors.items()}
        kept = {**state, **{name: value for name, value in values.items() if value is not None}}
        return torch_file(
            tmp_path / "x.pth", {n: v for n, v in kept.items() if n not in values or values[n] is not None}
        )

    refused(changed(backbone__body__bn1__running_var=None), PYRAMID, pyramid, "lacks 1 of .*conv1/moving_var")
    refused(changed(rpn__head__bbox_pred__bias=None), PYRAMID, pyramid, "lacks 1 of .*rpn/boxes/bias")
    longer = changed(backbone__body__layer3__9__conv1__weight=np.zeros((4, 4, 1, 1), np.float32))
    refused(
        longer, PYRAMID, pyramid, r"has backbone\.body\.layer3\.9\.conv1\.weight, which this network lacks"
    )
    wide = changed(backbone__body__conv1__weight=np.zeros((5, 3, 7, 7), np.float32))
    refused(wide, PYRAMID, pyramid, r"conv1\.weight is \[7, 7, 3, 5\] in our layout.*another network")
    other = torch_file(tmp_path / "y.pth", {"a": np.zeros(3, np.float32)})
    refused(other, PYRAMID, pyramid, "has no weights of this net")
    refused(other, MOBILE, config(net="detector_mobile"), "has no weights of this net")
    refused(
        WeightFile(ARCHIVE, tmp_path / "z.npz"), VGG, config(net="detector_vgg16"), "starts from vgg16.ckpt"
    )


@pytest.mark.parametrize(
    "file", ["refuse_call_zip", "refuse_call_legacy", "refuse_cut_zip", "refuse_cut_legacy"]
)
def test_hostile_and_cut_files_are_refused(file: str) -> None:
    path = Path(__file__).parents[1] / "golden" / "pth" / f"{file}.pth"
    refused(WeightFile(TORCH, path), PYRAMID, config(net="detector_res50_fpn"), "unsafe|damaged")


def test_every_part_of_a_dsg_has_its_detector_s_name() -> None:
    names = {
        "rpn/conv/kernel": "rpn/conv/kernel",
        "regions/relation/block4/units/2/conv3/beta": "box_head/units/2/conv3/beta",
        "regions/entity/convs/0/gain": "box_head/convs/0/gain",
        "regions/relation/convs/0/gain": "regions/relation/convs/0/gain",
        "regions/entity/box_head/fc6/kernel": "box_head/fc6/kernel",
        "box_predictor/boxes/bias": "predictor/boxes/bias",
        "gpi/node_mlp/0/kernel": "gpi/node_mlp/0/kernel",
    }
    assert {name: name_in_detector(name) for name in names} == names
