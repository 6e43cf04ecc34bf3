"""What each variant builds, which losses train it, where its answers come from; boxes have no order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.transform import BoxCoder
from dsg.config import flatten, load_config
from dsg.config.dsg import VARIANTS
from dsg.models.dsg.build import build_model
from dsg.models.dsg.losses import training_losses
from dsg.models.dsg.parts import part_table
from tests.models.dsg.cases import close, random_batch, shared_model, tiny_config
from tests.shared import ROOT

CFGS = ROOT / "experiments" / "cfgs"
INPUTS = ("image", "image_size", "queries", "query_valid")
DETECTOR = {"rpn_class", "rpn_box", "regularization", "total"}
LABELS = {"entity", "predicate", "gt_entity", "gt_predicate"}
LOSSES = {
    "dsg": DETECTOR | LABELS | {"box", "rr", "rr_baseline"},
    "no_dsg": DETECTOR | {"rr_baseline"},
    "two_step": DETECTOR | LABELS | {"box"},
    "dsg_sgl": DETECTOR | {"box", "rr", "rr_baseline"},
    "dsg_br": DETECTOR | LABELS | {"box", "rr", "rr_baseline"},
}
ALWAYS = {"trunk", "rpn", "regions"}
HEADS = {
    "no_dsg": {"role_baseline"},
    "two_step": {"gpi", "box_refiner", "labels", "gt_labels"},
    "dsg_sgl": {"gpi", "role_classifier", "box_refiner", "role_baseline"},
    "dsg_br": {"gpi", "role_classifier", "box_baseline", "labels", "gt_labels", "role_baseline"},
}


def parts(model) -> set[str]:
    return {name.split("/")[0] for name in model.named_variables()}


def gradients(config) -> dict[str, object]:
    model, batch = shared_model(config), random_batch(config, 0, 1)
    variables = {name: model.named_variables()[name] for name in model.trainable_names()}
    with tf.GradientTape() as tape:
        losses = training_losses(model, model(batch, training=True), batch, config)
        objective = losses["total"] - config.loss.regularization * losses["regularization"]
    return dict(zip(variables, tape.gradient(objective, list(variables.values()))))


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_losses_of_a_variant(variant):
    config = tiny_config("VARIANT", variant)
    model, batch = shared_model(config), random_batch(config, 0, 1)
    losses = training_losses(model, model(batch, training=True), batch, config)
    assert set(losses) == LOSSES[variant]
    assert all(np.isfinite(value) for value in losses.values())


@pytest.mark.parametrize("variant", list(HEADS))
def test_a_variant_builds_what_it_needs_and_trains_all_of_it(variant):
    found = gradients(tiny_config("VARIANT", variant, "GPI.UNUSED_GATE", "False"))
    assert {name.split("/")[0] for name in found} == ALWAYS | HEADS[variant]
    assert {name for name, value in found.items() if value is None} == set()
    relation = any(name.startswith("regions/relation") for name in found)
    assert relation == (variant != "no_dsg")


def test_the_full_model_holds_what_the_release_holds():
    assert parts(shared_model(tiny_config())) == ALWAYS | HEADS["dsg_br"] | {"box_refiner"}
    lean = tiny_config("AUX_FIRST_STAGE", "False")
    assert parts(shared_model(lean)) == ALWAYS | {"gpi", "role_classifier", "box_refiner", "labels"}
    assert set(training_losses(*_step(lean))) == DETECTOR | {"box", "rr", "entity", "predicate"}


def _step(config):
    model, batch = shared_model(config), random_batch(config, 0)
    return model, model(batch, training=True), batch, config


def test_no_dsg_keeps_the_detectors_boxes_and_crops_no_pair():
    config = tiny_config("VARIANT", "no_dsg")
    model, batch = shared_model(config), random_batch(config, 0, 1)
    outputs = model(batch, training=True)
    regions, truth = outputs.regions
    assert regions.pair_crops is None and outputs.graph is None and truth is None
    assert len(regions.crops) == np.count_nonzero(outputs.detection.proposals.valid)
    answers = model.answer(outputs)
    proposals = outputs.detection.proposals
    valid = proposals.valid
    np.testing.assert_array_equal(answers.boxes[valid], proposals.boxes[valid])


def test_without_the_refiner_boxes_come_from_the_features():
    config = tiny_config("VARIANT", "dsg_br", "TRAIN.USE_GT", "True")
    model, batch = shared_model(config), random_batch(config, 0)
    outputs = model(batch, training=True)
    deltas = model.parts["box_baseline"](outputs.regions.proposals.nodes)
    deltas *= np.float32(config.train.bbox_normalize_stds)
    coder = BoxCoder()
    expected = coder.clip(coder.decode(outputs.detection.proposals.boxes, deltas), batch["image_size"])
    answers = model.answer(outputs)
    close(answers.boxes, expected, 1e-5)
    close(answers.role_probabilities, tf.nn.softmax(outputs.heads.role_logits), 1e-6)
    further = outputs.heads.first_stage_box_deltas + 1.0
    moved = outputs._replace(heads=outputs.heads._replace(first_stage_box_deltas=further))
    change = (
        training_losses(model, moved, batch, config)["box"]
        - training_losses(model, outputs, batch, config)["box"]
    )
    assert float(change) != 0.0


def test_two_step_answers_with_labels_alone():
    config = tiny_config("VARIANT", "two_step")
    model, batch = shared_model(config), random_batch(config, 0, 1)
    found = model.predict_roles({key: batch[key] for key in INPUTS})
    assert found.role_probabilities is None
    close(tf.reduce_sum(found.entity_probabilities, -1), np.ones(found.entity_probabilities.shape[:2]), 1e-5)
    assert found.boxes.shape == found.proposals.shape and not np.allclose(found.boxes, found.proposals)


@pytest.mark.parametrize("net", ["mini", "res18"])
def test_a_variant_beats_what_a_net_file_sets(net):
    by_variant = {name: load_config([CFGS / f"{net}.yml"], ["VARIANT", name]) for name in VARIANTS}
    dsg, two_step, plain = by_variant["dsg"], by_variant["two_step"], by_variant["dsg_sgl"]
    assert dsg.rr.matching and dsg.loss.entity == 1.0
    assert (two_step.loss.entity, two_step.loss.predicate, two_step.loss.gt_entity) == (1.0, 0.5, 1.0)
    assert (two_step.loss.rr, two_step.loss.rr_baseline, two_step.rr.matching) == (0, 0, False)
    assert (plain.loss.rr, plain.loss.rr_baseline, plain.rr.matching) == (0.2, 0.2, False)
    assert plain.loss.entity == plain.loss.predicate == plain.loss.gt_entity == plain.loss.gt_predicate == 0
    assert by_variant["dsg_br"].box_source == "feature" and by_variant["dsg_br"].rr.matching
    assert not by_variant["no_dsg"].has_graph


def test_the_released_weights_of_the_variants():
    def weights(variant):
        loss = load_config(overrides=["VARIANT", variant]).loss
        return [
            loss.rpn_class,
            loss.rpn_box,
            loss.box,
            loss.rr,
            loss.rr_baseline,
            loss.entity,
            loss.predicate,
            loss.gt_entity,
            loss.gt_predicate,
        ]

    assert weights("dsg") == weights("dsg_br") == [1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01]
    assert weights("dsg_sgl") == [1, 1, 1, 0.2, 0.2, 0, 0, 0, 0]
    assert weights("no_dsg") == [1, 1, 0, 0, 0.2, 0, 0, 0, 0]
    assert weights("two_step") == [1, 1, 1, 0, 0, 0.01, 0.01, 0.01, 0.01]


PAPER_GRAPH = (
    *("GPI.SELF_EDGE", "False", "GPI.RHO_NEIGHBOURS", "False", "GPI.RHO_RELATION", "True"),
    *("GPI.AGGREGATION", "neighbour_attention", "GPI.ATTENTION_HIDDEN", "3", "GPI.HIDDEN_LAYERS", "1"),
    *("RELATION_POOLING_SIZE", "7", "AUX_FIRST_STAGE", "False", "RR.HIDDEN", "[9, 9]"),
)


@pytest.mark.parametrize(
    "options",
    [
        *[("VARIANT", name) for name in VARIANTS],
        PAPER_GRAPH,
        ("GPI.AGGREGATION", "sum", "RR.MATCHING", "True"),
        ("GPI.AGGREGATION", "neighbour_attention", "GPI.ATTENTION_HIDDEN", "0"),
    ],
)
def test_permuting_proposals_permutes_nodes_and_edges(options):
    config = tiny_config("TRAIN.USE_GT", "True", *options)
    model, batch = shared_model(config), random_batch(config, 0)
    count = batch["gt_boxes"].shape[1]
    assert count > 2 and bool(tf.reduce_all(batch["gt_valid"]))
    order = np.random.default_rng(3).permutation(count)
    permuted = {**batch, "gt_boxes": tf.gather(batch["gt_boxes"], order, axis=1)}
    one, other = model(batch), model(permuted)
    close(other.regions.proposals.nodes, tf.gather(one.regions.proposals.nodes, order, axis=1), 1e-4)
    if one.graph is not None:
        close(other.graph.nodes, tf.gather(one.graph.nodes, order, axis=1), 1e-4)
        close(other.graph.graph, one.graph.graph, 1e-4)
        assert (one.graph.edges is None) == (not config.gpi.rho_relation)
        if one.graph.edges is not None:
            close(other.graph.edges, _both(one.graph.edges, order), 1e-4)
    one, other = one.heads, other.heads
    if one.labels is not None:
        close(other.labels.entities, tf.gather(one.labels.entities, order, axis=1), 1e-4)
        close(other.labels.predicates, _both(one.labels.predicates, order), 1e-4)
    for name in ("role_logits", "first_stage_role_logits"):
        if getattr(one, name) is not None:
            close(getattr(other, name), tf.gather(getattr(one, name), order, axis=2), 1e-4)
    for name in ("box_deltas", "first_stage_box_deltas"):
        if getattr(one, name) is not None:
            close(getattr(other, name), tf.gather(getattr(one, name), order, axis=1), 1e-4)


def _both(values, order):
    return tf.gather(tf.gather(values, order, axis=1), order, axis=2)


def test_the_papers_graph_layer_has_edges_and_less_than_four_million_weights():
    config = load_config([CFGS / "res101_paper.yml"], ["NET", "mini", "HEAD.DIM", "512"])
    assert config.gpi.rho_relation
    model = build_model(config, 100, 70)  # the layer does not depend on the trunk
    weights = {
        name: int(np.prod(v.shape)) for name, v in model.named_variables().items() if name.startswith("gpi/")
    }
    assert any(name.startswith("gpi/edge_mlp") for name in weights)
    assert 3_900_000 < sum(weights.values()) < 4_000_000
    assert "gt_labels" not in parts(model) and "role_baseline" not in parts(model)


def test_the_papers_configuration_has_all_of_the_papers_values():
    paper = flatten(load_config([CFGS / "res101_paper.yml"]))
    expected = {
        "MODEL": "dsg",
        "BACKBONE": "res101",
        "TEST.ALWAYS_INCLUDE_BEST": False,
        "TEST.ROLE_CONFLICT": "both",
        "TRAIN.ASSIGN": "paper",
        "RR.HIDDEN": (512, 512),
        "RR.LOSS": "sum",
        "RELATION_POOLING_SIZE": 7,
        "GPI.AGGREGATION": "neighbour_attention",
        "GPI.HIDDEN": 512,
        "GPI.HIDDEN_LAYERS": 1,
        "GPI.PHI": 512,
        "GPI.ALPHA": 512,
        "GPI.RHO": 1024,
        "GPI.SELF_EDGE": False,
        "GPI.RHO_NEIGHBOURS": False,
        "GPI.RHO_RELATION": True,
        "AUX_FIRST_STAGE": False,
        "LOSS.RR_BASELINE": 0,
        "LOSS.GT_ENTITY": 0,
        "LOSS.GT_PREDICATE": 0,
        "TRAIN.RPN_NMS_THRESH": 0.5,
        "TRAIN.RPN_NMS_MIN_SCORE": 0.8,
        "TRAIN.RPN_POST_NMS_TOP_N": 32,
        "TRAIN.RPN_POSITIVE_OVERLAP": 0.8,
        "TRAIN.FLIP_PREDICATES": True,
    }
    assert {name: paper[name] for name in expected} == expected


@pytest.mark.parametrize("net", ["mini_best", "res18_best", "res101_best"])
def test_the_best_configurations_go_beyond_the_paper(net):
    config = load_config([CFGS / f"{net}.yml"])
    wanted = {name for name, part in part_table(config).items() if part.wanted}
    assert {"matching", "geometry", "labels", "role_classifier", "box_refiner"} <= wanted
    assert config.refiner_channels > 0 and config.refiner_fine > 0 and config.train.average > 0
    assert config.exact_boxes and config.test.classifier_weight < 1
    assert config.data.multi_predicate == "sample_each_epoch" and config.train.flip_predicates


def test_what_the_best_changes_of_the_release():
    release, best = (flatten(load_config([CFGS / f"{net}.yml"])) for net in ("res101", "res101_best"))
    assert {name for name in release if release[name] != best[name]} == {
        "EXACT_BOXES",
        "REFINER_CHANNELS",
        "REFINER_FINE",
        "DATA.MULTI_PREDICATE",
        "GPI.GEOMETRY",
        "GPI.UNUSED_GATE",
        "RR.MATCHING",
        "RESNET.RGB_WEIGHTS",
        "RESNET.INIT_HEADS",
        "TRAIN.FLIP_PREDICATES",
        "TRAIN.AVERAGE",
        "TEST.CLASSIFIER_WEIGHT",
    }


@pytest.mark.parametrize("variant", ["no_dsg", "dsg"])
def test_a_role_classifier_without_the_matching_read_out_hears_queries_loudly(variant):
    config = load_config([CFGS / "mini.yml"], ["VARIANT", variant])
    classifier = build_model(config, num_entities=48, num_predicates=4).parts["role_baseline"]
    kernel = classifier.mlp.layers[0].kernel.numpy()
    width = len(kernel) - 48 - 4 - 48  # of a node
    louder = (width / 3) ** 0.5 if variant == "no_dsg" else 1.0
    assert kernel[width:].std() / kernel[:width].std() == pytest.approx(louder, rel=0.05)
