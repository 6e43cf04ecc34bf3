"""DSG on a feature pyramid: it computes what the detector computes, keeps images apart, and trains what it
says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.checkpoints.tf1 import LoadReport
from dsg.checkpoints.torchvision import for_pixels_bgr, match_weights
from dsg.config import load_config
from dsg.engine.runs import Run
from dsg.engine.snapshots import load_snapshot
from dsg.engine.train import train
from dsg.errors import UserError
from dsg.models.detector.model import Detector, ProposalSettings, PyramidMaps
from dsg.models.detector.outputs import packed
from dsg.models.detector.predictions import detections
from dsg.models.dsg.build import build_model
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.pyramid import at_least_one, check_frozen, confident
from dsg.models.dsg.trained import load_trained
from dsg.models.registry import task_of
from dsg.models.weights import load_initial_weights
from dsg.nets.outputs import Proposals
from dsg.parity.golden import open_golden
from dsg.parity.recipes import torch_value
from dsg.parity.runs import torchvision_forward as torchvision
from dsg.pipeline.detector_images import image_batch
from dsg.pipeline.examples import Arrays
from dsg.pipeline.splits import load_splits
from tests.models.dsg.cases import ENTITIES, PREDICATES, close, random_arrays, tensors
from tests.models.dsg.pyramid_cases import (
    BEST,
    PLAIN,
    VOCABULARY,
    pyramid_config,
    started,
    write_coco_detector,
)
from tests.shared import needs_shared, shared_path
from tests.tiny import make_tiny_shapes

SIZES = ((96, 128, 4, 3), (70, 101, 2, 1))  # height, width, boxes, queries
INPUTS = ("image", "image_size", "queries", "query_valid")
DETECTOR = ("trunk/", "pyramid/", "rpn/", "box_head/", "box_predictor/")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights in the published file's format; 167 megabytes, so not left behind."""
    path = write_coco_detector(tmp_path_factory.mktemp("weights") / "coco.pth")
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def best(file: Path) -> Any:
    """res50_fpn_best: a frozen detector whose detections are the nodes."""
    return started(pyramid_config(file))


@pytest.fixture(scope="module")
def plain(file: Path) -> Any:
    """res50_fpn: proposals are the nodes, the detector is trained, and the heads are copies."""
    return started(pyramid_config(file, net=PLAIN))


def two_images(config: Any) -> list[Arrays]:
    keys = ("height", "width", "boxes", "queries")
    return [random_arrays(config, seed, **dict(zip(keys, size))) for seed, size in enumerate(SIZES)]


def test_every_weight_of_the_published_file_is_used(best: Any, plain: Any, file: Path) -> None:
    report = load_initial_weights(best, best.config, vocabulary=VOCABULARY)
    variables = best.named_variables()
    assert not report.unused
    assert {name for name in variables if name.startswith(DETECTOR)} == set(report.matched)
    seen = torch_value("backbone.body.conv1.weight", (64, 3, 7, 7)).transpose(2, 3, 1, 0)
    close(variables["trunk/conv1/kernel"], for_pixels_bgr(seen))
    dense = torch_value("roi_heads.box_head.fc7.weight", (1024, 1024)).T
    close(variables["box_head/fc7/kernel"], dense)
    close(
        variables["box_predictor/boxes/bias"], torch_value("roi_heads.box_predictor.bbox_pred.bias", (364,))
    )
    copies = plain.named_variables()
    for kind in ("entity", "relation"):
        close(copies[f"regions/{kind}/box_head/fc7/kernel"], dense)


