"""What detectors start from, and DSGs from detectors: snapshots, torchvision's files and tf-faster-rcnn's
checkpoints, by the road that a run takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.checkpoints.published import COCO_NAMES
from dsg.checkpoints.tf1_detector_names import detector_name
from dsg.checkpoints.torchvision import MEANS, STDS, for_pixels_bgr, name_of_2019
from dsg.config import Config, flatten, load_config
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import Meta, save_snapshot
from dsg.errors import UserError
from dsg.models.detector.build import build_detector
from dsg.models.detector.weights import load_initial
from dsg.models.dsg.build import build_model
from dsg.models.weights import load_initial_weights
from dsg.nets.backbones.resnet import TORCHVISION, ResnetTrunk
from dsg.nets.layers import Block
from dsg.parity.golden import open_golden
from dsg.parity.recipes import slim_value, torch_value
from dsg.pipeline.detector_images import image_batch
from tests.checkpoints.test_tf1 import save
from tests.golden.compare import error
from tests.models.dsg.cases import TINY
from tests.shared import needs_shared, shared_path
from tests.torch_files import torch_state, write_pth

BODY = "backbone.body."
SMALL = ("RPN_CHANNELS", "12", "HEAD.DIM", "12", "HEAD.CHANNELS", "8", "ANCHOR_SCALES", "[1, 2, 4]")
THEIR_MEANS = ("PIXEL_MEANS", str([255 * mean for mean in MEANS[::-1]]))


def config_of(net: str, *overrides: str) -> Config:
    return load_config(overrides=["NET", net, *overrides])


def values_of(model: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in model.named_variables().items()}


def started(config: Config, objects: Sequence[str] = ("dog", "person"), folder: str = "data") -> tuple:
    """A new detector, its values before and after, and the report."""
    model = build_detector(config, len(objects) + 1)
    fresh = values_of(model)
    report = load_initial(model, config, Vocabulary(tuple(objects), ()), folder)
    return values_of(model), fresh, report


def snapshot(path: Path, config: Config, objects: Sequence[str]) -> dict[str, np.ndarray]:
    """A trained detector's, whose values are all different; with a slot, as training writes it."""
    model, rng = build_detector(config, len(objects) + 1), np.random.default_rng(0)
    values = {n: rng.random(tuple(v.shape), np.float32) for n, v in model.named_variables().items()}
    meta = Meta(net=config.net, epoch=1, step=9, config=flatten(config), objects=list(objects))
    save_snapshot(path, values, {"momentum/trunk/conv1/kernel": values["trunk/conv1/kernel"]}, meta)
    return values


