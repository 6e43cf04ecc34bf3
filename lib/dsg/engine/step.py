"""One training step as a TensorFlow function, traced once: losses, gradients, the update if all is finite.

On several devices each takes its share of the batch; losses and gradients are weighted by the number of
images, so that a step means what it means on one device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.engine.optimizers import Optimizer, clip_by_norm, double_bias
from dsg.engine.task import Batch, M, trained_variables
from dsg.pipeline.epochs import Spec


@dataclass(frozen=True)
class StepReport:
    """What a step says: its losses, and whether it was taken."""

    losses: dict[str, float]  # `total` and its unweighted terms, means over the batch
    gradient_norm: float
    finite: bool  # False: nothing was updated


TrainStep = Callable[[Batch, float], StepReport]
"""Takes a batch and a learning rate, updates what is trainable, and reports."""


def build_train_step(
    model: M,
    optimizer: Optimizer,
    config: Config,
    strategy: tf.distribute.Strategy,
    *,
    losses_of: Callable[[M, Batch], dict[str, tf.Tensor]],
    spec: Spec,
    images: int | None = None,
) -> TrainStep:
    """A training step of `model`.

    Args:
        model: made in the scope of `strategy`, like `optimizer`.
        optimizer: of the variables that are to be trained.
        config: TRAIN.*: what is done to gradients, their precision, and images a step.
        strategy: its replicas divide the batch.
        losses_of: from the model and a batch to `total` and its unweighted terms, see `Task.losses`.
        spec: what its batches look like.
        images: in a whole batch; None: TRAIN.IMS_PER_BATCH on each device.
    """
    replicas = strategy.num_replicas_in_sync
    if (images or config.train.ims_per_batch * replicas) == 1:
        # Known when the graph is built, so that the model leaves out all that is for padded batches.
        spec = {key: tf.TensorSpec([1, *one.shape[1:]], one.dtype, key) for key, one in spec.items()}
    trained = trained_variables(model)
    # A power of two changes no float32 result but for the smallest numbers; float16 has fewer of these.
    loss_scale = config.train.loss_scale if config.train.precision == "float16" else 1.0
    names: list[str] = []  # of the losses, known once the graph is built

    def replica_step(batch: Batch, learning_rate: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        part, share = replica_part(batch, context.replica_id_in_sync_group, replicas)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(trained.values()))
            losses = losses_of(model, part)
            total = losses["total"] * share * loss_scale
        taken = zip(trained, tape.gradient(total, list(trained.values())))
        gradients = {
            name: tf.convert_to_tensor(value) / loss_scale for name, value in taken if value is not None
        }
        names[:] = losses
        values = tf.stack(list(losses.values())) * share
        if replicas > 1:
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [values, *gradients.values()])
            values, gradients = summed[0], dict(zip(gradients, summed[1:]))
        if config.train.double_bias:
            gradients = double_bias(gradients)
        norm = tf.linalg.global_norm(list(gradients.values()))
        finite = tf.math.is_finite(norm) & tf.reduce_all(tf.math.is_finite(values))
        if config.train.clip_norm > 0:
            gradients = clip_by_norm(gradients, norm, config.train.clip_norm)
        optimizer.apply(gradients, learning_rate, finite)
        # One tensor, so that one copy brings it back from a GPU.
        return tf.concat([values, [norm, tf.cast(finite, tf.float32)]], 0)

    # Nothing in the model branches on tensors in Python; leaving AutoGraph out saves a third of the tracing.
    @tf.function(input_signature=[spec, tf.TensorSpec([], tf.float32)], autograph=False)
    def step(batch: Batch, learning_rate: tf.Tensor) -> tf.Tensor:
        report = strategy.run(replica_step, args=(batch, learning_rate))
        return strategy.experimental_local_results(report)[0]

    def train_step(batch: Batch, learning_rate: float) -> StepReport:
        report = np.asarray(step(batch, tf.constant(learning_rate, tf.float32)), np.float64)
        losses = dict(zip(names, report[:-2].tolist()))
        return StepReport(losses, float(report[-2]), bool(report[-1]))

    return train_step


def replica_part(batch: Batch, replica: Any, replicas: int) -> tuple[Batch, Any]:
    """The images of a batch that one of `replicas` takes, and their share of the whole batch.

    Where there are fewer images than replicas, the last ones repeat an image with share 0.
    """
    if replicas == 1:
        return batch, 1.0
    count = tf.shape(batch["index"])[0]  # a key that every system has
    size = -(-count // replicas)
    start = tf.minimum(replica * size, count - 1)
    end = tf.maximum(tf.minimum((replica + 1) * size, count), start + 1)
    counted = tf.maximum(tf.minimum((replica + 1) * size, count) - replica * size, 0)
    part = {key: value[start:end] for key, value in batch.items()}
    return part, tf.cast(counted, tf.float32) / tf.cast(count, tf.float32)
