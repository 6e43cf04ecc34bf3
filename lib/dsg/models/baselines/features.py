"""What the baselines see of an image: 224 x 224 pixels become 14 x 14 cells of features.

Either Keras' ResNet-50 up to the last block of its fourth stage, or a trunk of ours at stride 16. Each
subtracts the means that it was trained with, so that images travel as 8 bit numbers.
"""

from __future__ import annotations

import abc
import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dsg.config import Config, from_values
from dsg.engine.snapshots import assign, load_snapshot
from dsg.errors import UserError
from dsg.metrics.raster import MAP_SIZE
from dsg.models.baselines.samples import IMAGE_SIZE
from dsg.models.weight_choice import NO_WEIGHTS, kept_weights
from dsg.models.weights import load_initial_weights
from dsg.nets.backbones import BACKBONES
from dsg.nets.layers import Block, Weight
from dsg.runtime.arrays import DAMAGE, reason_of

KERAS_LAYER = "conv4_block6_out"  # `activation_40` of Keras 2.0
KERAS_MEANS = (103.939, 116.779, 123.68)  # of B, G and R: Keras' caffe preprocessing
HDF5 = (".h5", ".hdf5")


class Features(Block, abc.ABC):
    """uint8 images [B, 224, 224, 3] in B, G, R order -> float32 features [B, 14, 14, `channels`]."""

    channels: int

    def __init__(self, means: tuple[float, float, float]) -> None:
        super().__init__()
        self._means = tf.constant(means, tf.float32)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        features = self.see(tf.cast(images, tf.float32) - self._means, training)
        return tf.ensure_shape(features, [None, MAP_SIZE, MAP_SIZE, self.channels])

    @abc.abstractmethod
    def see(self, pixels: tf.Tensor, training: bool) -> tf.Tensor:
        """The same for float32 images from which the means are subtracted."""

    @abc.abstractmethod
    def load(self, config: Config) -> Any:
        """Fill the weights as WEIGHTS says; a report for the log."""


class TrunkFeatures(Features):
    """The map at stride 16 of the trunk of `res18` or `mini`."""

    def __init__(self, kind: str) -> None:
        backbone = BACKBONES[kind]
        super().__init__(backbone.means)
        self.trunk = backbone.trunk(16, 0)
        self.channels = self.trunk.channels
        self._kind = kind

    def see(self, pixels: tf.Tensor, training: bool) -> tf.Tensor:
        return self.trunk(pixels).features

    def load(self, config: Config) -> Any:
        given = config.weights and config.weights.lower() != NO_WEIGHTS
        own = dataclasses.replace(config, backbone=self._kind, pixel_means=BACKBONES[self._kind].means)
        if given and (kept_weights(own) is None or _is_snapshot(Path(config.weights))):
            return self._load_snapshot(Path(config.weights))
        return load_initial_weights(self, own)

    def _load_snapshot(self, path: Path) -> str:
        """Take the trunk of a snapshot of the net whose trunk this is."""
        snapshot = load_snapshot(path)
        expected = BACKBONES[self._kind].means
        means = from_values({"PIXEL_MEANS": snapshot.meta.config.get("PIXEL_MEANS", expected)}).pixel_means
        same = len(means) == len(expected) and np.allclose(means, expected)
        if snapshot.meta.net != self._kind or not same:
            raise UserError(
                f"{path}: a snapshot of {snapshot.meta.net}, PIXEL_MEANS {list(means)}; BASELINE.FEATURES "
                f"{self._kind} takes one of {self._kind} with {list(expected)}"
            )
        wanted = self.named_variables()
        saved = {name: value for name, value in snapshot.variables.items() if name in wanted}
        assign(path, "variables", saved, wanted)
        return f"{path}: {len(wanted)} variables of the trunk"


class KerasFeatures(Features):
    """`tf.keras.applications.ResNet50` up to `conv4_block6_out`."""

    channels = 1024

    def __init__(self) -> None:
        super().__init__(KERAS_MEANS)
        self.cnn = _keras_resnet(None)

    def see(self, pixels: tf.Tensor, training: bool) -> tf.Tensor:
        return self.cnn(pixels, training=training)

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """By Keras' names of layers and weights, such as `conv1_conv/kernel`, which no version has
        changed.
        """
        return {
            f"{prefix}{name}": Weight(variable, variable.trainable and not self._frozen, "")
            for name, variable in _keras_variables(self.cnn).items()
        }

    def load(self, config: Config) -> str:
        weights = config.weights or "imagenet"
        if weights.lower() == NO_WEIGHTS:
            return "resnet50 starts from random weights"
        if weights != "imagenet" and not Path(weights).is_file():
            raise UserError(
                f"{weights}: no such file of weights; leave WEIGHTS out to fetch Keras' ImageNet weights"
            )
        # No HDF5 file, or one of another model; where Keras cannot fetch, it raises a bare Exception.
        expected = (Exception,) if weights == "imagenet" else DAMAGE
        try:
            if (
                weights != "imagenet" and Path(weights).suffix not in HDF5
            ):  # to Keras, a TensorFlow checkpoint
                raise ValueError("no .h5 file")
            given = _keras_variables(_keras_resnet(weights))
        except expected as error:
            raise UserError(
                f"weights of ResNet-50 ({weights}): {reason_of(error)}; give WEIGHTS the file "
                "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 of Keras, or none"
            ) from error
        for name, variable in _keras_variables(self.cnn).items():
            variable.assign(given[name])
        return f"ResNet-50 up to {KERAS_LAYER}: {weights}, {len(given)} variables"


def make_features(kind: str) -> Features:
    """What BASELINE.FEATURES names."""
    return KerasFeatures() if kind == "resnet50" else TrunkFeatures(kind)


def _keras_resnet(weights: str | None) -> Any:
    whole = tf.keras.applications.ResNet50(
        include_top=False, weights=weights, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )
    return tf.keras.Model(whole.inputs[0], whole.get_layer(KERAS_LAYER).output)


def _keras_variables(model: Any) -> dict[str, tf.Variable]:
    """Every weight of a Keras model as `<layer>/<weight>`."""
    found: dict[str, tf.Variable] = {}
    for layer in model.layers:
        for weight in layer.weights:
            variable = (
                weight if isinstance(weight, tf.Variable) else weight.value
            )  # Keras 3 wraps TensorFlow's
            leaf = str(weight.name).rsplit("/", 1)[-1].split(":")[0]
            found[f"{layer.name}/{leaf}"] = variable
    return found


def _is_snapshot(path: Path) -> bool:
    """Whether a file is a snapshot of a training run; other archives hold ImageNet weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "meta.npy" in archive.namelist()
    except DAMAGE:
        return False
