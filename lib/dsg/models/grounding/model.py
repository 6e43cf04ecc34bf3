"""The whole system: the joint detector and, on it, the graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.models.detector.outputs import FirstStage
from dsg.models.grounding.features import Maps
from dsg.models.grounding.joint import JointDetector
from dsg.nets.layers import Block, Weight, Weighted


class GroundingModel(Weighted, tf.keras.Model):
    """A joint detector, which learns by itself, or, with a graph, stays as it is while that learns.

    Args:
        detector: the first part.
        graph: the second stage (`GraphStage`), or None.
        reducer: brings a net's one map to the width that the graph reads, or None.
        transfer: float32 [M, V] variable that the graph was made with: a snapshot keeps it.
    """

    def __init__(
        self, detector: JointDetector, graph: Any = None, reducer: Block | None = None, transfer: Any = None
    ) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.detector, self.reducer, self.graph, self.transfer = detector, reducer, graph, transfer

    def maps(self, first: FirstStage) -> Maps:
        """What the graph crops from. No gradient reaches the detector."""
        first = first._replace(maps=[tf.cast(tf.stop_gradient(level), tf.float32) for level in first.maps])
        return self.detector.maps(first, self.reducer)

    def fold(self) -> None:
        """Fold normalisation into kernels once: the model then only answers."""
        for part in (self.detector, self.reducer, self.graph):
            if part is not None:
                part.fold()

    def named_weights(self, prefix: str = "") -> dict[str, Weight]:
        """Every weight by its stable name; those of the detector are the same with and without a graph."""
        weights = self.detector.named_weights(prefix)
        if self.graph is None:
            return weights
        weights = {name: weight._replace(trained=False) for name, weight in weights.items()}
        for name, part in (("reducer", self.reducer), ("graph", self.graph)):
            if part is not None:
                weights.update(part.named_weights(f"{prefix}{name}/"))
        weights[f"{prefix}transfer"] = Weight(self.transfer, False, "")
        return weights

    def regularised_names(self) -> list[str]:
        """Names of the variables under weight decay; with a graph, of those that are trained."""
        names = super().regularised_names()
        if self.graph is None:
            return names
        trained = set(self.trainable_names())
        return [name for name in names if name in trained]
