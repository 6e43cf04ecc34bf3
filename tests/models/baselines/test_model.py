"""Answers, losses and variables of whole models; options that no model can be built from."""

from __future__ import annotations

import dataclasses
import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

from dsg.engine.snapshots import load_meta
from dsg.errors import UserError
from dsg.models.baselines.features import KERAS_LAYER, KERAS_MEANS, make_features
from dsg.models.baselines.heads import Attention
from dsg.models.baselines.losses import cross_entropy
from dsg.models.baselines.model import build_baseline, discounted
from dsg.models.dsg.build import build_model
from tests.checkpoints.test_tf1 import save
from tests.crafted import npy, replace
from tests.models.baselines import oracle
from tests.models.baselines.small import config, queries
from tests.shared import needs_shared, shared_path
from tests.small_trained import write_snapshot


def build(net: str, *overrides: str):
    return build_baseline(config(net, *overrides), 5, 3)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    valid = np.array([[True, True, True], [True, True, False]])
    return {
        "image": rng.integers(0, 256, (2, 224, 224, 3), np.uint8),
        "queries": queries(),
        "query_valid": valid,
        "subject_maps": (rng.random((2, 3, 196)) < 0.2).astype(np.float32),
        "object_maps": (rng.random((2, 3, 196)) < 0.2).astype(np.float32),
        "seed": np.array([[1, 2], [3, 4]], np.int32),
    }


def attention(steps: int) -> Attention:
    rng = np.random.default_rng(steps)
    maps = np.abs(rng.normal(0, 0.6, (2, steps, 2, 3, 14, 14))).astype(np.float32)
    subject, object_ = (list(map(tf.constant, one)) for one in maps)
    return Attention(subject, object_)


def test_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    target, found = (rng.random((4, 196)) < 0.1).astype(np.float32), rng.random((4, 196)).astype(np.float32)
    found[0, :3] = 0.0, 1.0, 1.0  # clipped
    expected = [oracle.loss(one.astype(float), other.astype(float), 7.5) for one, other in zip(target, found)]
    np.testing.assert_allclose(cross_entropy(target, found, 7.5), expected, rtol=1e-3)  # float32


def test_weights_of_iterations() -> None:
    assert discounted(1.0, 3) == [0.25] * 4
    assert discounted(2.0, 2) == pytest.approx([1 / 7, 2 / 7, 4 / 7])


@pytest.mark.parametrize("internal", ["ensemble", "loss", "last"])
def test_internal_maps(batch, internal) -> None:
    model = build("ssas", "BASELINE.INTERNAL", internal, "BASELINE.DISCOUNT", "2")
    maps = attention(4)
    found, losses = model.answer(maps), model.losses_of(maps, batch)
    weights = np.array([1, 2, 4, 8]) / 15
    for role, name in enumerate(("subject_maps", "object_maps")):
        for image in range(2):
            for query in range(3):
                steps = [one[image, query].numpy().astype(float) for one in maps[role]]
                last = np.tanh(steps[-1]).ravel()
                expected = oracle.ensemble(steps, 2.0).ravel() if internal == "ensemble" else last
                target = batch[name][image, query].astype(float)
                loss = oracle.loss(target, expected, 7.5)
                if internal == "loss":
                    each = [oracle.loss(target, np.tanh(one).ravel(), 7.5) for one in steps]
                    loss = float(weights @ each)
                np.testing.assert_allclose(found[role][image, query], expected, atol=1e-6)
                np.testing.assert_allclose(losses[role][image, query], loss, rtol=1e-4)


def test_padded_queries_weigh_nothing(batch) -> None:
    model = build("co")
    found = {name: float(value) for name, value in model.training_losses(batch).items()}
    answers = model.predict_maps(batch)
    valid = batch["query_valid"]
    assert found["subject"] == pytest.approx(answers.subject_loss.numpy()[valid].mean(), rel=1e-5)
    assert found["total"] == pytest.approx(found["subject"] + found["object"], rel=1e-6)


@pytest.mark.parametrize("net", ["ss", "co", "vrd", "ssas"])
def test_variables_that_training_changes(batch, net) -> None:
    kept = build(net, "BASELINE.FINETUNE_CNN", "False")
    trained = build(net)
    assert list(kept.named_variables()) == list(trained.named_variables())
    assert not [name for name in kept.trainable_names() if name.startswith("features/")]
    assert "features/trunk/conv1/kernel" in trained.trainable_names()
    assert not [name for name in trained.trainable_names() if name.endswith("filters")]
    assert len([name for name in trained.named_variables() if name.endswith("filters")]) == 2 * (net == "ss")
    for model in (kept, trained):
        names = model.trainable_names()
        variables = model.named_variables()
        with tf.GradientTape() as tape:
            total = model.training_losses(batch)["total"]
        gradients = tape.gradient(total, list(variables.values()))
        reached = {name for name, one in zip(variables, gradients) if one is not None}
        assert set(names) <= reached | {n for n in names if "predicate_embedding" in n}
        assert model is trained or not [name for name in reached if name.startswith("features/")]


