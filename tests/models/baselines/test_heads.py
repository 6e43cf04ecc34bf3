"""The four models against numpy, and their sizes against the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.config import config_files, load_config
from dsg.models.baselines.heads import make_head
from tests.models.baselines import oracle
from tests.models.baselines.small import CFGS, config, features, head, queries, weights_of


def published(net: str, dataset: str):
    return load_config(config_files(CFGS, dataset, net))


@pytest.mark.parametrize(
    ("net", "dataset", "entities", "predicates", "slots", "expected"),
    [
        ("co", "visualgenome", 100, 70, 0, 2_201_600),
        ("vrd", "vrd", 100, 70, 0, 3_286_016),
        ("ssas", "visualgenome", 100, 70, 0, 3_983_024),
        ("ssas", "vrd", 100, 70, 0, 3_983_024),
        ("ssas", "clevr", 48, 4, 6, 1_093_200),
    ],
)
def test_published_numbers_of_parameters(net, dataset, entities, predicates, slots, expected) -> None:
    options = published(net, dataset).baseline
    options = type(options)(**{**vars(options), "predicate_slots": slots})
    made = make_head(net, options, 1024, entities, predicates)
    assert sum(int(np.prod(variable.shape)) for variable in made.named_variables().values()) == expected
    modules = [v for name, v in made.named_variables().items() if name.startswith(("forward/", "inverse/"))]
    if dataset != "clevr" and modules:
        assert sum(int(np.prod(variable.shape)) for variable in modules) == 2 * 70 * 20_580


@pytest.mark.parametrize("net", ["co", "vrd"])
def test_joint_heads(net) -> None:
    made = head(net)
    weights = weights_of(made)
    found = made(features(), queries())
    assert len(found.subject) == len(found.object) == 1
    for image in range(2):
        for query in range(3):
            expected = oracle.joint(weights, features()[image], queries()[image, query], net == "vrd")
            np.testing.assert_allclose(found.subject[0][image, query], expected[0], atol=1e-5)
            np.testing.assert_allclose(found.object[0][image, query], expected[1], atol=1e-5)


def test_co_does_not_hear_the_predicate() -> None:
    other = queries().copy()
    other[..., 1] = (other[..., 1] + 1) % 3
    co, vrd = head("co"), head("vrd")
    weights_of(co), weights_of(vrd)
    np.testing.assert_array_equal(co(features(), queries()).subject[0], co(features(), other).subject[0])
    assert np.abs(vrd(features(), queries()).subject[0] - vrd(features(), other).subject[0]).max() > 1e-3


@pytest.mark.parametrize(("net", "iterations"), [("ssas", 0), ("ssas", 1), ("ssas", 3), ("ss", 1)])
def test_shifting_heads(net, iterations) -> None:
    made = head(net, "BASELINE.ITERATIONS", str(iterations))
    weights = weights_of(made)
    found = made(features(), queries())
    assert len(found.subject) == iterations + 1
    for image in range(2):
        for query in range(3):
            expected = oracle.shifting(
                weights, features()[image], queries()[image, query], iterations, ss=net == "ss"
            )
            for role in (0, 1):
                for step in range(iterations + 1):
                    map_ = found[role][step][image, query]
                    np.testing.assert_allclose(map_, expected[role][step], atol=2e-5)


@pytest.mark.parametrize("net", ["ssas", "ss"])
def test_attention_follows_a_chain(net) -> None:
    made = head(net)
    weights = weights_of(made)
    seen, categories, predicates = features()[:1], np.array([1, 4, 2], np.int32), np.array([2, 0], np.int32)
    found = made.follow(seen, categories, predicates)
    query = np.array([categories[0], predicates[0], categories[1]])
    subjects, objects = oracle.shifting(weights, seen[0], query, 1, ss=net == "ss")
    np.testing.assert_allclose(found[0], subjects[0], atol=2e-5)
    np.testing.assert_allclose(found[1], objects[1], atol=2e-5)
    # The next step shifts what the one before has found.
    where = (
        oracle.fixed_shift(objects[1], weights["forward/filters"][0])
        if net == "ss"
        else oracle.learned_shift(
            objects[1], [value for name, value in weights.items() if name.startswith("forward/")], 0
        )
    )
    last = oracle.attend(
        seen[0],
        oracle.relu(
            weights["embedding/table"][2] @ weights["object_dense/kernel"] + weights["object_dense/bias"]
        ),
    )
    np.testing.assert_allclose(found[2], last * where, atol=2e-5)


def test_more_predicates_are_provided_for_than_there_are() -> None:
    made = head("ssas", "BASELINE.PREDICATE_SLOTS", "6")
    assert made.forward.layers[0].kernel.shape[0] == 6
    weights = weights_of(made)
    found = made(features(), queries())
    expected = oracle.shifting(weights, features()[0], queries()[0, 0], 3, ss=False)
    np.testing.assert_allclose(found.object[3][0, 0], expected[1][3], atol=2e-5)


def test_a_hidden_category_has_an_embedding_of_its_own() -> None:
    assert head("ssas").embedding.table.shape[0] == 5
    assert head("ssas", "BASELINE.UNKNOWN_RATE", "0.3").embedding.table.shape[0] == 6
    assert config("co").baseline.unknown_test == "none"


@pytest.mark.parametrize(
    ("net", "dataset", "epochs", "batch", "patience", "gamma", "finetune", "modules", "discount"),
    [
        ("ssas", "visualgenome", 50, 64, 3, 0.8, True, (6, 7, 10), 1.0),
        ("ssas", "vrd", 30, 16, 3, 0.7, True, (6, 7, 10), 1.0),
        ("ssas", "clevr", 25, 32, 4, 0.8, False, (4, 5, 5), 2.0),
        ("co", "vrd", 50, 64, 3, 0.7, True, (6, 7, 10), 1.0),
        ("vrd", "clevr", 50, 64, 3, 0.7, False, (6, 7, 10), 1.0),
        ("ss", "visualgenome", 50, 64, 3, 0.7, True, (6, 7, 10), 1.0),
    ],
)
def test_published_settings(
    net, dataset, epochs, batch, patience, gamma, finetune, modules, discount
) -> None:
    config = published(net, dataset)
    train, options = config.train, config.baseline
    assert config.net == net and options.features == "resnet50" and not train.use_flipped
    assert (train.optimizer, train.schedule, train.learning_rate) == ("rmsprop", "plateau", 1e-4)
    assert (train.epochs, train.ims_per_batch, train.patience, train.gamma) == (
        epochs,
        batch,
        patience,
        gamma,
    )
    assert (options.embedding, options.iterations, options.positive_weight) == (512, 3, 7.5)
    assert (options.finetune_cnn, options.discount, options.dropout) == (finetune, discount, 0.0)
    assert (options.module_layers, options.module_kernel, options.module_channels) == modules
