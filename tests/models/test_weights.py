"""Trunk weights of a new run: ResNet-18 against an independent pass, and where they are looked for."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.fetch.catalogue import catalogue
from dsg.checkpoints.tf1_names import release_name
from dsg.checkpoints.torchvision import torchvision_name
from dsg.config import Config, load_config
from dsg.errors import UserError
from dsg.models.weight_choice import chosen_weights
from dsg.models.weights import load_initial_weights
from dsg.pipeline.images import read_image, to_blob
from dsg.runtime.weight_files import TORCH, WeightFile
from tests.checkpoints.test_tf1 import save
from tests.crafted import CRAFTED, NO_NUMBERS, replace
from tests.models.dsg.cases import TINY, close, golden_pass, tiny_config, tiny_model
from tests.shared import needs_shared, shared_path
from tests.torch_files import write_pth

RESNET18 = "resnet18_trunk_imagenet.npz"
MEANS = (103.53, 116.28, 123.675)
WIDTHS = {1: 64, 2: 128, 3: 256}
NOTHING = SimpleNamespace(named_variables=dict)  # for what is said before a model is looked at
RGB_MEAN, RGB_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def res18_config(data: Path, *overrides: str) -> Config:
    means = ("PIXEL_MEANS", str(list(MEANS)))
    return tiny_config(*means, "DATA.DIR", str(data), *overrides, net="res18")


def random_archive() -> dict[str, np.ndarray]:
    """Arrays as in the ImageNet archive, random."""
    rng = np.random.default_rng(0)
    arrays = {}

    def add(name: str, size: int, cin: int, cout: int) -> None:
        scale = np.sqrt(2 / (size * size * cin))
        arrays[f"{name}.weight"] = (scale * rng.standard_normal((size, size, cin, cout))).astype(np.float32)
        arrays[f"{name}.bias"] = (0.1 * rng.standard_normal(cout)).astype(np.float32)

    add("conv1", 7, 3, 64)
    for layer, width in WIDTHS.items():
        for unit in (0, 1):
            cin = width // 2 if unit == 0 and layer > 1 else width
            add(f"layer{layer}.{unit}.conv1", 3, cin, width)
            add(f"layer{layer}.{unit}.conv2", 3, width, width)
            if cin != width:
                add(f"layer{layer}.{unit}.downsample.0", 1, cin, width)
    return arrays


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with random weights where ImageNet's would be."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "imagenet_weights").mkdir()
    np.savez(folder / "imagenet_weights" / RESNET18, **random_archive())
    return folder


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_model(res18_config(Path("data")))


def torch_like(arrays: dict[str, np.ndarray], rgb: np.ndarray) -> list[np.ndarray]:
    """ResNet-18's conv1 and layers 1 to 3 as their makers define them, on normalised R, G, B [H, W, 3]."""

    def conv(x: Any, name: str, stride: int = 1) -> Any:
        kernel = arrays[f"{name}.weight"].astype(np.float64)
        pad = (kernel.shape[0] - 1) // 2
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        return tf.nn.conv2d(x, kernel, stride, "VALID").numpy() + arrays[f"{name}.bias"]

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    x = relu(conv(rgb[None].astype(np.float64), "conv1", 2))
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    x = tf.nn.max_pool2d(x, 3, 2, "VALID").numpy()
    maps = []
    for layer in WIDTHS:
        for unit in (0, 1):
            name, stride = f"layer{layer}.{unit}", 2 if unit == 0 and layer > 1 else 1
            shortcut = f"{name}.downsample.0"
            identity = conv(x, shortcut, stride) if f"{shortcut}.weight" in arrays else x
            x = relu(conv(relu(conv(x, f"{name}.conv1", stride)), f"{name}.conv2") + identity)
        maps.append(x)
    return maps


