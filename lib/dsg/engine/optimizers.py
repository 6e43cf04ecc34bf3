"""SGD with momentum, Adam and RMSprop, with their slots in plain sight.

Our own, because the release's momentum is TensorFlow 1's (accumulator = momentum * accumulator + gradient;
value -= rate * accumulator), so that a changed rate acts at once; and because slots named after the
variables, such as `momentum/gpi/neighbour_mlp/0/kernel`, make a snapshot of one Keras load on another, where
the optimisers of Keras number theirs.

A gradient that is not finite spoils a slot for good, so `apply` takes a flag, decided on the device, that
leaves everything as it is.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from dsg.config import Config

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8
ADAM_SLOTS = ("first_moment", "second_moment")
RMSPROP_RHO = 0.9
RMSPROP_EPSILON = 1e-8


class Optimizer(tf.Module, abc.ABC):
    """Updates variables in place; works in `tf.function` and in a replica of a `tf.distribute` strategy.

    Create it in the scope of the strategy that the variables were made in.

    Args:
        variables: the variables to update by name, float32.
        slots: prefixes of the slots each variable has.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], slots: Sequence[str]) -> None:
        super().__init__()
        self._variables = dict(variables)
        self._slots = {
            prefix: {
                name: tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False, name="slot")
                for name, variable in self._variables.items()
            }
            for prefix in slots
        }

    def named_slots(self) -> dict[str, tf.Variable]:
        """What a snapshot keeps besides the model's variables, by name."""
        return {
            f"{prefix}/{name}": slot for prefix, slots in self._slots.items() for name, slot in slots.items()
        }

    def apply(self, gradients: Mapping[str, tf.Tensor], learning_rate: Any, finite: Any = True) -> None:
        """One step.

        Args:
            gradients: by name of variable, the same in every replica; a variable without one is left alone.
            learning_rate: float scalar.
            finite: bool scalar; False leaves variables and slots exactly as they are. Only then may gradients
                hold nan or infinite values.
        """
        names = [name for name in self._variables if name in gradients]
        dense = [tf.convert_to_tensor(gradients[name]) for name in names]
        finite = tf.convert_to_tensor(finite)
        clean = tf.cond(finite, lambda: dense, lambda: [tf.zeros_like(gradient) for gradient in dense])
        rate = tf.where(finite, tf.cast(learning_rate, tf.float32), 0.0)

        def update(strategy: Any, gradients: list[Any], rate: Any, finite: Any) -> None:
            # The same in every replica, so the first one's copy serves all.
            factors = self._begin_step(strategy, strategy.experimental_local_results(finite)[0])
            for name, gradient in zip(names, gradients):
                slots = [slots[name] for slots in self._slots.values()]
                strategy.extended.update(
                    self._variables[name], self._update_one, args=(gradient, rate, *factors, *slots)
                )

        replica = tf.distribute.get_replica_context()
        assert replica is not None, "apply belongs inside strategy.run"
        replica.merge_call(update, args=(list(clean), rate, finite))

    @abc.abstractmethod
    def _begin_step(self, strategy: Any, finite: Any) -> tuple[Any, ...]:
        """Scalars that all updates of a step share; with `finite` False they leave slots unchanged."""

    @staticmethod
    @abc.abstractmethod
    def _update_one(variable: Any, gradient: Any, rate: Any, *factors_and_slots: Any) -> None:
        """One variable's share of a step."""


class Momentum(Optimizer):
    """accumulator = momentum * accumulator + gradient; value -= rate * accumulator.

    Example:
        >>> variable = tf.Variable([1.0])
        >>> Momentum({"w": variable}, 0.9).apply({"w": tf.constant([2.0])}, learning_rate=0.25)
        >>> variable.numpy()
        array([0.5], dtype=float32)
    """

    def __init__(self, variables: Mapping[str, tf.Variable], momentum: float) -> None:
        super().__init__(variables, ("momentum",))
        self._momentum = momentum

    def _begin_step(self, strategy: Any, finite: Any) -> tuple[Any, ...]:
        return (tf.where(finite, self._momentum, 1.0),)

    @staticmethod
    def _update_one(variable: Any, gradient: Any, rate: Any, *factors_and_slots: Any) -> None:
        momentum, accumulator = factors_and_slots
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle, accum=accumulator.handle, lr=rate, grad=gradient, momentum=momentum
        )


class Adam(Optimizer):
    """Adam with bias correction; `adam/steps` counts the steps it corrects by."""

    def __init__(self, variables: Mapping[str, tf.Variable]) -> None:
        super().__init__(variables, ADAM_SLOTS)
        self._steps = tf.Variable(
            0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )

    def named_slots(self) -> dict[str, tf.Variable]:
        return {**super().named_slots(), "adam/steps": self._steps}

    def _begin_step(self, strategy: Any, finite: Any) -> tuple[Any, ...]:
        strategy.extended.update(self._steps, lambda steps: steps.assign_add(tf.cast(finite, tf.int64)))
        # Skipped steps before the first count 0, whose powers would make the correction divide by zero.
        count = tf.cast(tf.maximum(self._steps.read_value(), 1), tf.float32)
        betas = [tf.where(finite, beta, 1.0) for beta in ADAM_BETAS]
        return (*betas, *(tf.pow(beta, count) for beta in ADAM_BETAS))

    @staticmethod
    def _update_one(variable: Any, gradient: Any, rate: Any, *factors_and_slots: Any) -> None:
        beta1, beta2, power1, power2, first, second = factors_and_slots
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=power1,
            beta2_power=power2,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=ADAM_EPSILON,
            grad=gradient,
        )


class RMSprop(Optimizer):
    """mean = 0.9 mean + 0.1 gradient^2; value -= rate * gradient / (sqrt(mean) + 1e-8).

    As Keras 2.0 computes it, with which the baselines were published; TensorFlow's own operation adds epsilon
    inside the root.
    """

    def __init__(self, variables: Mapping[str, tf.Variable]) -> None:
        super().__init__(variables, ("mean_square",))

    def _begin_step(self, strategy: Any, finite: Any) -> tuple[Any, ...]:
        return (tf.where(finite, RMSPROP_RHO, 1.0),)

    @staticmethod
    def _update_one(variable: Any, gradient: Any, rate: Any, *factors_and_slots: Any) -> None:
        rho, mean = factors_and_slots
        updated = rho * mean.read_value() + (1.0 - rho) * tf.square(gradient)
        mean.assign(updated)
        variable.assign_sub(rate * gradient / (tf.sqrt(updated) + RMSPROP_EPSILON))


def build_optimizer(config: Config, variables: Mapping[str, tf.Variable]) -> Optimizer:
    """The optimiser that TRAIN.OPTIMIZER names, for `variables`."""
    if config.train.optimizer == "adam":
        return Adam(variables)
    if config.train.optimizer == "rmsprop":
        return RMSprop(variables)
    return Momentum(variables, config.train.momentum)


def double_bias(gradients: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The gradients with those of biases (names that end in `bias`) doubled, as Caffe's recipes do."""
    return {
        name: 2.0 * gradient if name.endswith("bias") else gradient for name, gradient in gradients.items()
    }


def clip_by_norm(gradients: Mapping[str, tf.Tensor], norm: Any, limit: float) -> dict[str, tf.Tensor]:
    """The gradients, whose global norm is `norm`, scaled down together where it exceeds `limit`."""
    scale = limit / tf.maximum(norm, limit)
    return {name: gradient * scale for name, gradient in gradients.items()}