# From a snapshot of a detector


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A detector `mini` of cats, dogs and a red cube, with masks."""
    path = tmp_path_factory.mktemp("detector") / "trained.npz"
    config = config_of("detector_mini", *SMALL, "DETECTOR.MASKS", "True", "EXACT_BOXES", "True")
    return path, snapshot(path, config, ("cat", "dog", "red_cube"))


def test_a_detector_starts_from_another_by_the_names_of_classes(
    trained: tuple[Path, dict[str, np.ndarray]],
) -> None:
    """`Red cube` is number 3 there and 1 here; zebra is new and keeps its first values."""
    path, there = trained
    config = config_of(
        *("detector_mini", *SMALL, "DETECTOR.MASKS", "True", "EXACT_BOXES", "True", "WEIGHTS", str(path))
    )
    here, fresh, report = started(config, ("Red cube", "zebra", "dog"))
    by_class = ("predictor/classes", "predictor/boxes", "mask_head/masks")
    for name, value in here.items():
        if not name.startswith(by_class):
            np.testing.assert_array_equal(value, there[name])
            continue
        each = 4 if "boxes" in name else 1
        rows = {k: np.s_[..., each * k : each * (k + 1)] for k in range(4)}
        for ours, theirs in ((0, 0), (1, 3), (3, 2)):
            np.testing.assert_array_equal(value[rows[ours]], there[name][rows[theirs]])
        np.testing.assert_array_equal(value[rows[2]], fresh[name][rows[2]])
    assert not report.missing and "2 of 3 categories; new: zebra" in str(report)
    assert "predicates" not in str(report) and len(report.matched) == len(here)


def test_without_a_class_in_common_the_outputs_start_from_random_values(trained: tuple[Path, Any]) -> None:
    here, fresh, report = started(config_of("detector_mini", *SMALL, "WEIGHTS", str(trained[0])), ("zebra",))
    for name in ("predictor/classes/kernel", "predictor/boxes/kernel"):
        np.testing.assert_array_equal(here[name], fresh[name])
    assert "trunk/conv1/kernel" in report.matched and "mask_head/masks/kernel" in report.unused


def test_a_class_agnostic_box_is_taken_whatever_the_classes(tmp_path: Path) -> None:
    options = (*SMALL, "DETECTOR.CLASS_AGNOSTIC", "True", "EXACT_BOXES", "True", "DETECTOR.MASKS", "True")
    path = tmp_path / "agnostic.npz"
    there = snapshot(path, config_of("detector_mini", *options), ("cat", "dog", "owl"))
    for objects in (("dog",), ("dog", "zebra")):
        here, _, _ = started(config_of("detector_mini", *options, "WEIGHTS", str(path)), objects)
        for name in ("predictor/boxes/kernel", "predictor/boxes/bias", "mask_head/masks/kernel"):
            np.testing.assert_array_equal(here[name], there[name])
        row = np.s_[..., 1 + objects.index("dog")]
        np.testing.assert_array_equal(
            here["predictor/classes/kernel"][row], there["predictor/classes/kernel"][..., 2]
        )


def test_a_dsg_takes_trunk_and_proposals_of_a_detector(trained: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, there = trained
    config = config_of("mini", *TINY, "WEIGHTS", str(path))
    model = build_model(config, 3, 2)
    fresh = values_of(model)
    report = load_initial_weights(model, config, vocabulary=Vocabulary(("dog", "a", "b"), ("on", "by")))
    here = values_of(model)
    shared = [name for name in here if name.startswith(("trunk/", "rpn/"))]
    assert shared and all(np.array_equal(here[name], there[name]) for name in shared)
    kernel = "regions/entity/convs/0/kernel"  # a box head of the same size
    np.testing.assert_array_equal(here[kernel], there["box_head/convs/0/kernel"])
    rest = [name for name in here if not name.startswith(("trunk/", "rpn/", "regions/"))]
    assert all(np.array_equal(here[name], fresh[name]) for name in rest)
    trunk = sum(name.startswith("trunk/") for name in here)
    assert f"taken: trunk {trunk} of {trunk}, rpn 6 of 6, regions 6 of " in str(report)


def test_outputs_of_other_anchors_are_not_taken(trained: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, there = trained
    config = config_of("mini", *TINY, "WEIGHTS", str(path), "ANCHOR_SCALES", "[1, 2, 5]")
    model = build_model(config, 3, 2)
    fresh = values_of(model)
    report = load_initial_weights(model, config)
    here = values_of(model)
    np.testing.assert_array_equal(here["rpn/conv/kernel"], there["rpn/conv/kernel"])
    for name in ("rpn/classes/kernel", "rpn/boxes/kernel"):
        np.testing.assert_array_equal(here[name], fresh[name])
    assert "start from random values: its anchors differ" in str(report) and "rpn 2 of 6" in str(report)


def test_a_snapshot_of_another_backbone_is_refused_in_one_line(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    path = trained[0]
    model = build_model(config_of("res18", *TINY), 3, 2)
    with pytest.raises(UserError, match=r"trained\.npz: .*another network \(detector_mini, here res18\)$"):
        load_initial_weights(model, config_of("res18", *TINY, "WEIGHTS", str(path)))
    layout = config_of("res50", "RESNET.LAYOUT", "torchvision")
    save_snapshot(tmp_path / "c4.npz", {"a": np.zeros(3)}, {}, Meta("res50", 1, 1, config=flatten(layout)))
    with pytest.raises(UserError, match=r"another network \(RESNET.LAYOUT torchvision, here slim\)$"):
        load_initial_weights(model, config_of("res50", "WEIGHTS", str(tmp_path / "c4.npz")))


# From a detector of tf-faster-rcnn


def slim_file(path: Path, model: Any, net: str, classes: int, cell: int = 9) -> dict[str, np.ndarray]:
    """A checkpoint as tf-faster-rcnn writes it, with the recipe's values; these by our names."""
    widths = {"predictor/classes": classes, "predictor/boxes": 4 * classes}
    widths.update({"rpn/classes": 2 * cell, "rpn/boxes": 4 * cell})
    values, there = {}, {}
    for name, variable in model.named_variables().items():
        shape = (*variable.shape[:-1], widths.get(name.rpartition("/")[0], variable.shape[-1]))
        theirs = detector_name(name, net)
        if theirs:
            values[name] = there[theirs] = slim_value(theirs, shape)
    save(path, {**there, "global_step": np.int64(3), "a/weights/Momentum": np.zeros(3, np.float32)})
    return values