def compare_with_torch(model: Any, arrays: dict[str, np.ndarray], bgr: np.ndarray) -> None:
    blob, _ = to_blob(bgr, min(bgr.shape[:2]), max(bgr.shape[:2]), MEANS)
    rgb = (bgr[..., ::-1] / 255.0 - RGB_MEAN) / RGB_STD
    found = model.parts["trunk"](tf.constant(blob[None]))
    for ours, theirs in zip((found.block1, found.block2, found.features), torch_like(arrays, rgb)):
        close(ours, theirs, 1e-5)


@pytest.mark.parametrize("size", [(64, 96), (50, 77)])
def test_features_of_random_weights(model: Any, archive: Path, size: tuple[int, int]) -> None:
    report = load_initial_weights(model, res18_config(archive))
    assert len(report.matched) == 30 and not report.unused
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    compare_with_torch(model, random_archive(), image)


@needs_shared("data", "weights", RESNET18)
@needs_shared("data", "clevr")
def test_features_of_imagenet_weights_on_a_real_image(model: Any) -> None:
    config = res18_config(shared_path("data", "clevr"))  # one data set's own folder: weights lie beside it
    report = load_initial_weights(model, config)
    assert report.source.endswith(f"weights/{RESNET18}") and len(report.matched) == 30
    with np.load(report.source, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    image = sorted(shared_path("data", "clevr", "CLEVR_v1.0", "images").rglob("*.png"))[0]
    compare_with_torch(model, arrays, read_image(image))


def test_torchvision_s_file_gives_the_same_as_the_archive(model: Any, tmp_path: Path) -> None:
    """A state dict as `resnet18-f37072fd.pth` has it, and its normalisation folded by hand."""
    rng = np.random.default_rng(5)
    state, folded = {"fc.weight": np.zeros((3, 2), np.float32)}, {}
    for name, kernel in random_archive().items():
        if name.endswith(".bias"):
            continue
        theirs = kernel.transpose(3, 2, 0, 1)
        layer = name[: -len("weight")]
        norm = layer[:-2] + "1." if "downsample" in layer else layer.replace("conv", "bn")
        leaves = {leaf: rng.random(len(theirs)) for leaf in ("weight", "bias", "running_mean", "running_var")}
        scale = leaves["weight"] / np.sqrt(leaves["running_var"] + 1e-5)
        folded[name] = (kernel * scale).astype(np.float32)
        folded[f"{layer}bias"] = (leaves["bias"] - leaves["running_mean"] * scale).astype(np.float32)
        state[name] = theirs
        state.update({f"{norm}{leaf}": value.astype(np.float32) for leaf, value in leaves.items()})
    (tmp_path / "weights").mkdir()
    path = write_pth(tmp_path / "weights" / "resnet18.pth", state)
    report = load_initial_weights(model, res18_config(tmp_path, "WEIGHTS", str(path)))
    found = {name: variable.numpy() for name, variable in model.named_variables().items()}
    assert len(report.matched) == 30 and not report.unused
    np.savez(tmp_path / "weights" / RESNET18, **folded)
    load_initial_weights(model, res18_config(tmp_path), tmp_path)
    for name in report.matched:
        np.testing.assert_allclose(found[name], model.named_variables()[name], rtol=2e-5, atol=1e-7)


def test_every_variable_of_the_blocks_has_a_name(model: Any) -> None:
    names = {torchvision_name(name) for name in model.named_variables() if name.startswith("trunk/")}
    assert names == set(random_archive())


def test_the_joining_layers_stay_random(archive: Path) -> None:
    config = res18_config(archive, "FEATURE_STRIDE", "8")
    fresh = tiny_model(config)
    before = fresh.named_variables()["trunk/join/kernel"].numpy()
    report = load_initial_weights(fresh, config)
    assert len(report.matched) == 30
    np.testing.assert_array_equal(fresh.named_variables()["trunk/join/kernel"], before)


@pytest.mark.parametrize("place", [f"imagenet_weights/{RESNET18}", f"weights/{RESNET18}", "named/some.npz"])
def test_where_weights_are_looked_for(model: Any, archive: Path, tmp_path: Path, place: str) -> None:
    target = tmp_path / place
    target.parent.mkdir()
    target.write_bytes((archive / "imagenet_weights" / RESNET18).read_bytes())
    overrides = ("WEIGHTS", str(target)) if place.startswith("named") else ()
    report = load_initial_weights(model, res18_config(tmp_path, *overrides), tmp_path / "empty")
    assert report.source == str(target)


def test_the_project_s_folder_comes_first(model: Any, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / RESNET18).write_bytes(b"PK broken")
    report = load_initial_weights(model, res18_config(tmp_path), archive)
    assert report.source == str(archive / "imagenet_weights" / RESNET18)


@pytest.mark.parametrize(
    ("net", "place", "command"),
    [
        ("res18", "weights/resnet18-f37072fd.pth", "weights resnet18"),
        ("res50", "imagenet_weights/res50.ckpt", "imagenet_weights res50"),
        ("res152", "imagenet_weights/res152.ckpt", "imagenet_weights res152"),
        ("detector_vgg16", "imagenet_weights/vgg16.ckpt", "imagenet_weights vgg16"),
        ("detector_mobile", "imagenet_weights/mobile.ckpt", "imagenet_weights mobile"),
        ("detector_res50_fpn", "weights/resnet50-0676ba61.pth", "weights resnet50"),
        ("detector_res101_fpn", "weights/resnet101-63fe2227.pth", "weights resnet101"),
        ("detector_x101_32x8d_fpn", "weights/resnext101_32x8d-8ba56ff5.pth", "weights resnext101_32x8d"),
    ],
)
def test_absent_weights_are_a_mistake(tmp_path: Path, net: str, place: str, command: str) -> None:
    config = load_config(overrides=["NET", net, "DATA.DIR", str(tmp_path)])
    with pytest.raises(UserError) as caught:
        load_initial_weights(None, config, tmp_path / "d")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'd' / place}: ") and "\n" not in message
    assert f"fetch.sh {command} --data {tmp_path / 'd'}` fetches them (data/README.md)" in message
    name, part = command.split()
    assert part in catalogue()[name]


