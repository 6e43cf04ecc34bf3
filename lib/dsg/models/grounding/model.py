"""The grounded model: a detector of two data sets, and the graph stage on it, which learns while the detector
stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from dsg.models.detector.outputs import FirstStage
from dsg.models.grounding.features import Maps, Reducer
from dsg.models.grounding.stage import GraphStage
from dsg.nets.backbones.fpn import STRIDES
from dsg.nets.layers import Weight, Weighted
from dsg.nets.masks import repeat_own_border, zero_padding
from dsg.nets.pyramid_roi import CROPPED

if TYPE_CHECKING:
    from dsg.models.grounding.joint import JointDetector


class GroundingModel(Weighted, tf.keras.Model):
    """The detector, alone or with the graph stage. With it, no weight of the detector is trained.

    Args:
        detector: of boxes and masks.
        graph: what reads its maps, boxes and masks.
        reducer: of the map, for nets of one map.
        transfer: float32 [M, V] variable, the one that `graph` was made with.
        stride: pixels of a cell of the map, for nets of one map.
    """

    def __init__(
        self,
        detector: JointDetector,
        graph: GraphStage | None = None,
        reducer: Reducer | None = None,
        transfer: Any = None,
        stride: int = 16,
    ) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.detector, self.graph, self.reducer, self.transfer = detector, graph, reducer, transfer
        self._stride = stride

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The detector's first stage."""
        return self.detector(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def maps(self, first: FirstStage) -> Maps:
        """What the graph stage crops from. What lies beside an image in a batch does not reach it."""
        size, padded = first.image_size, first.image_size.shape[0] != 1
        levels = [tf.cast(tf.stop_gradient(level), tf.float32) for level in first.maps[:CROPPED]]
        strides = STRIDES[:CROPPED]
        if self.reducer is not None:
            strides = (self._stride,)
            levels = [self.reducer(zero_padding(levels[0], size if padded else None, self._stride))]
        if padded:
            levels = [repeat_own_border(level, size, stride) for level, stride in zip(levels, strides)]
        return Maps(levels, [1.0 / stride for stride in strides])

    def fold(self) -> None:
        """Fold normalisation into kernels once: the model then only answers."""
        for part in (self.detector, self.reducer, self.graph):
            if part is not None:
                part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """Every weight by its stable name, in the order of the data flow. The detector's have the same names
        with and without the graph.
        """
        weights = self.detector.named_weights(prefix)
        if self.graph is None:
            return weights
        weights = {name: weight._replace(trained=False) for name, weight in weights.items()}
        if self.reducer is not None:
            weights.update(self.reducer.named_weights(f"{prefix}reducer/"))
        weights.update(self.graph.named_weights(f"{prefix}graph/"))
        weights[f"{prefix}transfer"] = Weight(self.transfer, False, "")
        return weights

    def regularised_names(self) -> list[str]:
        """Names of the variables under weight decay: with the graph, of those that are trained."""
        names = super().regularised_names()
        if self.graph is None:
            return names
        trained = set(self.trainable_names())
        return [name for name in names if name in trained]