@pytest.mark.parametrize("kind", ["best", "plain"])
def test_an_image_of_a_batch_has_what_it_has_alone(kind: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    # all anchors: which are drawn depends on roundings
    config = pyramid_config("none", "TRAIN.RPN_BATCHSIZE", "100000", net=BEST if kind == "best" else PLAIN)
    images = two_images(config)
    batch = tensors(*images)
    together = model(batch, training=True)
    losses = training_losses(model, together, batch, config)
    alone_losses = []
    for row, arrays in enumerate(images):
        own = tensors(arrays)
        alone = model(own, training=True)
        alone_losses.append(training_losses(model, alone, own, config))
        for level, other in zip(together.detection.trunk.features, alone.detection.trunk.features):
            close(level[row, : other.shape[1], : other.shape[2]], other[0], 1e-4)
        valid = together.detection.proposals.valid.numpy()[row]
        close(together.detection.proposals.boxes[row][valid], alone.detection.proposals.boxes[0], 1e-4)
        close(together.regions.proposals.nodes[row][valid], alone.regions.proposals.nodes[0], 2e-4)
        close(together.graph.nodes[row][valid], alone.graph.nodes[0], 2e-4)
        close(together.heads.box_deltas[row][valid], alone.heads.box_deltas[0], 2e-4)
        asked = len(arrays["queries"])
        roles = together.heads.role_logits.numpy()[row, :asked][:, valid]
        close(roles, alone.heads.role_logits[0], 2e-4)
    for name in losses:
        close(float(losses[name]), np.mean([float(own[name]) for own in alone_losses]), 2e-4)
    assert ("rpn_class" in losses) == (kind == "plain")


def test_nodes_are_the_detections_of_the_detector(best: Any) -> None:
    """Of its parts, put together as the detector puts them together."""
    config, parts = best.config, best.parts
    batch = tensors(*two_images(config))
    maps = PyramidMaps(parts["trunk"], parts["pyramid"], parts["rpn"])
    detector = Detector(maps, parts["box_head"], parts["box_predictor"])
    settings = ProposalSettings(50, config.nodes.proposals, config.nodes.rpn_nms_thresh)
    first = detector(batch["image"], batch["image_size"], settings)
    outputs = detector.classify(first, packed(first.proposals))
    expected = detections(first, outputs, threshold=config.nodes.min_score, iou=0.5, limit=6)
    found = best(batch)
    nodes = found.detection.proposals
    np.testing.assert_array_equal(nodes.valid, expected.valid)
    close(nodes.boxes, expected.boxes)
    close(nodes.scores, expected.scores)
    features = detector.classify(first, packed(nodes)).features
    projected = parts["regions"].entity.project(features)
    places = np.argwhere(nodes.valid)
    close(tf.gather_nd(found.regions.proposals.nodes, places)[:, :-4], projected)


def test_exchanged_boxes_exchange_their_answers(plain: Any) -> None:
    config = pyramid_config("none", "TRAIN.USE_GT", "True", net=PLAIN)
    model = type(plain)(config, plain.parts)
    batch = tensors(random_arrays(config, 0, height=96, width=128, boxes=4, queries=2))
    order = [2, 0, 3, 1]
    turned = {**batch, "gt_boxes": tf.gather(batch["gt_boxes"], order, axis=1)}
    before, after = (model.predict_roles(each) for each in (batch, turned))
    close(after.boxes, tf.gather(before.boxes, order, axis=1), 1e-4)
    close(after.role_probabilities, tf.gather(before.role_probabilities, order, axis=2), 1e-4)
    turned_predicates = tf.gather(tf.gather(before.predicate_probabilities, order, axis=1), order, axis=2)
    close(after.predicate_probabilities, turned_predicates, 1e-4)


def test_what_is_trained(best: Any, plain: Any) -> None:
    frozen = [name for name in best.trainable_names() if name.startswith(DETECTOR)]
    assert not frozen and "regions/entity/project/kernel" in best.trainable_names()
    trained = {name.rpartition("/")[0] for name in plain.trainable_names()}
    assert {
        "trunk/block2/0/conv1",
        "pyramid/smooth/0",
        "rpn/convs/0",
        "regions/relation/box_head/fc6",
    } <= trained
    assert not {"trunk/conv1", "trunk/block1/0/conv1"} & trained  # as torchvision trains three blocks


def test_gradients_reach_what_is_trained(plain: Any) -> None:
    """With true boxes: proposals of the recipe's weights lie nowhere near an object."""
    config = pyramid_config("none", "TRAIN.USE_GT", "True", net=PLAIN)
    model = type(plain)(config, plain.parts)
    batch = tensors(random_arrays(config, 0, height=96, width=128))
    variables = model.named_variables()
    trained = {name: variables[name] for name in model.trainable_names()}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(trained.values()))
        losses = training_losses(model, model(batch, training=True), batch, config)
    gradients = dict(zip(trained, tape.gradient(losses["total"], list(trained.values()))))
    without = {name for name, gradient in gradients.items() if gradient is None}
    # the box refiner of the unrefined features is built for the sake of the release's checkpoint
    assert {name.split("/")[0] for name in without} <= {"box_baseline", "gt_labels"}
    for name in ("trunk/block2/0/conv1", "pyramid/lateral/3", "rpn/boxes", "regions/entity/box_head/fc6"):
        gradient = np.asarray(gradients[f"{name}/kernel"])
        assert np.isfinite(gradient).all() and gradient.any(), name


