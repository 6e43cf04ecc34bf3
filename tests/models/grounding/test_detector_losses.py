"""The joint detector's losses are those of two plain detectors with its weights, one of each data set, on the
images of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.models.detector.batch_losses import training_proposals, unweighted_losses
from dsg.models.detector.build import build_detector
from dsg.models.grounding.build import build_grounding
from dsg.models.grounding.detector_losses import BETA, OF_MASKS, detector_losses
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.weights import of_one_data_set
from dsg.pipeline.graph_batch import GRAPHS, MASKS
from dsg.pipeline.graph_batches import graph_training_examples
from dsg.pipeline.graph_examples import with_masks
from tests.pipeline.small_graphs import graph_config, small_graphs

pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
PYRAMID = ["TRAIN.SCALES", "[64]", "TRAIN.MAX_SIZE", "96", "TRAIN.IMS_PER_BATCH", "2", "DATA.WORKERS", "1"]
PYRAMID += ["TRAIN.BATCH_SIZE", "12", "TRAIN.RPN_POST_NMS_TOP_N", "12"]


def case(net: str, folder: Path) -> tuple[Config, GroundingModel, dict[str, tf.Tensor]]:
    pairs = ["TRAIN.SCALES", "[64]", "GROUNDING.MASK_IMS_PER_BATCH", "2"]
    small = net not in PYRAMIDS
    config = graph_config(*pairs, *(() if small else PYRAMID), net=net, small=small)
    dataset = small_graphs(folder)
    model = build_grounding(config, dataset.vocabulary)
    rng = np.random.default_rng(0)
    for name, variable in model.named_variables().items():
        if "predictor" in name or "mask_branch/masks" in name:
            variable.assign(rng.normal(0.0, 0.1, variable.shape))
    batch = next(iter(graph_training_examples(dataset, config).batches(2, 0)))
    return config, model, batch


def plain(config: Config, joint: GroundingModel, classes: int, masks: bool) -> Any:
    """A detector with the joint one's weights for a data set."""
    config = with_masks(config, masks)
    model = build_detector(config, classes + 1)
    shared = {name: variable.numpy() for name, variable in joint.named_variables().items()}
    own = "coco" if masks else "vg"
    for leaf in ("kernel", "bias"):
        boxes = shared[f"predictor/{own}_box/{leaf}"]
        shared[f"predictor/classes/{leaf}"] = np.roll(shared[f"predictor/{own}_cls/{leaf}"], 1, -1)
        shared[f"predictor/boxes/{leaf}"] = np.concatenate([np.zeros_like(boxes[..., :4]), boxes], -1)
        if masks:
            values = shared[f"mask_branch/masks/{leaf}"]
            shared[f"mask_branch/masks/{leaf}"] = np.concatenate([np.zeros_like(values[..., :1]), values], -1)
    for name, variable in model.named_variables().items():
        variable.assign(shared[name.replace("mask_head/", "mask_branch/")])
    return model


def some_of(value: Any, rows: np.ndarray) -> Any:
    """A first stage of some images: all that has an entry an image, which is all but the anchors."""
    if value is None or isinstance(value, list):
        return value if value is None else [some_of(one, rows) for one in value]
    if isinstance(value, tuple):
        parts = {key: getattr(value, key) for key in value._fields}
        rest = {key: some_of(part, rows) for key, part in parts.items() if key != "anchors"}
        return type(value)(**{**parts, **rest})
    return tf.gather(value, rows)


