"""torchvision's names, layouts and published files."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from dsg.checkpoints.published import (
    COCO_NAMES,
    EPSILON,
    PUBLISHED,
    check_hash,
    hash_in_name,
    published_files,
)
from dsg.checkpoints.torchvision import (
    epsilon_of,
    for_pixels_bgr,
    match_weights,
    name_of_2019,
    our_layout,
    torchvision_name,
)
from dsg.errors import UserError

FOLDER = Path(__file__).parents[1] / "golden" / "torchvision"
NAMES = json.loads((FOLDER / "state_dict_names.json").read_text())
FACTS = json.loads((FOLDER / "published_weights.json").read_text())
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
UNITS = {
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
    "resnext101_32x8d": (3, 4, 23, 3),
}
VGG = [f"trunk/conv{block + 1}/{n}" for block, count in enumerate((2, 2, 3, 3, 3)) for n in range(count)]


def leaves(paths: list[str], kinds: tuple[str, ...]) -> list[str]:
    return [f"{path}/{kind}" for path in paths for kind in kinds]


def resnet(net: str) -> list[str]:
    if net == "resnet18":
        units = [(b, u) for b in range(1, 5) for u in range(2)]
        parts = [f"trunk/block{b}/{u}/conv{c}" for b, u in units for c in (1, 2)]
        parts += [f"trunk/block{b}/0/shortcut" for b in range(2, 5)]
    else:
        units = [(b + 1, u) for b, count in enumerate(UNITS[net]) for u in range(count)]
        parts = [f"trunk/block{b}/{u}/conv{c}" for b, u in units for c in (1, 2, 3)]
        parts += [f"trunk/block{b}/0/shortcut" for b in range(1, 5)]
    return leaves(["trunk/conv1", *parts], ("kernel", *NORM))


def our_names(net: str) -> list[str]:
    """Names of our variables, by what the networks consist of."""
    if net == "vgg16":
        return leaves([*VGG, "box_head/fc6", "box_head/fc7"], ("kernel", "bias"))
    if net.startswith("res"):
        return resnet(net)
    second = net.endswith("_v2")
    blocks = [f"pyramid/{kind}/{k}" for kind in ("lateral", "smooth") for k in range(4)]
    plain = ["rpn/objectness", "rpn/boxes", "predictor/classes", "predictor/boxes"]
    plain += [f"rpn/convs/{k}" for k in range(2 if second else 1)]
    if "mask" in net:
        plain += [f"mask_head/convs/{k}" for k in range(4)] + ["mask_head/up", "mask_head/masks"]
    if second:
        plain.append("box_head/dense")
        normed = leaves([*blocks, *(f"box_head/convs/{k}" for k in range(4))], ("kernel", *NORM))
        return [*resnet("resnet50"), *leaves(plain, ("kernel", "bias")), *normed]
    plain += [*blocks, "box_head/fc6", "box_head/fc7"]
    return [*resnet("resnet50"), *leaves(plain, ("kernel", "bias"))]


NETS = [net for net in NAMES if "2019" not in net]


def body(net: str) -> str:
    return "backbone.body." if "rcnn" in net else ""


def value(name: str, shape: list[int]) -> np.ndarray:
    """A small tensor with values that tell where they came from; constant in memory for large ones."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.broadcast_to(rng.random(shape[-1:] or [1], np.float32), shape)


@pytest.mark.parametrize("net", NETS)
def test_every_tensor_of_a_net_has_one_name_here(net: str) -> None:
    mapped = [torchvision_name(name, body(net)) for name in our_names(net)]
    classifier = ("fc.", "classifier.6.", "num_batches_tracked")
    wanted = [name for name in NAMES[net] if not any(part in name for part in classifier)]
    assert len(set(mapped)) == len(mapped) and sorted(map(str, mapped)) == sorted(wanted)


@pytest.mark.parametrize("net", ["fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"])
def test_the_names_of_2019(net: str) -> None:
    then = {today: old for old, today in NAMES[f"{net} in 2019"].items()}
    assert {name: name_of_2019(name) for name in NAMES[net]} == {
        name: then.get(name, name) for name in NAMES[net]
    }


def small_detector() -> dict[str, np.ndarray]:
    """A state dict in the shape of a detector, of few channels."""
    rng = np.random.default_rng(0)
    shapes = {
        "backbone.body.conv1.weight": (8, 3, 7, 7),
        **{f"backbone.body.bn1.{leaf}": (8,) for leaf in ("weight", "bias", "running_mean", "running_var")},
        "backbone.fpn.inner_blocks.0.0.weight": (4, 8, 1, 1),
        "backbone.fpn.inner_blocks.0.0.bias": (4,),
        "rpn.head.conv.0.0.weight": (4, 4, 3, 3),
        "roi_heads.box_head.fc6.weight": (5, 4 * 49),
        "roi_heads.box_predictor.cls_score.weight": (3, 5),
        "roi_heads.mask_head.1.0.weight": (4, 4, 3, 3),
        "roi_heads.mask_predictor.conv5_mask.weight": (4, 6, 2, 2),
    }
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