def test_an_image_without_detections_is_its_own_node(best: Any) -> None:
    config = pyramid_config("none", "NODES.MIN_SCORE", "1.0")
    model = type(best)(config, best.parts)
    batch = tensors(*two_images(config))
    found = model.predict_roles({key: batch[key] for key in INPUTS})
    assert found.valid.numpy().tolist() == [[True], [True]]
    whole = np.pad(batch["image_size"].numpy()[:, ::-1], ((0, 0), (2, 0)))
    np.testing.assert_array_equal(found.proposals[:, 0], whole)
    assert np.isfinite(found.role_probabilities).all()


def proposals(*scores: list[float]) -> Proposals:
    values = tf.constant(scores)
    boxes = tf.tile(values[..., None], [1, 1, 4])
    rows = tf.argsort(values, direction="DESCENDING", stable=True)
    return Proposals(boxes, values, values >= 0, rows)


def test_no_image_is_without_a_box() -> None:
    sizes = tf.constant([[20.0, 30.0], [40.0, 50.0]])
    found = at_least_one(proposals([0.9, 0.8, -1.0], [-1.0, -1.0, -1.0]), sizes)
    assert found.valid.numpy().tolist() == [[True, True], [True, False]]
    np.testing.assert_allclose(found.boxes[0, :, 0], [0.9, 0.8])
    assert found.boxes[1, 0].numpy().tolist() == [0, 0, 50, 40] and found.scores[1, 0] == 0
    nothing = Proposals(
        tf.zeros([2, 0, 4]), tf.zeros([2, 0]), tf.zeros([2, 0], bool), tf.zeros([2, 0], tf.int32)
    )
    assert at_least_one(nothing, sizes).boxes.shape == (2, 1, 4)


def test_unlikely_proposals_are_dropped_but_for_the_best() -> None:
    found = confident(proposals([0.9, 0.85, 0.7], [0.3, 0.295, 0.2], [0.9, -1.0, -1.0]), 0.8)
    assert found.valid.numpy().tolist() == [[True, True, False], [True, True, False], [True, False, False]]


def test_a_frozen_detector_needs_weights(best: Any) -> None:
    names = list(best.named_variables())
    check_frozen(best, LoadReport("none"))
    check_frozen(best, LoadReport("file", matched=names))
    report = LoadReport("file", matched=[name for name in names if not name.startswith("box_predictor/")])
    with pytest.raises(
        UserError, match="file: has nothing for box_predictor/classes/kernel.*NODES.CLASSES 91"
    ):
        check_frozen(best, report)
    report.matched = [name for name in names if name.startswith("trunk/")]
    with pytest.raises(UserError, match="pyramid/lateral/0/kernel.*WEIGHTS fasterrcnn_resnet50_fpn"):
        check_frozen(best, report)