def test_dropout_follows_the_seed_of_the_batch(batch) -> None:
    model = build("co", "BASELINE.DROPOUT", "0.5")
    first, again = (model(batch, training=True).subject[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = model({**batch, "seed": batch["seed"] + 1}, training=True).subject[0]
    assert np.abs(first - other).max() > 0
    np.testing.assert_array_equal(model(batch).subject[0], build("co")(batch).subject[0])


def test_convolutions_free_the_width() -> None:
    model = build("co", "BASELINE.CONVOLUTIONS", "2", "BASELINE.HIDDEN", "12")
    shapes = {name: tuple(variable.shape) for name, variable in model.named_variables().items()}
    assert shapes["convolutions/0/kernel"] == (1, 1, 160, 12)
    assert shapes["convolutions/1/kernel"] == (1, 1, 12, 12) and shapes["head/subject_dense/kernel"] == (
        12,
        12,
    )


@pytest.mark.parametrize(
    ("pairs", "parts"),
    [
        (["BASELINE.HIDDEN", "1024"], ["BASELINE.HIDDEN 1024", "160 channels"]),
        (["BASELINE.MODULE_LAYERS", "0"], ["BASELINE.MODULE_LAYERS", "at least 1"]),
        (["BASELINE.DROPOUT", "1"], ["BASELINE.DROPOUT", "below 1"]),
        (["BASELINE.DISCOUNT", "0"], ["BASELINE.DISCOUNT", "above 0"]),
        (["BASELINE.UNKNOWN_TEST", "both"], ["BASELINE.UNKNOWN_RATE"]),
        (["TRAIN.PRECISION", "bfloat16"], ["float32"]),
    ],
)
def test_options_that_do_not_fit(pairs, parts) -> None:
    with pytest.raises(UserError) as caught:
        build("ssas", *pairs)
    assert all(part in str(caught.value) for part in parts)


def test_what_answers_with_boxes_is_told_so() -> None:
    with pytest.raises(UserError, match="MODEL ssas is a baseline"):
        build_model(config("ssas"), 5, 3)


def test_a_trunk_from_a_snapshot(tmp_path) -> None:
    path = write_snapshot(tmp_path / "mini_iter_3.npz")
    features = make_features("mini")
    before = features.trunk.conv1.kernel.numpy().copy()
    report = features.load(config("co", "WEIGHTS", str(path)))
    assert str(path) in str(report) and np.abs(features.trunk.conv1.kernel.numpy() - before).max() > 0
    with pytest.raises(UserError, match="a snapshot of mini"):
        make_features("res18").load(config("co", "BASELINE.FEATURES", "res18", "WEIGHTS", str(path)))
    other = write_snapshot(tmp_path / "other_iter_3.npz", "PIXEL_MEANS", "[1, 2, 3]")
    with pytest.raises(UserError, match="PIXEL_MEANS"):
        features.load(config("co", "WEIGHTS", str(other)))
    about = dataclasses.asdict(load_meta(other))
    for means in "x", [1, 2], {}:
        about["config"]["PIXEL_MEANS"] = means
        replace(other, "meta.npy", npy(json.dumps(about)))
        with pytest.raises(UserError, match="PIXEL_MEANS"):
            features.load(config("co", "WEIGHTS", str(other)))
    with pytest.raises(UserError, match="nowhere.npz"):
        features.load(config("co", "WEIGHTS", str(tmp_path / "nowhere.npz")))
    assert "random" in str(features.load(config("co")))


@needs_shared("data", "weights", "resnet18_trunk_imagenet.npz")
def test_imagenet_weights_of_res18() -> None:
    path = shared_path("data", "weights", "resnet18_trunk_imagenet.npz")
    features = make_features("res18")
    features.load(config("co", "BASELINE.FEATURES", "res18", "WEIGHTS", str(path)))
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    assert features(image).shape == (1, 14, 14, 256) and float(tf.reduce_max(features(image))) > 0.1


def test_no_network_to_fetch_keras_weights_from(monkeypatch) -> None:
    def fail(weights: str | None) -> None:
        if weights is not None:
            raise Exception("URL fetch failure on https://storage")  # as Keras does

    features = make_features("resnet50")
    monkeypatch.setattr("dsg.models.baselines.features._keras_resnet", fail)
    with pytest.raises(UserError, match="weights of ResNet-50 .*URL fetch failure.*give WEIGHTS the file"):
        features.load(config("co", "BASELINE.FEATURES", "resnet50"))


def test_resnet50_of_keras(tmp_path) -> None:
    features = make_features("resnet50")
    names = features.named_variables("features/")
    assert "features/conv1_conv/kernel" in names and len(names) == len(features.cnn.weights)
    assert not [name for name in names if "conv5" in name]
    means = tf.constant(KERAS_MEANS, tf.float32)
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    seen = features(image)
    expected = features.cnn(tf.cast(image, tf.float32) - means, training=False)
    assert seen.shape == (1, 14, 14, 1024)
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert features.cnn.layers[-1].name == KERAS_LAYER

    # Statistics of normalisation follow the images in training, and only there.
    moving = next(variable for name, variable in names.items() if name.endswith("moving_mean"))
    before = moving.numpy().copy()
    features(image)
    np.testing.assert_array_equal(moving.numpy(), before)
    features(image, training=True)
    assert np.abs(moving.numpy() - before).max() > 0

    assert "random" in features.load(config("co", "WEIGHTS", "none"))
    (tmp_path / "no.h5").write_bytes(b"no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["layer_names"] = ["conv1"]
    slim = tmp_path / "res50.ckpt"  # the trunk's, of one file
    save(slim, {"resnet_v1_50/conv1/weights": np.zeros((7, 7, 3, 64), np.float32)}, old=True)
    for name, word in (
        ("no.h5", "notop.h5"),
        ("other.h5", "notop.h5"),
        ("absent.h5", "no such file"),
        ("res50.ckpt", r"res50.ckpt\): no \.h5 file; give WEIGHTS the file resnet50.*notop.h5"),
    ):
        with pytest.raises(UserError, match=word):
            features.load(config("co", "WEIGHTS", str(tmp_path / name)))