OURS = {
    "trunk/conv1/kernel": (7, 7, 3, 8),
    **{f"trunk/conv1/{leaf}": (8,) for leaf in NORM},
    "pyramid/lateral/0/kernel": (1, 1, 8, 4),
    "pyramid/lateral/0/bias": (4,),
    "rpn/convs/0/kernel": (3, 3, 4, 4),
    "box_head/fc6/kernel": (196, 5),
    "predictor/classes/kernel": (5, 3),
    "mask_head/convs/1/kernel": (3, 3, 4, 4),
    "mask_head/up/kernel": (2, 2, 6, 4),
}


def test_values_are_the_same_under_both_sets_of_names() -> None:
    theirs = small_detector()
    then = {name_of_2019(name): array for name, array in theirs.items()}
    assert set(then) != set(theirs)
    (today, report), (old, _) = (match_weights(state, OURS, "x.pth") for state in (theirs, then))
    assert list(today) == list(old) == list(OURS) and not report.missing and not report.unused
    assert all(np.array_equal(today[name], old[name]) for name in OURS)


def test_layouts_compute_the_same() -> None:
    theirs = small_detector()
    ours, _ = match_weights(theirs, OURS, "x.pth")
    rng = np.random.default_rng(1)
    crop = rng.random((7, 7, 4)).astype(np.float32)
    dense = theirs["roi_heads.box_head.fc6.weight"] @ crop.transpose(2, 0, 1).reshape(-1)
    assert np.allclose(crop.reshape(-1) @ ours["box_head/fc6/kernel"], dense, atol=1e-4)
    kernel = ours["rpn/convs/0/kernel"]
    assert kernel[1, 2, 0, 3] == theirs["rpn.head.conv.0.0.weight"][3, 0, 1, 2]
    up = ours["mask_head/up/kernel"]  # [h, w, out, in]
    assert up[0, 1, 5, 2] == theirs["roi_heads.mask_predictor.conv5_mask.weight"][2, 5, 0, 1]
    grouped = our_layout("x/kernel", rng.random((256, 8, 3, 3)))
    assert grouped.shape == (3, 3, 8, 256)


