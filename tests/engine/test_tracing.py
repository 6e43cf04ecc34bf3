"""A training step and the prediction function are traced once, whatever sizes the images of an epoch have:
alone in their batch, or padded to the largest.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf

from dsg.config import load_config
from dsg.engine.optimizers import build_optimizer
from dsg.engine.step import build_train_step
from dsg.models.dsg.build import build_model
from dsg.models.dsg.predictions import INPUTS, Predictor
from dsg.models.dsg.task import DsgTask
from dsg.pipeline.batches import training_examples
from dsg.pipeline.splits import load_splits
from tests.tiny import CONFIGS, PAIRS, make_tiny_shapes

# One image a step, and what only `mini` has left out: a smaller graph, which is traced sooner.
AS_RELEASED = ["REFINER_CHANNELS", "0", "REFINER_FINE", "0", "GPI.GEOMETRY", "0", "RR.MATCHING", "False"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return make_tiny_shapes(tmp_path_factory.mktemp("data"), train=6, test=3)


@pytest.mark.parametrize(("images", "options"), [(1, AS_RELEASED), (2, [])])
def test_an_epoch_of_differently_sized_images_is_traced_once(data_dir, images, options):
    sizes = ["TRAIN.SCALES", "[40, 48, 56, 72]", "TRAIN.MAX_SIZE", "120", "TRAIN.USE_FLIPPED", "False"]
    sizes += ["TRAIN.IMS_PER_BATCH", str(images), "TEST.IMS_PER_BATCH", str(images)]
    config = load_config(CONFIGS, [*PAIRS, "DATA.DIR", str(data_dir), *sizes, *options])
    training, _ = load_splits(config, "shapes")
    model = build_model(config, 48, 4)
    variables = model.named_variables()
    optimizer = build_optimizer(config, {name: variables[name] for name in model.trainable_names()})
    examples, losses = training_examples(training, config), DsgTask(config).losses
    strategy = tf.distribute.get_strategy()
    step_once = build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=examples.spec)
    step = inspect.getclosurevars(step_once).nonlocals["step"]  # the TensorFlow function below it
    predict = Predictor(model, config)

    shapes, boxes, padded = set(), set(), 0
    for epoch in range(3):
        for batch in examples.batches(images, epoch):
            assert step_once(batch, 1e-3).finite
            predict({key: batch[key] for key in INPUTS})
            shapes.add(tuple(batch["image"].shape))
            boxes.add((batch["gt_boxes"].shape[1], batch["queries"].shape[1]))
            padded += len(np.unique(batch["image_size"], axis=0)) > 1
    assert len(shapes) > 2 and len(boxes) > 1 and (padded > 1) == (images > 1)
    assert step.experimental_get_tracing_count() == 1
    assert predict.traced.experimental_get_tracing_count() == 1