def test_a_detector_of_voc_by_the_names_of_its_classes(tmp_path: Path) -> None:
    """It names none, but has as many as VOC: person is number 15 there, dog 12."""
    config = config_of("detector_mobile", "ANCHOR_SCALES", "[8, 16, 32]", "WEIGHTS", str(tmp_path / "x.ckpt"))
    model = build_detector(config, 4)
    there = slim_file(tmp_path / "x.ckpt", model, "mobile", 21)
    fresh = values_of(model)
    report = load_initial(model, config, Vocabulary(("person", "zebra", "dog"), ()))
    here = values_of(model)
    outputs = [name for name in here if name.startswith("predictor/")]
    assert all(np.array_equal(here[name], there[name]) for name in here if name not in outputs)
    kernel = "predictor/classes/kernel"
    np.testing.assert_array_equal(here[kernel][:, [0, 1, 3]], there[kernel][:, [0, 15, 12]])
    np.testing.assert_array_equal(here[kernel][:, 2], fresh[kernel][:, 2])
    np.testing.assert_array_equal(here["predictor/boxes/bias"][4:8], there["predictor/boxes/bias"][60:64])
    assert "2 of 3 categories; new: zebra" in str(report) and report.bookkeeping == 2
    assert len(report.matched) == len(here) and not report.unused


def test_a_detector_of_as_many_classes_has_the_same(tmp_path: Path) -> None:
    config = config_of(
        "detector_mobile", "ANCHOR_SCALES", "[4, 8, 16, 32]", "WEIGHTS", str(tmp_path / "x.ckpt")
    )
    model = build_detector(config, 3)
    there = slim_file(tmp_path / "x.ckpt", model, "mobile", 3)
    fresh = values_of(model)
    report = load_initial(model, config, Vocabulary(("a", "b"), ()))
    here = values_of(model)
    assert np.array_equal(here["predictor/boxes/kernel"], there["predictor/boxes/kernel"])
    assert np.array_equal(here["rpn/boxes/kernel"], fresh["rpn/boxes/kernel"])
    assert "its anchors differ" in str(report) and "rpn 2 of 6" in str(report)


@pytest.fixture(scope="module")
def c4() -> Any:
    """A DSG on res50."""
    return build_model(config_of("res50", "VARIANT", "no_dsg", "HEAD.DIM", "8", "RR.HIDDEN", "[8]"), 3, 2)


def test_a_dsg_takes_trunk_proposals_and_box_head_of_tf_faster_rcnn(c4: Any, tmp_path: Path) -> None:
    """One trained on COCO, with the release's anchors."""
    detector = build_detector(config_of("detector_res50", "ANCHOR_SCALES", "[4, 8, 16, 32]"), 2)
    there = slim_file(tmp_path / "x.ckpt", detector, "res50", 81, cell=12)
    report = load_initial_weights(c4, config_of("res50", "WEIGHTS", str(tmp_path / "x.ckpt")))
    here = values_of(c4)
    assert all(np.array_equal(here[n], there[n]) for n in here if n.startswith(("trunk/", "rpn/")))
    for name in [name for name in there if name.startswith("box_head/")]:
        ours = name.replace("box_head/", "regions/entity/block4/")
        np.testing.assert_array_equal(here[ours], there[name])
    assert "rpn 6 of 6" in str(report) and "resnet_v1_50/cls_score/weights" in report.unused
    config = config_of("res50", "WEIGHTS", str(tmp_path / "x.ckpt"), "ANCHOR_SCALES", "[2, 4, 8, 16]")
    assert "rpn 2 of 6" in str(load_initial_weights(c4, config))
    with pytest.raises(UserError, match="lacks resnet_v1_101/conv1/weights; it is not a detector of res101"):
        load_initial_weights(c4, config_of("res101", "WEIGHTS", str(tmp_path / "x.ckpt")))