def test_a_folded_convolution_computes_what_convolution_and_norm_do() -> None:
    rng = np.random.default_rng(2)
    theirs = {
        "layer2.0.conv1.weight": rng.standard_normal((6, 4, 3, 3)),
        "layer2.0.bn1.weight": rng.random(6),
        "layer2.0.bn1.bias": rng.random(6),
        "layer2.0.bn1.running_mean": rng.random(6),
        "layer2.0.bn1.running_var": rng.random(6),
        "layer2.0.bn1.num_batches_tracked": np.int64(3),
        "fc.weight": rng.random((10, 6)),
        "surplus": rng.random(3),
    }
    theirs = {name: np.asarray(array, np.float32) for name, array in theirs.items()}
    wanted = {"trunk/block2/0/conv1/kernel": (3, 3, 4, 6), "trunk/block2/0/conv1/bias": (6,)}
    ours, report = match_weights(theirs, wanted, "x.pth")
    patch = rng.random((3, 3, 4)).astype(np.float32)
    value = np.einsum("ocyx,yxc->o", theirs["layer2.0.conv1.weight"], patch)
    norm = {
        leaf: theirs[f"layer2.0.bn1.{leaf}"] for leaf in ("weight", "bias", "running_mean", "running_var")
    }
    value = (value - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm[
        "bias"
    ]
    folded = np.einsum("yxco,yxc->o", ours["trunk/block2/0/conv1/kernel"], patch)
    assert np.allclose(folded + ours["trunk/block2/0/conv1/bias"], value, atol=1e-4)
    assert report.bookkeeping == 2 and report.unused == ["surplus"] and not report.missing


@pytest.mark.parametrize("folded", [False, True])
def test_an_epsilon_of_another_s_normalisation_is_made_up_for(folded: bool) -> None:
    """Variances near it: with `EPSILON`, every channel is scaled as it was without."""
    rng = np.random.default_rng(4)
    leaves = {leaf: rng.random(4) + 0.1 for leaf in ("weight", "bias", "running_mean")}
    variance = np.array([1e-9, 1e-6, 1e-5, 0.02])
    theirs = {f"bn1.{leaf}": values for leaf, values in {**leaves, "running_var": variance}.items()}
    theirs["conv1.weight"] = rng.random((4, 3, 1, 1))
    theirs = {name: np.asarray(array, np.float32) for name, array in theirs.items()}
    names = {"kernel": (1, 1, 3, 4), **dict.fromkeys(["bias"] if folded else NORM, (4,))}
    wanted = {f"trunk/conv1/{leaf}": shape for leaf, shape in names.items()}
    ours, _ = match_weights(theirs, wanted, "x.pth", epsilon=0.0)
    value = {name.rpartition("/")[2]: array for name, array in ours.items()}
    x = rng.random(3)
    expected = theirs["conv1.weight"][:, :, 0, 0] @ x - theirs["bn1.running_mean"]
    expected = expected / np.sqrt(theirs["bn1.running_var"]) * theirs["bn1.weight"] + theirs["bn1.bias"]
    found = x @ value["kernel"][0, 0]
    if folded:
        found = found + value["bias"]
    else:
        found = (found - value["moving_mean"]) / np.sqrt(value["moving_variance"] + np.float32(EPSILON))
        found = found * value["gamma"] + value["beta"]
    assert np.allclose(found, expected, rtol=1e-5)


def test_which_epsilon_a_file_has() -> None:
    today, then = "backbone.fpn.inner_blocks.0.0.weight", "backbone.fpn.inner_blocks.0.weight"
    assert epsilon_of("mine.pth", ["a", then]) == 0 and epsilon_of("mine.pth", ["a", today]) == EPSILON
    assert epsilon_of("maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", [today]) == 0
    assert epsilon_of("maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth", [today]) == EPSILON


def test_the_first_kernel_for_our_pixels() -> None:
    rng = np.random.default_rng(3)
    rgb, kernel = rng.random((7, 7, 3)), rng.standard_normal((7, 7, 3, 5)).astype(np.float32)
    means, stds = (np.array(v) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    wanted = np.einsum("yxc,yxco->o", (rgb - means) / stds, kernel)
    bgr = 255 * (rgb - means)[..., ::-1]
    assert np.allclose(np.einsum("yxc,yxco->o", bgr, for_pixels_bgr(kernel)), wanted, atol=1e-4)


def test_what_is_missing_or_of_another_shape_is_said() -> None:
    theirs = small_detector()
    del theirs["backbone.fpn.inner_blocks.0.0.bias"]
    _, report = match_weights(theirs, OURS, "x.pth")
    assert report.missing == ["pyramid/lateral/0/bias"]
    other = {**OURS, "predictor/classes/kernel": (5, 7)}
    with pytest.raises(UserError, match=r"x\.pth: .*cls_score\.weight.*number of classes"):
        match_weights(theirs, other, "x.pth")
    values, report = match_weights(theirs, other, "x.pth", any_shape=["predictor/"])
    assert values["predictor/classes/kernel"].shape == (5, 3) and not report.unused
    with pytest.raises(UserError, match="no weights of this net"):
        match_weights({"a": np.zeros(3)}, OURS, "x.pth")
    theirs["rpn.head.conv.0.0.weight"] = theirs["rpn.head.conv.0.0.weight"].astype(np.int32)
    with pytest.raises(UserError, match="int32"):
        match_weights(theirs, OURS, "x.pth")


def test_the_table_is_torchvisions() -> None:
    facts = {row["file"]: row for row in FACTS["weights"].values()}
    for row in PUBLISHED.values():
        fact = facts[row.file]
        assert row.hash_start == fact["sha256_prefix"] and row.mebibytes == fact["size_mib"]
        metrics = next(iter(fact["metrics"].values()))
        assert row.figure == metrics.get("acc@1", metrics.get("box_map"))
        assert row.mask_ap == metrics.get("mask_map")
        assert row.url == f"https://download.pytorch.org/models/{row.file}"
    assert {row.net for row in PUBLISHED.values()} == {*NETS, "maskrcnn_resnet50_fpn_v2"}
    assert list(COCO_NAMES) == FACTS["coco_categories"]
    epsilon_0 = {row.net for row in PUBLISHED.values() if row.epsilon == 0}
    assert epsilon_0 == {"fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"}
    assert [row.figure for row in published_files("resnet50")] == [80.858, 76.13]
    with pytest.raises(UserError, match="alexnet: no published weights"):
        published_files("alexnet")


def test_the_hash_in_a_name_is_compared(tmp_path: Path) -> None:
    content = b"weights" * 300_000
    start = hashlib.sha256(content).hexdigest()[:8]
    good, bad, own = (tmp_path / name for name in (f"net-{start}.pth", "net-0123abcd.pth", "net.pth"))
    for path in (good, bad, own):
        path.write_bytes(content)
    assert check_hash(good) and not check_hash(own) and hash_in_name("a-b.pth") == ""
    with pytest.raises(UserError, match=rf"begins with {start} and not 0123abcd"):
        check_hash(bad)
    with pytest.raises(UserError, match="cannot read"):
        check_hash(tmp_path / "absent-0123abcd.pth")
