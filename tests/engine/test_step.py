"""A training step changes what is trainable and nothing else, nothing at all where it is not finite, and
means the same on one device and on two."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.engine.optimizers import build_optimizer
from dsg.engine.step import build_train_step, replica_part
from dsg.models.dsg.build import build_model
from dsg.models.dsg.task import DsgTask
from dsg.pipeline.batches import training_examples
from dsg.pipeline.splits import load_splits
from tests.shared import ROOT
from tests.tiny import CONFIGS, PAIRS, make_tiny_shapes

SEVERAL_DEVICES = """
import gc, sys
gc.disable()
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # saves time
from tests.engine.test_step import NO_GRAPH, setup, state

found = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        model, optimizer, step, batches = setup(sys.argv[1], strategy, *NO_GRAPH)
    reports = [step(batch, 0.1) for batch in batches]
    found.append((state(model, optimizer), reports))
(one, one_reports), (two, two_reports) = found
for name, value in one.items():
    np.testing.assert_allclose(two[name], value, rtol=1e-3, atol=1e-5, err_msg=name)
for report, other in zip(one_reports, two_reports):
    assert report.finite and other.finite
    for name, value in report.losses.items():
        np.testing.assert_allclose(other.losses[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
print("equal after", len(one_reports), "steps with", [b["index"].shape[0] for b in batches], "images")
"""

# Quicker to build; what several devices do to a step has nothing to do with it.
OFF = ("RR", "BOX", "ENTITY", "PREDICATE", "GT_ENTITY", "GT_PREDICATE")
NO_GRAPH = ["VARIANT", "no_dsg"]
NO_GRAPH += [word for name in OFF for word in (f"LOSS.{name}", "0")]


def setup(data_dir, strategy, *pairs):
    """A tiny model, its optimiser, its step, and the batches of an epoch (4, 4 and 3 images)."""
    where = ["DATA.DIR", str(data_dir), "TRAIN.USE_FLIPPED", "False", "TRAIN.OPTIMIZER", "momentum"]
    config = load_config(CONFIGS, [*PAIRS, *where, *pairs])
    training, _ = load_splits(config, "shapes")
    model = build_model(config, 48, 4)
    variables = model.named_variables()
    optimizer = build_optimizer(config, {name: variables[name] for name in model.trainable_names()})
    examples, losses = training_examples(training, config), DsgTask(config).losses
    step = build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=examples.spec)
    return model, optimizer, step, list(examples.batches(config.train.ims_per_batch, 0))


def state(model, optimizer):
    """Copies of all variables and slots by name."""
    both = {**model.named_variables(), **optimizer.named_slots()}
    return {name: variable.numpy().copy() for name, variable in both.items()}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=13, test=1)


def test_what_a_step_changes(data_dir, untraced):
    frozen = ("TRAIN.FREEZE_DETECTOR", "True", "TRAIN.DOUBLE_BIAS", "True")
    model, optimizer, step, batches = setup(data_dir, tf.distribute.get_strategy(), *frozen)
    before = state(model, optimizer)
    report = step(batches[0], 0.01)
    after = state(model, optimizer)
    assert report.finite and report.gradient_norm > 0
    assert report.losses["total"] > 0 and "rpn_class" in report.losses
    changed = {name for name in model.named_variables() if not np.array_equal(before[name], after[name])}
    assert changed and changed <= set(model.trainable_names())
    assert not any(name.startswith(("trunk/", "rpn/")) for name in changed)

    spoilt = {**batches[1], "rpn_deltas": batches[1]["rpn_deltas"] * np.nan}
    report = step(spoilt, 0.01)
    assert not report.finite
    for name, value in state(model, optimizer).items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)
    assert step(batches[1], 0.01).finite


def test_two_devices_mean_what_one_means(data_dir):
    command = [sys.executable, "-c", SEVERAL_DEVICES, str(data_dir)]
    done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "equal after 3 steps with [4, 4, 3] images" in done.stdout


def child_environment():
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'lib'}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "2"}


@pytest.mark.parametrize(
    ("images", "replicas", "parts", "shares"),
    [
        (4, 2, [[0, 1], [2, 3]], [0.5, 0.5]),
        (3, 2, [[0, 1], [2]], [2 / 3, 1 / 3]),
        (1, 2, [[0], [0]], [1.0, 0.0]),
        (5, 4, [[0, 1], [2, 3], [4], [4]], [0.4, 0.4, 0.2, 0.0]),
        (2, 1, [[0, 1]], [1.0]),
    ],
)
@pytest.mark.parametrize("content", ["image", "features"])
def test_replicas_divide_a_batch(images, replicas, parts, shares, content):
    batch = {content: tf.zeros([images, 1, 1, 3]), "index": tf.range(images)}
    found = [replica_part(batch, replica, replicas) for replica in range(replicas)]
    assert [part["index"].numpy().tolist() for part, _ in found] == parts
    assert [float(share) for _, share in found] == pytest.approx(shares)


def test_float16_scales_losses_in_the_backward_pass_only(data_dir, untraced):
    """Where unscaled gradients are below float16's smallest number (6e-8), scaled ones still arrive, in
    float32's size."""
    small = [word for name in ("RPN_CLASS", "RPN_BOX", "RR_BASELINE") for word in (f"LOSS.{name}", "1e-3")]
    changed = {}
    for precision, scale in (("float32", "1024"), ("float16", "1"), ("float16", "1024")):
        tf.keras.utils.set_random_seed(4)
        options = [
            "TRAIN.PRECISION",
            precision,
            "TRAIN.LOSS_SCALE",
            scale,
            "LOSS.REGULARIZATION",
            "0",
            *small,
        ]
        model, optimizer, step, batches = setup(data_dir, tf.distribute.get_strategy(), *NO_GRAPH, *options)
        before = state(model, optimizer)
        assert step(batches[0], 1.0).finite
        after = state(model, optimizer)
        changed[precision, scale] = after["trunk/conv1/kernel"] - before["trunk/conv1/kernel"]
    expected = changed["float32", "1024"]
    size = np.linalg.norm(expected)
    assert np.linalg.norm(changed["float16", "1024"] - expected) < 0.3 * size
    assert np.linalg.norm(changed["float16", "1"] - expected) > 0.9 * size