# From torchvision's files


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A file as `maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth`, under the names of 2019."""
    model = build_detector(config_of("detector_res50_fpn", "DETECTOR.MASKS", "True"), len(COCO_NAMES))
    state = torch_state({name: v.shape for name, v in model.named_variables().items()}, BODY)
    rng = np.random.default_rng(0)
    for name in [
        name for name in state if name.startswith("roi_heads.box_predictor") or "mask_fcn_l" in name
    ]:
        state[name] = rng.random(state[name].shape, np.float32)
    state[f"{BODY}conv1.weight"] = rng.random((64, 3, 7, 7), np.float32)
    path = tmp_path_factory.mktemp("torch") / "maskrcnn.pth"
    return write_pth(path, {name_of_2019(name): value for name, value in state.items()}), state


def test_a_published_detector_for_own_classes(published: tuple[Path, dict[str, np.ndarray]]) -> None:
    """`tvmonitor` is COCO's tv, number 72 of torchvision's; person is number 1, the cube new."""
    path, state = published
    config = config_of(*("detector_res50_fpn", *THEIR_MEANS, "DETECTOR.MASKS", "True", "WEIGHTS", str(path)))
    here, fresh, report = started(config, ("cube", "tvmonitor", "person"))
    first = state[f"{BODY}conv1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(here["trunk/conv1/kernel"], for_pixels_bgr(first))
    variance, gamma = state[f"{BODY}bn1.running_var"], state[f"{BODY}bn1.weight"]
    scale = here["trunk/conv1/gamma"] / np.sqrt(here["trunk/conv1/moving_variance"] + 1e-5)
    np.testing.assert_allclose(scale, gamma / np.sqrt(variance), rtol=1e-6)  # the file has no epsilon
    theirs = state["roi_heads.box_predictor.cls_score.weight"].T
    kernel = here["predictor/classes/kernel"]
    np.testing.assert_array_equal(kernel[:, [0, 2, 3]], theirs[:, [0, COCO_NAMES.index("tv"), 1]])
    np.testing.assert_array_equal(kernel[:, 1], fresh["predictor/classes/kernel"][:, 1])
    boxes = state["roi_heads.box_predictor.bbox_pred.bias"]
    np.testing.assert_array_equal(here["predictor/boxes/bias"][12:], boxes[4:8])
    masks = state["roi_heads.mask_predictor.mask_fcn_logits.weight"][1, :, 0, 0]
    np.testing.assert_array_equal(here["mask_head/masks/kernel"][0, 0, :, 3], masks)
    assert len(report.matched) == len(here) and not report.missing and not report.unused
    assert "2 of 3 categories; new: cube" in str(report)


def test_a_trunk_of_one_map_from_a_published_detector(
    c4: Any, published: tuple[Path, dict[str, np.ndarray]]
) -> None:
    """Its body is of use in torchvision's layout, and block 4 to the heads; its pyramid is not."""
    path, state = published
    with pytest.raises(UserError, match="set RESNET.LAYOUT torchvision to start res50 from it"):
        load_initial_weights(c4, config_of("res50", "WEIGHTS", str(path)))
    fresh = values_of(c4)
    config = config_of("res50", *THEIR_MEANS, "RESNET.LAYOUT", "torchvision", "WEIGHTS", str(path))
    report = load_initial_weights(c4, config)
    here = values_of(c4)
    theirs = state[f"{BODY}layer3.5.conv3.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(here["trunk/block3/5/conv3/kernel"], theirs)
    theirs = state[f"{BODY}layer4.2.conv3.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(here["regions/entity/block4/units/2/conv3/kernel"], theirs)
    assert all(np.array_equal(here[name], fresh[name]) for name in here if name.startswith("rpn/"))
    assert "rpn 0 of 6" in str(report)
    options = ("RESNET.LAYOUT", "torchvision", "WEIGHTS", str(path), *THEIR_MEANS)
    here, _, report = started(config_of("detector_res50", "ANCHOR_SCALES", "[8, 16, 32]", *options))
    np.testing.assert_array_equal(here["box_head/units/2/conv3/kernel"], theirs)
    assert "trunk 215 of 215, box_head 50 of 50, rpn 0 of 6, predictor 0 of 4" in str(report)


class Named(Block):
    """A trunk under the names that networks give it."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = ResnetTrunk("res50", layout=TORCHVISION)


@needs_shared("reference", "torchvision")
def test_the_trunk_of_a_published_detector_computes_what_torchvision_does(tmp_path: Path) -> None:
    """The reference pictures through a file of 2019, whose normalisation has no epsilon, as our pixels."""
    golden = open_golden(shared_path("reference", "torchvision", "forward_fasterrcnn.npz"))
    assert golden["input/bn_eps"] == 0
    model = Named()
    zeros = torch_state({name: v.shape for name, v in model.named_variables().items()}, BODY)
    seed = int(golden["input/recipe_seed"])
    state = {name: torch_value(name, value.shape, seed) for name, value in zeros.items()}
    pyramid = {f"backbone.fpn.inner_blocks.{k}.bias": np.zeros(1, np.float32) for k in range(4)}
    path = write_pth(tmp_path / "fasterrcnn.pth", {**state, **pyramid})
    config = config_of("res50", *THEIR_MEANS, "RESNET.LAYOUT", "torchvision", "WEIGHTS", str(path))
    load_initial_weights(model, config)
    pictures = [golden[f"input/{n}/image_rgb_u8"].astype(np.float32) / np.float32(255) for n in range(2)]
    batch = image_batch(pictures, int(golden["input/min_size"]), int(golden["input/max_size"]))
    pixels = 255 * (batch.images * np.array(STDS) + np.array(MEANS))[..., ::-1] - config.pixel_means
    maps = model.trunk(tf.constant(pixels.astype(np.float32)))
    for name, level in (("c2", maps.block1), ("c3", maps.block2), ("c4", maps.features)):
        steps = tuple(slice(None, None, int(step)) for step in golden[f"{name}.sub_steps"])
        assert error(np.moveaxis(level.numpy(), -1, 1)[steps], golden[f"{name}.sub"]) < 1e-4
