"""What a run trains, ready for its first step: weights, slots, averages, and the functions that use them."""

from __future__ import annotations

import logging
from typing import Generic

import tensorflow as tf

from dsg.config import Config
from dsg.datasets import Dataset
from dsg.engine.callbacks.average import WeightAverage
from dsg.engine.optimizers import build_optimizer
from dsg.engine.snapshots import Snapshot, restore
from dsg.engine.step import build_train_step
from dsg.engine.task import Check, M, R, Task, trained_variables

LOG = logging.getLogger("dsg")


class Learner(Generic[M, R]):
    """A model in training.

    Args:
        task: the system.
        config: TRAIN.*.
        training: what is learnt from.
        validation: what scores are taken on.
        strategy: where variables lie, and what divides the batches.
        saved: what to resume from; None for a new run, which starts from the task's initial weights.
        check: called now and then; raises to stop.

    Attributes:
        task: the system.
        variables: all of the model, by name.
        slots: what training needs besides, by name: of the optimiser, and averages.
        average: the averaged weights, with TRAIN.AVERAGE.
        examples: what an epoch is made of.
        images_per_step: examples of a step, of all devices together.
        steps_per_epoch: all of them, or TRAIN.STEPS_PER_EPOCH.
        step: makes a training step.
        validate: scores the model as it is.
    """

    def __init__(
        self,
        task: Task[M, R],
        config: Config,
        training: Dataset,
        validation: Dataset,
        strategy: tf.distribute.Strategy,
        saved: Snapshot | None,
        check: Check,
    ) -> None:
        if config.train.deterministic:
            tf.config.experimental.enable_op_determinism()
        with strategy.scope():
            model = task.build_model(training.vocabulary)
            trained = trained_variables(model)
            optimizer = build_optimizer(config, trained)
            decay = config.train.average
            self.average = WeightAverage(trained, decay) if decay else None
        self.task, self.variables = task, model.named_variables()
        self.slots = {**optimizer.named_slots(), **(self.average.named_slots() if self.average else {})}
        if saved is None:
            LOG.info("%s", task.initial_weights(model, training))
            if self.average:
                self.average.start()
        else:
            restore(saved, model, self.slots)
            epoch, step = saved.meta.epoch + 1, saved.meta.step
            LOG.info("resuming from %s: epoch %d, step %d", saved.path.name, epoch, step)
        task.prepare(model, (training, validation), check)
        self.validate = task.validator(model)
        self.examples = task.examples(training)
        self.images_per_step = config.train.ims_per_batch * strategy.num_replicas_in_sync
        steps, limit = self.examples.steps(self.images_per_step), config.train.steps_per_epoch
        self.steps_per_epoch = min(steps, limit) if limit else steps
        self.step = build_train_step(
            *(model, optimizer, config, strategy),
            losses_of=task.losses,
            spec=self.examples.spec,
            images=self.examples.images(self.images_per_step),
        )
