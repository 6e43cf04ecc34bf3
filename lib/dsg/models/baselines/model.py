"""A baseline as a Keras model: features, a head, and the two maps that are its answer.

`Batch` keys are those of `dsg.models.baselines.samples`. Letters as in `attention`; a map is flat, L * L =
196 cells.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.config import Config
from dsg.errors import UserError
from dsg.models.baselines.attention import flatten_maps
from dsg.models.baselines.features import make_features
from dsg.models.baselines.heads import Attention, make_head
from dsg.models.baselines.losses import cross_entropy
from dsg.nets.initial import seed_initial_values
from dsg.nets.layers import Block, Conv, Weight, Weighted

Batch = dict[str, tf.Tensor]


class MapAnswers(NamedTuple):
    """The answer to every query: float32 [B, Q, L * L] in [0, 1), and its losses [B, Q]."""

    subject: Any
    object: Any
    subject_loss: Any
    object_loss: Any


class Baseline(Weighted, tf.keras.Model):
    """One of ss, co, vrd and ssas; build it with `build_baseline`."""

    def __init__(self, config: Config, num_entities: int, num_predicates: int) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.config = config
        options = config.baseline
        self.features = make_features(options.features)
        if not options.finetune_cnn:
            self.features.freeze()
        channels = self.features.channels
        hidden = options.hidden or channels
        self.convolutions = _Convolutions(channels, hidden, options.convolutions)
        if hidden != channels and not options.convolutions:
            raise UserError(
                f"BASELINE.HIDDEN {hidden}: attention multiplies it with the {channels} channels of "
                f"{options.features}; set it to {channels} or 0, or BASELINE.CONVOLUTIONS to 1"
            )
        self.head = make_head(config.model, options, hidden, num_entities, num_predicates)

    def call(self, batch: Batch, training: bool = False) -> Attention:
        """Attention of every iteration, from `features` of the batch where they are kept, else from
        `image`.
        """
        options = self.config.baseline
        if "features" in batch:
            features = batch["features"]
        else:
            features = self.features(batch["image"], training and options.finetune_cnn)
            if not options.finetune_cnn:
                features = tf.stop_gradient(features)
        if training and options.dropout:
            seed = batch["seed"][
                0
            ]  # of the batch, so that a resumed run drops what an uninterrupted one does
            kept = tf.random.stateless_uniform(tf.shape(features), seed) >= options.dropout
            features = tf.where(kept, features / (1.0 - options.dropout), 0.0)
        return self.head(self.convolutions(features), batch["queries"])

    def answer(self, attention: Attention) -> tuple[tf.Tensor, tf.Tensor]:
        """Subject and object maps, float32 [B, Q, L * L] each."""
        subject, object_ = (self._map(maps) for maps in attention)
        return subject, object_

    def losses_of(self, attention: Attention, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Subject and object loss of each query, float32 [B, Q] each."""
        options = self.config.baseline
        targets = (batch["subject_maps"], batch["object_maps"])
        if self.config.model == "ssas" and options.internal == "loss":
            weights = discounted(options.discount, options.iterations)
            subject, object_ = (
                tf.add_n(
                    [
                        weight * cross_entropy(target, tf.tanh(flatten_maps(one)), options.positive_weight)
                        for weight, one in zip(weights, maps)
                    ]
                )
                for maps, target in zip(attention, targets)
            )
        else:
            subject, object_ = (
                cross_entropy(target, found, options.positive_weight)
                for found, target in zip(self.answer(attention), targets)
            )
        return subject, object_

    def training_losses(self, batch: Batch) -> dict[str, tf.Tensor]:
        """`subject` and `object`, means over the queries, and `total`, their sum."""
        subject, object_ = self.losses_of(self(batch, training=True), batch)
        valid = tf.cast(batch["query_valid"], tf.float32)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        terms = [tf.reduce_sum(loss * valid) / count for loss in (subject, object_)]
        return {"subject": terms[0], "object": terms[1], "total": terms[0] + terms[1]}

    def predict_maps(self, batch: Batch) -> MapAnswers:
        """Maps and losses of a batch with targets."""
        attention = self(batch, training=False)
        return MapAnswers(*self.answer(attention), *self.losses_of(attention, batch))

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """In the order of the data flow; neither statistics nor features that are kept are trained."""
        return {
            **self.features.named_weights(f"{prefix}features/"),
            **self.convolutions.named_weights(f"{prefix}convolutions/"),
            **self.head.named_weights(f"{prefix}head/"),
        }

    def _map(self, maps: list[tf.Tensor]) -> tf.Tensor:
        """The answer of one role, from its maps."""
        options = self.config.baseline
        last = maps[-1]
        if self.config.model == "ssas" and options.internal == "ensemble":
            # The weights have the sum 1, and the mean over T + 1 comes on top: the release's, kept.
            weights = discounted(options.discount, options.iterations)
            last = tf.add_n([weight * one for weight, one in zip(weights, maps)]) / len(maps)
        return tf.tanh(flatten_maps(last))


class _Convolutions(Block):
    """1x1 convolutions with ReLU between features and attention; none in the published runs."""

    def __init__(self, cin: int, cout: int, count: int) -> None:
        super().__init__()
        self.layers = [Conv(cin if number == 0 else cout, cout, relu=True) for number in range(count)]

    def call(self, x: tf.Tensor) -> tf.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def discounted(discount: float, iterations: int) -> list[float]:
    """Weights of the maps 0..T: discount^t over their sum.

    Example:
        >>> discounted(2.0, 1)
        [0.3333333333333333, 0.6666666666666666]
    """
    powers = [float(discount) ** step for step in range(iterations + 1)]
    return [power / sum(powers) for power in powers]


def build_baseline(config: Config, num_entities: int, num_predicates: int) -> Baseline:
    """The baseline that `config` describes, its variables drawn from RNG_SEED.

    Raises:
        UserError: options do not fit together.
    """
    check_options(config)
    seed_initial_values(config.rng_seed)
    return Baseline(config, num_entities, num_predicates)


def check_options(config: Config) -> None:
    """Refuse values that are right one by one but give no model together."""
    options = config.baseline
    if options.unknown_test != "none" and not options.unknown_rate:
        raise UserError(
            f"BASELINE.UNKNOWN_TEST {options.unknown_test} needs a model that was trained with "
            "BASELINE.UNKNOWN_RATE"
        )
    if (config.train.precision, config.test.precision) != ("float32", "float32"):
        raise UserError(
            f"{config.model} computes in float32: leave TRAIN.PRECISION and TEST.PRECISION at their default"
        )
