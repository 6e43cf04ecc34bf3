"""Baselines in training: resumed runs end alike, few samples are learnt by heart, statistics stay."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dsg.apps.testing import evaluate_snapshot, load_model
from dsg.engine.callbacks.callback import AfterStep
from dsg.engine.optimizers import build_optimizer
from dsg.engine.runs import Run
from dsg.engine.schedule import plateau
from dsg.engine.snapshots import load_snapshot
from dsg.engine.step import build_train_step
from dsg.engine.train import train
from dsg.metrics.maps import map_iou
from dsg.models.baselines.model import build_baseline
from dsg.models.baselines.source import Memory, Source
from dsg.models.baselines.statistic import shift_filters
from dsg.models.registry import task_of
from dsg.runtime.interrupt import Interrupted
from tests.models.baselines.small import config as small_config
from tests.models.baselines.small_runs import settings
from tests.tiny import make_tiny_shapes


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=14, test=3)


def test_resumed_training_ends_as_the_uninterrupted_one(data, tmp_path) -> None:
    """With a plateau that drops the rate, dropout and hidden queries: all of it comes back."""
    more = (
        "BASELINE.ITERATIONS",
        "1",
        "TRAIN.EPOCHS",
        "3",
        "BASELINE.DROPOUT",
        "0.2",
        "BASELINE.UNKNOWN_RATE",
        "0.3",
    )
    config, training, validation = settings("ssas", data, *more, "TRAIN.LEARNING_RATE", "0.3")
    whole, parts = (Run.of(tmp_path, "ssas", "shapes", name) for name in ("whole", "parts"))
    train(task_of(config), config, training, validation, whole)

    def after_step(step: int) -> None:
        if step == 8:  # inside the second epoch
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(task_of(config), config, training, validation, parts, callbacks=[AfterStep(after_step)])
    train(task_of(config), config, training, validation, parts)
    first, second = (load_snapshot(run.snapshot(3)) for run in (whole, parts))
    for kind in ("variables", "slots"):
        expected, found = getattr(first, kind), getattr(second, kind)
        assert list(expected) == list(found)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    for entry, other in zip(first.meta.history, second.meta.history):
        assert entry["validation"] == other["validation"]
        assert entry["learning_rate"] == other["learning_rate"]
    # The rate follows from the history alone, which every snapshot has.
    losses = [entry["validation"]["loss"] for entry in first.meta.history]
    rates = [entry["learning_rate"] for entry in first.meta.history]
    assert rates == pytest.approx([0.3 * plateau(losses[:epoch], 0, 0.8) for epoch in range(3)])


def test_an_image_skipped_before_an_interruption_is_still_counted(tmp_path) -> None:
    data = make_tiny_shapes(tmp_path, train=14, test=3)
    config, training, validation = settings(
        "co", data, "TRAIN.IMS_PER_BATCH", "4", "TRAIN.EPOCHS", "1", "BASELINE.CACHE_GB", "0"
    )
    source = Source(training, config, Memory(0))
    paths = [training.records[image].path for image in source.samples.image[source.examples().order(0)]]
    last = {path: place for place, path in enumerate(paths)}  # of each image's samples
    bad = min(last, key=last.__getitem__)
    bad.write_bytes(b"no image")
    behind = 1 + last[bad] // 4
    assert 4 * behind + 8 < len(paths)

    def after_step(step: int) -> None:
        if step == behind:
            os.kill(os.getpid(), signal.SIGINT)

    run = Run.of(tmp_path / "output", "co", "shapes", "run")
    with pytest.raises(Interrupted):
        train(task_of(config), config, training, validation, run, callbacks=[AfterStep(after_step)])
    state = train(task_of(config), config, training, validation, run)
    assert [entry["unreadable_images"] for entry in state.history] == [1]


def test_ss_keeps_its_statistic(data, tmp_path, untraced) -> None:
    config, training, validation = settings("ss", data, "TRAIN.EPOCHS", "1")
    run = Run.of(tmp_path, "ss", "shapes", "run")
    train(task_of(config), config, training, validation, run)
    found = load_snapshot(run.snapshot(1)).variables
    for kind, expected in zip(("forward", "inverse"), shift_filters(training.records, 4, 10)):
        np.testing.assert_array_equal(found[f"head/{kind}/filters"], expected)
    assert not [name for name in load_snapshot(run.snapshot(1)).slots if "filters" in name]
    model = load_model(run.snapshot(0), task_of(config), validation)
    np.testing.assert_array_equal(model.head.forward.filters.numpy(), found["head/forward/filters"])


def test_best_by_iou_and_the_test_of_a_split(data, tmp_path, untraced) -> None:
    options = ("BASELINE.SELECT", "iou", "BASELINE.FINETUNE_CNN", "True", "DATA.MAX_IMAGES", "2")
    config, training, validation = settings("co", data, *options)
    run = Run.of(tmp_path, "co", "shapes", "run")
    state = train(task_of(config), config, training, validation, run)
    iou = [(v["subject_iou"] + v["object_iou"]) / 2 for v in (one["validation"] for one in state.history)]
    assert state.best_score == pytest.approx(max(iou)) and state.best_epoch == 1 + int(np.argmax(iou))
    found = evaluate_snapshot(run.snapshot(0), config, validation, tmp_path / "tested")
    assert found.score == pytest.approx(max(iou), abs=1e-6)
    results = json.loads((tmp_path / "tested" / "results.json").read_text())
    assert set(results["iou"]) == {"rr", "dsg"} and results["split"] == "validation"


@pytest.mark.parametrize("net", ["ss", "co", "vrd", "ssas"])
def test_training_fits_a_few_samples(net) -> None:
    """On features in which cells of each category and some clutter can be told apart."""
    config = small_config(net, "TRAIN.LEARNING_RATE", "0.01", "BASELINE.FINETUNE_CNN", "False")
    model = build_baseline(config, 5, 3)
    rng = np.random.default_rng(0)
    features = rng.random((6, 14, 14, 160)) * (rng.random((6, 14, 14, 160)) < 0.05)
    queries = np.stack([rng.permutation(5)[:2] for _ in range(6)])
    maps = np.zeros((6, 2, 14, 14))
    for image in range(6):
        for role, left in ((0, 1), (1, 8)):  # a square in each half, in its category's channels
            top = rng.integers(0, 9)
            square = np.s_[top : top + 5, left : left + 5]
            maps[(image, role, *square)] = 1
            features[(image, *square)][..., 20 * queries[image, role] : 20 * queries[image, role] + 20] = 1
    batch: Any = {
        "features": tf.constant(features, tf.float32),
        "queries": tf.constant([[[s, 0, o]] for s, o in queries], tf.int32),
        "query_valid": tf.ones([6, 1], tf.bool),
        "subject_maps": tf.constant(maps[:, :1].reshape(6, 1, 196), tf.float32),
        "object_maps": tf.constant(maps[:, 1:].reshape(6, 1, 196), tf.float32),
        "seed": tf.zeros([6, 2], tf.int32),
    }
    if net == "ss":  # to the right, and to the left
        for shift, columns in ((model.head.forward, np.s_[2:]), (model.head.inverse, np.s_[:2])):
            filters = np.zeros(shift.filters.shape, np.float32)
            filters[..., columns] = 1.0
            shift.filters.assign(filters)
    variables = model.named_variables()
    optimizer = build_optimizer(config, {name: variables[name] for name in model.trainable_names()})
    spec = {key: tf.TensorSpec(value.shape, value.dtype, key) for key, value in batch.items()}
    strategy = tf.distribute.get_strategy()
    losses = lambda model, batch: model.training_losses(batch)  # noqa: E731
    step = build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=spec)
    totals = [step(batch, 0.01).losses["total"] for _ in range(60)]
    assert totals[-1] < 0.35 * totals[0]
    answers = model.predict_maps(batch)
    iou = map_iou(maps[:, 0].reshape(6, 196), answers.subject[:, 0].numpy())
    assert iou.mean() > 0.6
