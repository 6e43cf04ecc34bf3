"""The whole model: what it reads, what it computes, what it trains, and how options change it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.transform import BoxCoder
from dsg.engine.optimizers import build_optimizer
from dsg.models.dsg.build import build_model
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.model import DSG
from dsg.nets.backbones.resnet import ResnetTrunk
from tests.golden import FOLDER
from tests.models.dsg.cases import (
    ENTITIES,
    PREDICATES,
    close,
    golden_pass,
    random_batch,
    shared_model,
    tiny_config,
    tiny_model,
    unfilled_case,
)

INPUTS = ("image", "image_size", "queries", "query_valid")
PAPER = (
    *("RELATION_POOLING_SIZE", "7", "GPI.SELF_EDGE", "False", "GPI.RHO_NEIGHBOURS", "False"),
    *("GPI.RHO_RELATION", "True", "GPI.UNUSED_GATE", "False", "RR.HIDDEN", "[12, 12]", "RR.LOSS", "sum"),
    *("TRAIN.ASSIGN", "paper", "RESNET.INIT_HEADS", "True"),
)


BEYOND = (
    *("GPI.GEOMETRY", "6", "RR.QUERY_ATTENTION", "8", "GPI.RHO_RELATION", "True"),
    *("REFINER_CHANNELS", "3", "REFINER_FINE", "2"),
)


def gradients(model: Any, batch: Any, config: Any) -> dict[str, Any]:
    """Of the total loss, by name of every variable."""
    variables = model.named_variables()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(variables.values()))
        losses = training_losses(model, model(batch, training=True), batch, config)
    return dict(zip(variables, tape.gradient(losses["total"], list(variables.values()))))


@pytest.mark.parametrize("net", ["mini", "res50"])
def test_a_folded_model_answers_as_before(net: str) -> None:
    config = tiny_config("NET", net, "FEATURE_STRIDE", "16")
    model, batch = tiny_model(config), random_batch(config, 0, 1)
    inputs = {key: batch[key] for key in INPUTS}
    before = model.predict_roles(inputs)
    model.fold()
    close(model.predict_roles(inputs).role_probabilities, before.role_probabilities, 1e-4)
    kernel = model.parts["trunk"].conv1.kernel
    folded = np.array(kernel)
    model.predict_roles(inputs)
    np.testing.assert_array_equal(kernel, folded)


@pytest.mark.parametrize("overrides", [(), PAPER, ("RR.MATCHING", "True"), BEYOND, ("VARIANT", "no_dsg")])
def test_shapes(overrides: tuple[str, ...]) -> None:
    config = tiny_config(*overrides)
    model, batch = shared_model(config), random_batch(config, 0, 1)
    found = model.predict_roles({key: batch[key] for key in INPUTS})
    count = found.boxes.shape[1]
    assert 1 <= count <= 6
    assert found.role_probabilities.shape == (2, 3, count, 4)
    close(tf.reduce_sum(found.role_probabilities, -1), np.ones((2, 3, count)))
    assert (found.proposals.shape, found.valid.shape) == ((2, count, 4), (2, count))
    if "no_dsg" in overrides:
        assert found.entity_probabilities is None and found.node_weights is None
    else:
        assert found.entity_probabilities.shape == (2, count, ENTITIES)
        assert found.predicate_probabilities.shape == (2, count, count, PREDICATES)
        close(tf.reduce_sum(found.node_weights, -1), np.ones(2))
    boxes = found.boxes.numpy()
    assert boxes.min() >= 0 and boxes[..., 2].max() <= 95 and boxes[..., 3].max() <= 63


def test_answering_needs_no_ground_truth_and_computes_nothing_for_it() -> None:
    config = tiny_config()
    model, batch = shared_model(config), random_batch(config, 0)
    inputs = {key: batch[key] for key in INPUTS}
    outputs = model(inputs)
    assert outputs.regions.ground_truth is None and outputs.heads.gt_labels is None
    with_truth = model(batch)
    assert with_truth.regions.ground_truth is None
    np.testing.assert_array_equal(outputs.heads.role_logits, with_truth.heads.role_logits)
    # In the graph, too: a gradient of the answer reaches every part but the ground truth's labels.
    traced = tf.function(model.predict_roles, autograph=False).get_concrete_function(inputs)
    captured = {id(variable) for variable in traced.variables}
    gt = [v for name, v in model.named_variables().items() if name.startswith("gt_labels/")]
    rest = [v for name, v in model.named_variables().items() if name.startswith(("regions/", "rpn/"))]
    assert gt and not captured & {id(variable) for variable in gt}
    assert {id(variable) for variable in rest} <= captured


@pytest.mark.parametrize("overrides", [PAPER, ("USE_E2E_TF", "False", "RR.MATCHING", "True")])
def test_the_traced_function_computes_the_same(overrides: tuple[str, ...], optimized: None) -> None:
    config = tiny_config(*overrides)
    model = shared_model(config)
    function = tf.function(model.predict_roles, autograph=False)
    for seeds in ((0,), (1, 2)):
        inputs = {key: random_batch(config, *seeds)[key] for key in INPUTS}
        eager, traced = model.predict_roles(inputs), function(inputs)
        for expected, found in zip(eager[:-1], traced[:-1]):  # without the attention, which was not asked for
            close(found, expected, 1e-4)


def test_proposals_of_both_roads_on_a_golden_case() -> None:
    """On the golden picture the two conventions keep nearly the same boxes."""
    _, case, model, outputs, _ = golden_pass("res50")
    from dsg.nets.rpn import propose

    train = case.config.train
    options = {
        "iou": train.rpn_nms_thresh,
        "post_nms": 32,
        "pre_nms": 12000,
        "min_score": train.rpn_nms_min_score,
    }
    compiled = propose(outputs.detection.rpn, in_graph=False, **options).indices[0].numpy().tolist()
    in_graph = outputs.detection.proposals.indices[0].numpy().tolist()
    assert len(set(compiled) & set(in_graph)) >= 0.8 * len(in_graph)


@pytest.mark.parametrize("source", ["dsg", "feature", "rpn"])
def test_box_sources(source: str) -> None:
    config = tiny_config("BOX_SOURCE", source)
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch)
    found, coder = model.answer(outputs), BoxCoder()
    heads, proposals = outputs.heads, outputs.detection.proposals
    deltas = {"dsg": heads.box_deltas, "feature": heads.first_stage_box_deltas}.get(source)
    boxes = proposals.boxes
    if deltas is not None:
        boxes = coder.decode(boxes, deltas * tf.constant([0.1, 0.1, 0.2, 0.2]))
    close(found.boxes, coder.clip(boxes, batch["image_size"]))
    close(found.proposals, proposals.boxes)


@pytest.mark.parametrize(("exact", "longer"), [(True, 0.0), (False, 1.0)])
def test_perfect_corrections_give_the_true_boxes(exact: bool, longer: float) -> None:
    config = tiny_config("TRAIN.USE_GT", "True", "EXACT_BOXES", str(exact))
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch, training=True)
    true = batch["gt_boxes"]
    shifted = true + tf.constant([3.0, -2.0, 4.0, 1.0])
    proposals = outputs.detection.proposals._replace(boxes=shifted)
    perfect = BoxCoder().encode(shifted, true) / tf.constant([0.1, 0.1, 0.2, 0.2])
    outputs = outputs._replace(
        detection=outputs.detection._replace(proposals=proposals),
        heads=outputs.heads._replace(box_deltas=perfect),
    )
    expected = true + tf.constant([0.0, 0.0, longer, longer])
    close(model.answer(outputs).boxes, BoxCoder(exact=exact).clip(expected, batch["image_size"]), 1e-4)


@pytest.mark.parametrize(("exact", "short"), [("True", 0), ("False", 1)])
def test_exact_boxes_reach_the_region_proposals(exact: str, short: int) -> None:
    config = tiny_config("EXACT_BOXES", exact)
    batch = random_batch(config, 0)
    boxes = shared_model(config)(batch).detection.rpn.boxes
    # Some always reach beyond the image, and are cut: at its last edge, or at its last pixel.
    assert np.asarray(boxes)[..., 2].max() == batch["image_size"][0, 1] - short


@pytest.mark.parametrize("source", ["dsg", "feature"])
def test_role_sources(source: str) -> None:
    config = tiny_config("RR_SOURCE", source)
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch)
    heads = outputs.heads
    logits = heads.role_logits if source == "dsg" else heads.first_stage_role_logits
    close(model.answer(outputs).role_probabilities, tf.nn.softmax(logits))


@pytest.mark.parametrize("attention", ["0", "6"])
def test_beside_the_matching_read_out_the_classifier_counts_less_in_answers(attention: str) -> None:
    logits = {}
    pairs = ("RR.MATCHING", "True", "RR.QUERY_ATTENTION", attention)
    model = shared_model(tiny_config(*pairs))
    for weight in ("1.0", "0.25", "0.0"):
        weighted = DSG(tiny_config(*pairs, "TEST.CLASSIFIER_WEIGHT", weight), model.parts)
        batch = random_batch(weighted.config, 0)
        logits[weight] = weighted(batch).heads.role_logits
        trained = weighted(batch, training=True).heads.role_logits
        close(trained, logits["1.0"])
    close(logits["0.25"], 0.25 * logits["1.0"] + 0.75 * logits["0.0"])
    assert np.abs(logits["1.0"] - logits["0.0"]).max() > 0.1
    assert not np.asarray(logits["0.0"])[..., [0, 3]].any()  # matching says subject or object only


def test_ground_truth_in_place_of_proposals() -> None:
    config = tiny_config("TRAIN.USE_GT", "True")
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch, training=True)
    np.testing.assert_array_equal(outputs.detection.proposals.boxes, batch["gt_boxes"])
    losses = training_losses(model, outputs, batch, config)
    assert float(losses["entity"]) > 0 and float(losses["rr"]) > 0


@pytest.mark.parametrize(
    ("net", "fixed"), [("res50", 0), ("res50", 1), ("res50", 3), ("res18", 1), ("res18", 0)]
)
def test_fixed_blocks_get_no_gradient_and_are_not_trained(net: str, fixed: int) -> None:
    if net == "res50":
        assert golden_pass("res50").case.config.resnet.fixed_blocks == 1
        trunk = ResnetTrunk("res50", fixed)
        found, trained = trunk_gradients(trunk), {f"trunk/{name}" for name in trunk.trainable_names()}
    else:
        model = shared_model(tiny_config("RESNET.FIXED_BLOCKS", str(fixed), net=net))
        found, trained = trunk_gradients(model.parts["trunk"]), set(model.trainable_names())
    frozen = ["conv1", *(f"block{number}" for number in range(1, fixed + 1))]
    if net == "res18" and not fixed:
        frozen = []
    for name, gradient in found.items():
        if name.endswith(("gamma", "beta", "moving_mean", "moving_variance")):
            assert f"trunk/{name}" not in trained
        elif name.split("/")[0] in frozen:
            assert gradient is None and f"trunk/{name}" not in trained, name
        else:
            assert gradient is not None and f"trunk/{name}" in trained, name


def trunk_gradients(trunk: Any) -> dict[str, Any]:
    variables = trunk.named_variables()
    image = tf.random.stateless_normal([1, 48, 48, 3], [1, 2]) * 50
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(variables.values()))
        loss = tf.reduce_sum(trunk(image).features)
    return dict(zip(variables, tape.gradient(loss, list(variables.values()))))


def test_a_frozen_detector() -> None:
    config = tiny_config("TRAIN.FREEZE_DETECTOR", "True")
    model, batch = tiny_model(config), random_batch(config, 0)
    names = model.trainable_names()
    assert names and not [name for name in names if name.startswith(("trunk/", "rpn/"))]
    variables = model.named_variables()
    detector = {
        name: value.numpy() for name, value in variables.items() if name.startswith(("trunk/", "rpn/"))
    }
    optimizer = build_optimizer(config, {name: variables[name] for name in names})
    found = gradients(model, batch, config)
    optimizer.apply({name: found[name] for name in names if found[name] is not None}, 0.1)
    for name, value in detector.items():
        np.testing.assert_array_equal(variables[name], value)
    assert np.isfinite(variables["gpi/node_mlp/0/kernel"]).all()


def test_only_what_nothing_reads_goes_without_gradient() -> None:
    config = tiny_config("BOX_SOURCE", "dsg", "RESNET.FIXED_BLOCKS", "0")
    model, batch = shared_model(config), random_batch(config, 0)
    found = gradients(model, batch, config)
    without = {name for name in model.trainable_names() if found[name] is None}
    assert without == {
        *(f"gpi/forget_gate/{layer}/bias" for layer in range(3)),
        "box_baseline/linear/bias",
    }


@pytest.mark.parametrize("net", ["res50", "res101"])
def test_names_and_counts_of_the_release(net: str) -> None:
    model = unfilled_case(net)[2]
    names = list(model.named_variables())
    assert len(names) == len(set(names))
    regularised, trained = model.regularised_names(), model.trainable_names()
    if net == "res101":
        listed = json.loads((FOLDER / "dsg_pretrained_variables.json").read_text())
        assert len(listed) == 802
        assert (len(names), len(regularised), len(trained)) == (636, 145, 169)
    assert not [name for name in trained if "moving_" in name or name.endswith(("gamma", "beta"))]
    assert "regions/entity/project/kernel" not in regularised and "trunk/conv1/kernel" in regularised
    assert all(name.endswith("/kernel") for name in regularised)


def test_biases_are_regularised_on_request() -> None:
    plain = shared_model(tiny_config()).regularised_names()
    biased = shared_model(tiny_config("TRAIN.BIAS_DECAY", "True")).regularised_names()
    assert set(plain) < set(biased) and {name.rsplit("/", 1)[1] for name in set(biased) - set(plain)} == {
        "bias"
    }


@pytest.mark.parametrize("net", ["mini", "res18"])
def test_small_trunks_are_trained_whole(net: str) -> None:
    model = shared_model(tiny_config("RESNET.FIXED_BLOCKS", "0", "FEATURE_STRIDE", "8", net=net))
    trunk = [name for name in model.named_variables() if name.startswith("trunk/")]
    assert trunk and set(trunk) <= set(model.trainable_names())


def test_building_is_repeatable_and_seeded() -> None:
    models = [build_model(tiny_config("RNG_SEED", seed), ENTITIES, PREDICATES) for seed in ("3", "3", "4")]
    values = [model.named_variables() for model in models]
    same, other = [], []
    for name in values[0]:
        same.append(np.array_equal(values[0][name], values[1][name]))
        other.append(np.array_equal(values[0][name], values[2][name]))
    assert all(same) and not all(other)


def test_truncated_initial_values() -> None:
    model = build_model(tiny_config("TRAIN.TRUNCATED", "True"), ENTITIES, PREDICATES)
    assert np.abs(model.named_variables()["rpn/conv/kernel"]).max() <= 0.0201


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision(precision: str) -> None:
    config = tiny_config("TRAIN.PRECISION", precision, "TEST.PRECISION", precision)
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch, training=True)
    assert outputs.detection.trunk.features.dtype.name == outputs.graph.nodes.dtype.name == precision
    # Boxes, scores and all logits stay in float32.
    rpn, heads = outputs.detection.rpn, outputs.heads
    for value in (rpn.boxes, rpn.logits, heads.role_logits, heads.labels.predicates):
        assert value.dtype == tf.float32
    losses = training_losses(model, outputs, batch, config)
    exact = tiny_config()
    expected = training_losses(model, DSG(exact, model.parts)(batch, training=True), batch, exact)
    assert float(losses["rpn_class"]) == pytest.approx(float(expected["rpn_class"]), rel=0.05)
    assert all(np.isfinite(float(value)) for value in losses.values())


def test_permuting_the_ground_truth_changes_no_loss() -> None:
    config = tiny_config("TRAIN.USE_GT", "True")
    model, batch = shared_model(config), random_batch(config, 0)
    order = np.array([2, 0, 3, 1])
    turned = dict(batch)
    for key, axes in {"gt_boxes": [1], "gt_entities": [1], "gt_roles": [2], "gt_predicates": [1, 2]}.items():
        for axis in axes:
            turned[key] = tf.gather(turned[key], order, axis=axis)
    expected = training_losses(model, model(batch, training=True), batch, config)
    found = training_losses(model, model(turned, training=True), turned, config)
    for name, value in expected.items():
        close(float(found[name]), float(value), 1e-4)


def test_options_beyond_the_paper_are_learned() -> None:
    config = tiny_config(*BEYOND)
    model, batch = shared_model(config), random_batch(config, 0, 1)
    found = gradients(model, batch, config)
    parts = ("geometry/", "query_attention/", *(f"box_refiner/{n}" for n in ("cells", "spatial", "fine")))
    for part in parts:
        names = [name for name in found if name.startswith(part)]
        assert names and all(np.abs(found[name]).sum() > 0 for name in names if "kernel" in name), part


def test_permuting_boxes_permutes_answers_with_all_options() -> None:
    config = tiny_config(*BEYOND, "TRAIN.USE_GT", "True", "BOX_SOURCE", "rpn")
    model, batch = shared_model(config), dict(random_batch(config, 0))
    count = batch["gt_boxes"].shape[1]
    order = np.random.default_rng(0).permutation(count)
    before = model(batch).heads
    batch["gt_boxes"] = tf.gather(batch["gt_boxes"], order, axis=1)
    batch["gt_valid"] = tf.gather(batch["gt_valid"], order, axis=1)
    after = model(batch).heads
    close(after.role_logits, tf.gather(before.role_logits, order, axis=2), 1e-4)
    close(after.box_deltas, tf.gather(before.box_deltas, order, axis=1), 1e-4)
    pairs = tf.gather(tf.gather(before.labels.predicates, order, axis=1), order, axis=2)
    close(after.labels.predicates, pairs, 1e-4)


def test_the_query_steers_what_is_gathered() -> None:
    config = tiny_config(*BEYOND)
    model, batch = shared_model(config), dict(random_batch(config, 0))
    batch["queries"] = tf.constant([[[0, 1, 2], [0, 3, 2], [0, 1, 2]]])
    outputs = model(batch)
    regions, proposals = outputs.regions.proposals, outputs.detection.proposals
    edges = (regions.nodes, regions.pairs, regions.pair_index)
    geometry = model.parts["geometry"](proposals.boxes)
    found = model.parts["query_attention"](*edges, geometry, proposals.valid, batch["queries"])
    close(found[0, 0], found[0, 2], 1e-6)
    assert np.abs(found[0, 0] - found[0, 1]).max() > 1e-3
