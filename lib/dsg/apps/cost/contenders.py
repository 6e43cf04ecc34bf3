"""What is timed: an answer and a training step of a model, each as a function without arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dsg.engine.optimizers import Optimizer, build_optimizer
from dsg.engine.step import build_train_step
from dsg.engine.task import trained_variables
from dsg.models.dsg.model import DSG
from dsg.models.dsg.predictions import Predictor
from dsg.models.dsg.task import DsgTask
from dsg.pipeline.batch import Batch
from dsg.pipeline.batches import batch_spec

LEARNING_RATE = 0.0  # a step does all its work, and the next one finds the same weights


def answering(model: DSG) -> Callable[[Batch], object]:
    """`model.predict_roles` as testing runs it."""
    return Predictor(model, model.config)


def fetching(function: Callable[[Batch], Any], batch: Batch) -> Callable[[], Any]:
    """The function applied to the batch; its result is fetched, so the work is done when it returns."""
    return lambda: [None if part is None else part.numpy() for part in tf.nest.flatten(function(batch))]


def optimizer_of(model: DSG) -> Optimizer:
    """The optimiser that the model's configuration names, of what it trains."""
    return build_optimizer(model.config, trained_variables(model))


def stepping(model: Any, optimizer: Optimizer, batch: Batch) -> Callable[[], Any]:
    """A training step of a `DSG`, or of its stand-in, as training runs it on `batch`; returns its report."""
    config, strategy = model.config, tf.distribute.get_strategy()
    losses, spec = DsgTask(config).losses, batch_spec(config)
    step = build_train_step(model, optimizer, config, strategy, losses_of=losses, spec=spec)
    return lambda: step(batch, LEARNING_RATE)