def test_a_published_file_is_found_by_its_name_or_its_network_s(tmp_path: Path) -> None:
    file, net = "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", "fasterrcnn_resnet50_fpn"
    for weights in (file, net):
        config = load_config(
            overrides=["NET", "detector_res50_fpn", "WEIGHTS", weights, "DATA.DIR", str(tmp_path)]
        )
        with pytest.raises(UserError, match=rf"weights/{file}: .*fetch.sh weights {net} --data \S+` fetches"):
            chosen_weights(config, tmp_path / "d")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / file).write_bytes(b"PK\x03\x04")
    assert chosen_weights(config, tmp_path / "d") == WeightFile(TORCH, tmp_path / "weights" / file)
    (tmp_path / "mine.pth").write_bytes(b"\x80\x02")
    config = load_config(overrides=["NET", "res18", "WEIGHTS", str(tmp_path / "mine.pth")])
    assert chosen_weights(config, tmp_path) == WeightFile(TORCH, tmp_path / "mine.pth")


@pytest.mark.parametrize("net", ["mini", "res18", "res101"])
def test_random_weights_where_they_are_asked_for(net: str) -> None:
    overrides = [] if net == "mini" else ["WEIGHTS", "none"]
    report = load_initial_weights(None, load_config(overrides=["NET", net, *overrides]))
    assert not report.matched and str(report) == f"{net} starts from random weights"


@pytest.mark.parametrize(
    ("net", "file", "message"),
    [
        ("mini", "arrays.npz", "is not a snapshot: mini has no ImageNet weights"),
        ("res50", "arrays.npz", "is not a snapshot: res50 starts from res50.ckpt, not from an archive"),
        ("res50", "a.ckpt", "no such file"),
        ("res18", "array.npz", "no such file; nearby: arrays.npz"),
    ],
)
def test_weights_of_the_wrong_kind(tmp_path: Path, net: str, file: str, message: str) -> None:
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    config = tiny_config("WEIGHTS", str(tmp_path / file), net=net, tiny=TINY)
    with pytest.raises(UserError, match=message):
        load_initial_weights(NOTHING, config)


