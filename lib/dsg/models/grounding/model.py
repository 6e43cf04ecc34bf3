"""The whole system: the joint detector and, on it, the graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dsg.models.grounding.joint import JointDetector
from dsg.nets.layers import Block, Weight, Weighted


class GroundingModel(Weighted, tf.keras.Model):
    """A joint detector, which learns by itself, or, with a graph, stays as it is while that learns.

    Args:
        detector: the first part.
        graph: the second stage, or None.
        reducer: brings a net's one map to the width that the graph reads, or None.
    """

    def __init__(self, detector: JointDetector, graph: Any = None, reducer: Block | None = None) -> None:
        super().__init__()
        self.built = True  # every variable exists already
        self.detector, self.reducer, self.graph = detector, reducer, graph

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
        return weights
