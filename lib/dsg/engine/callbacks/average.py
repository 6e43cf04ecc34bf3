"""Averaged weights: a running mean of the weights over the last steps, which answers better than the weights
of any one step.

    average += (1 - decay) * (weights - average)        after every step that was taken

The decay starts low, so that the first weights are soon forgotten: min(decay, (1 + steps) / (10 + steps)).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from dsg.engine.callbacks.callback import Callback, Step
from dsg.engine.state import TrainState


class WeightAverage(Callback):
    """The average of `variables`; create it in the scope of their strategy, with their initial values set or
    about to be restored together with `named_slots`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], decay: float) -> None:
        self._variables = dict(variables)
        self._averages = {
            name: tf.Variable(tf.convert_to_tensor(variable), trainable=False, name="average")
            for name, variable in self._variables.items()
        }
        self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._decay = decay
        self._update = tf.function(self._update_all, autograph=False)

    def named_slots(self) -> dict[str, tf.Variable]:
        """What a snapshot keeps of it, by name."""
        averages = {f"average/{name}": average for name, average in self._averages.items()}
        return {**averages, "average/steps": self._steps}

    def on_step_end(self, state: TrainState, step: Step) -> None:
        if step.report.finite:
            self.update()

    def during_validation(self) -> contextlib.AbstractContextManager[None]:
        return self.in_place()

    def start(self) -> None:
        """Begin at the variables' present values."""
        for name, variable in self._variables.items():
            self._averages[name].assign(tf.convert_to_tensor(variable))

    def update(self) -> None:
        """After a step that changed the variables."""
        self._update()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the variables hold their averages."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _update_all(self) -> None:
        steps = tf.cast(self._steps, tf.float32)
        rest = 1.0 - tf.minimum(self._decay, (1.0 + steps) / (10.0 + steps))
        for name, variable in self._variables.items():
            average = self._averages[name]
            average.assign_add(rest * (tf.convert_to_tensor(variable) - tf.convert_to_tensor(average)))
        self._steps.assign_add(1)

    def _exchange(self) -> None:
        for name, variable in self._variables.items():
            average = self._averages[name]
            value = tf.identity(tf.convert_to_tensor(variable))
            variable.assign(tf.convert_to_tensor(average))
            average.assign(value)