def test_the_missing_file_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    config = load_config([BEST], ["DATA.DIR", str(tmp_path)])
    with pytest.raises(UserError, match=r"coco-258fb6c6.pth: .*fetch.sh weights .*fasterrcnn_resnet50_fpn"):
        load_initial_weights(None, config, tmp_path)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["NET", "mini", "NODES.SOURCE", "detections"], "needs a feature pyramid"),
        (["NET", "res50_fpn", "NODES.SOURCE", "detections"], "needs TRAIN.FREEZE_DETECTOR True"),
        (["NET", "vgg16"], "NET is one of"),
    ],
)
def test_options_that_exclude_each_other(pairs: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(overrides=pairs)


@needs_shared("reference", "torchvision", "forward_fasterrcnn.npz")
def test_features_are_those_of_torchvision() -> None:
    """With torchvision's proposals as nodes: pyramid, aligned crops and box head, its golden arrays.

    Its layers see the padding of a batch, so here the images are as large as the batch.
    """
    golden = open_golden(shared_path("reference", "torchvision", "forward_fasterrcnn.npz"))
    own = ("VARIANT", "no_dsg", "TRAIN.USE_GT", "True", "HEAD.DIM", "1024")
    model = build_model(load_config([BEST], own), ENTITIES, PREDICATES)
    variables = {n: v for n, v in model.named_variables().items() if n.startswith(DETECTOR)}
    values = recipe_values(variables, int(golden["input/recipe_seed"]))
    for name, variable in variables.items():
        variable.assign(values[name])
    model.named_variables()["regions/entity/project/kernel"].assign(np.eye(1024))
    pictures = [golden[f"input/{number}/image_rgb_u8"] / np.float32(255) for number in range(2)]
    images = image_batch(pictures, int(golden["input/min_size"]), int(golden["input/max_size"])).images
    nodes = torchvision.stored_proposals(golden, 2)
    batch = {
        "image": tf.constant(images),
        "image_size": tf.constant([images.shape[1:3]] * 2, tf.float32),
        "queries": tf.zeros([2, 1, 3], tf.int32),
        "gt_boxes": nodes.boxes,
        "gt_valid": nodes.valid,
    }
    outputs = model(batch)
    checks = torchvision.TorchChecks(golden)
    for name, level in zip(torchvision.LEVELS, outputs.detection.trunk.features):
        checks.compare(name, torchvision.channels_first(level), torchvision.PYRAMID)
    regions = outputs.regions.proposals
    checks.compare("box/roi_pool", torchvision.channels_first(regions.crops), torchvision.FED)
    features = tf.gather_nd(regions.nodes, tf.where(nodes.valid))[:, :1024]
    checks.compare("box/fc7", features, torchvision.FED)
    assert [row.key for row in checks.rows if not row.ok] == []


def recipe_values(variables: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    """The recipe's weights of a detector, for pixels as torchvision has them."""
    state = {}
    for name, variable in variables.items():
        theirs = torchvision.torchvision_name(name, torchvision.BODY)
        axes = (3, 2, 0, 1) if len(variable.shape) == 4 else range(len(variable.shape))[::-1]
        state[theirs] = torch_value(str(theirs), [variable.shape[axis] for axis in axes], seed)
    shapes = {name: variable.shape for name, variable in variables.items()}
    return match_weights(state, shapes, "recipe", epsilon=0.0)[0]


def test_three_steps_and_questions(best: Any, file: Path, tmp_path: Path, untraced: None) -> None:
    """Training moves the graph and leaves the detector alone; the snapshot answers."""
    data = make_tiny_shapes(tmp_path / "data", train=6, test=2)
    sizes = ("TRAIN.SCALES", "[64]", "TRAIN.MAX_SIZE", "96", "TEST.SCALES", "[64]", "TEST.MAX_SIZE", "96")
    steps = ("TRAIN.EPOCHS", "1", "TRAIN.STEPS_PER_EPOCH", "3", "TRAIN.WARMUP_STEPS", "0")
    easy = ("TRAIN.FG_THRESH", "0.1", "TRAIN.BG_THRESH", "0.05")  # the recipe's weights detect nothing
    quiet = ("TRAIN.SUMMARY_INTERVAL", "0", "TEST.PICTURES", "0", "DATA.WORKERS", "1")
    config = pyramid_config(file, "DATA.DIR", str(data), *sizes, *steps, *easy, *quiet)
    training, validation = load_splits(config, "shapes")
    run = Run.of(tmp_path / "output", config.net, "shapes", "three")
    train(task_of(config), config, training, validation, run)
    [epoch] = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    assert np.isfinite(epoch["total"])

    snapshot = load_snapshot(run.snapshot(1))
    moved = {name.partition("/")[2] for name, slot in snapshot.slots.items() if np.any(slot)}
    assert not [name for name in moved if name.startswith(DETECTOR)]
    assert {"gpi/neighbour_mlp/0/kernel", "regions/relation/project/kernel"} <= moved
    for name, variable in best.named_variables().items():
        if name.startswith(DETECTOR):
            np.testing.assert_array_equal(snapshot.variables[name], variable)

    trained = load_trained(run.snapshot(0))
    [answer] = trained.ask([validation.records[0].path], [[[0, 1, 2]]], traced=False)
    assert 1 <= len(answer.boxes) <= 6 and answer.probabilities.shape == (1, len(answer.boxes), 4)