def without(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in arrays.items() if key != name}


BAD_ARCHIVES: dict[str, tuple[Any, str]] = {
    "missing": (lambda a: without(a, "layer2.0.conv1.bias"), r"lacks layer2\.0\.conv1\.bias"),
    "shape": (lambda a: {**a, "conv1.bias": a["conv1.bias"][:5]}, r"conv1\.bias is float32 \[5\]"),
    "type": (lambda a: {**a, "conv1.bias": a["conv1.bias"].astype(int)}, r"conv1\.bias is int64 \[64\]"),
    "pickle": (lambda a: {**a, "conv1.bias": np.array([{}], object)}, "not a readable archive"),
}


@pytest.mark.parametrize("kind", list(BAD_ARCHIVES))
def test_archives_that_do_not_fit(model: Any, tmp_path: Path, kind: str) -> None:
    change, message = BAD_ARCHIVES[kind]
    path = tmp_path / "w.npz"
    np.savez(path, **change(random_archive()))
    before = model.named_variables()["trunk/conv1/kernel"].numpy()
    with pytest.raises(UserError, match=message):
        load_initial_weights(model, res18_config(tmp_path, "WEIGHTS", str(path)))
    np.testing.assert_array_equal(model.named_variables()["trunk/conv1/kernel"], before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"", "an empty file"),
        (b"PK\x03\x04 and no more", "not a readable archive"),
        (pickle.dumps({"conv1.weight": 1}), "a pickle, which is not opened"),
    ],
)
def test_files_that_are_no_archive(model: Any, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_initial_weights(model, res18_config(tmp_path, "WEIGHTS", str(path)))


@pytest.mark.parametrize("kind", [*CRAFTED, *NO_NUMBERS])
def test_crafted_archives(tmp_path: Path, kind: str) -> None:
    path, entry = tmp_path / "w.npz", "conv1.bias.npy"
    np.savez(path, **{"conv1.weight": np.zeros(3), "conv1.bias": np.zeros(3)})
    if kind in CRAFTED:
        CRAFTED[kind](path, entry)
    else:
        replace(path, entry, NO_NUMBERS[kind])
    with pytest.raises(
        UserError, match=r"w\.npz: not a readable archive of weights \(\S.*\); fetch it again"
    ):
        load_initial_weights(NOTHING, res18_config(tmp_path, "WEIGHTS", str(path)))


def test_an_archive_cut_short(model: Any, archive: Path, tmp_path: Path) -> None:
    content = (archive / "imagenet_weights" / RESNET18).read_bytes()
    path = tmp_path / "w.npz"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="not a readable archive"):
        load_initial_weights(model, res18_config(tmp_path, "WEIGHTS", str(path)))


@pytest.mark.parametrize("name", ["res50.ckpt", "resnet_v1_50.ckpt"])
def test_slim_s_checkpoints_are_found(tmp_path: Path, name: str) -> None:
    """The release's name and slim's own; here with values of the model itself, so that nothing changes."""
    model = golden_pass("res50").model
    variables = {n: v for n, v in model.named_variables().items() if n.startswith("trunk/")}
    values = {str(release_name(n, "res50")): v.numpy() for n, v in variables.items()}
    (tmp_path / "imagenet_weights").mkdir()
    save(tmp_path / "imagenet_weights" / name, values, old=name == "resnet_v1_50.ckpt")
    report = load_initial_weights(model, load_config(overrides=["NET", "res50"]), tmp_path)
    assert report.matched == list(variables)
    for n, v in variables.items():
        np.testing.assert_array_equal(v, values[str(release_name(n, "res50"))])