@pytest.mark.parametrize("net", ["mini", "res50_fpn"])
def test_joint_is_graphs_and_masks(net: str, tmp_path: Path) -> None:
    config, model, batch = case(net, tmp_path)
    losses = {name: float(value) for name, value in detector_losses(model, batch, config).items()}
    total = losses["regularization"] * config.loss.regularization
    for domain, before, classes in ((GRAPHS, "", 3), (MASKS, OF_MASKS, 2)):
        masks = domain == MASKS
        rows = np.flatnonzero(batch["domain"].numpy() == domain)
        part = {key: tf.gather(value, rows) for key, value in batch.items()}
        part["gt_classes"] += tf.cast(part["gt_valid"], tf.int32)
        if masks:
            part.update({key: part[key][:, :2] for key in ("gt_boxes", "gt_classes", "gt_valid")})
        detector = plain(config, model, classes, masks)
        # draws depend on the last bit of what they are drawn from, so all images are seen together
        first = detector(batch["image"], batch["image_size"], training_proposals(config))
        arguments = (detector, some_of(first, rows), part, with_masks(config, masks))
        expected = unweighted_losses(*arguments, images=2, beta=BETA)
        assert set(expected) == {name.removeprefix(before) for name in losses if _is_of(name, before)}
        assert ("mask" in expected) == masks
        for name, value in expected.items():
            assert losses[before + name] == pytest.approx(float(value), rel=1e-4, abs=1e-6), before + name
            total += getattr(config.loss, name) * float(value)
    assert losses["total"] == pytest.approx(total, rel=2e-4)


def _is_of(name: str, before: str) -> bool:
    known = name not in ("total", "regularization")
    return known and name.startswith(OF_MASKS) == (before == OF_MASKS)


def test_what_is_learned_of_each_data_set(tmp_path: Path) -> None:
    config, model, batch = case("mini", tmp_path)
    names = model.trainable_names()
    assert set(names) == set(model.named_variables())  # mini has nothing fixed
    variables = [model.named_variables()[name] for name in names]

    def learned(rows: slice) -> tuple[dict[str, float], set[str]]:
        """Losses of some images, and what has a gradient other than 0."""
        part = {key: value[rows] for key, value in batch.items()}
        with tf.GradientTape() as tape:
            losses = detector_losses(model, part, config)
            total = losses["total"] - config.loss.regularization * losses["regularization"]
        gradients = zip(names, tape.gradient(total, variables))
        return (
            {name: float(value) for name, value in losses.items()},
            {name for name, g in gradients if g is not None and np.abs(tf.convert_to_tensor(g)).max() > 0},
        )

    graphs, from_graphs = learned(slice(0, 2))
    masks, from_masks = learned(slice(2, 4))
    assert all(value == 0 for name, value in graphs.items() if name.startswith(OF_MASKS))
    assert all(value == 0 for name, value in masks.items() if _is_of(name, ""))
    assert all(np.isfinite(list(losses.values())).all() for losses in (graphs, masks))
    both, own = from_graphs & from_masks, from_graphs ^ from_masks
    assert {name.split("/")[0] for name in both} == {"trunk", "rpn", "box_head"}
    assert {"/".join(name.split("/")[:2]) for name in own & from_graphs} == {
        "predictor/vg_cls",
        "predictor/vg_box",
    }
    assert {name.split("/")[0] for name in own & from_masks} == {"predictor", "mask_branch"}
    assert both | own == set(names)


def test_a_detector_of_one_data_set_in_the_joint_layout() -> None:
    rng = np.random.default_rng(0)
    values = {
        "predictor/coco_cls/kernel": rng.normal(size=(5, 4)),  # background, a, b, c
        "predictor/coco_box/kernel": rng.normal(size=(5, 16)),
        "mask_branch/masks/kernel": rng.normal(size=(1, 1, 6, 4)),
        "trunk/conv1/kernel": rng.normal(size=(3,)),
    }
    converted = of_one_data_set(values)
    assert set(converted) == {*values, "predictor/vg_cls/kernel", "predictor/vg_box/kernel"}
    scores, boxes = converted["predictor/vg_cls/kernel"], converted["predictor/vg_box/kernel"]
    assert np.array_equal(scores[:, :3], values["predictor/coco_cls/kernel"][:, 1:])
    assert np.array_equal(scores[:, 3], values["predictor/coco_cls/kernel"][:, 0])
    assert np.array_equal(boxes, values["predictor/coco_box/kernel"][:, 4:])
    assert np.array_equal(converted["mask_branch/masks/kernel"], values["mask_branch/masks/kernel"][..., 1:])
    one = {**values, "predictor/coco_box/kernel": rng.normal(size=(5, 4))}  # one box for all classes
    assert "predictor/coco_box/kernel" not in of_one_data_set(one)
