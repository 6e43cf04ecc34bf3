"""The differentiable scene graph: the graph layer on what was proposed."""

from __future__ import annotations

from dsg.models.dsg.outputs import Detection, RegionFeatures
from dsg.nets.graph_layer import GraphFeatures, GraphLayer
from dsg.nets.layers import Block
from dsg.nets.pair_geometry import PairGeometry


class Graph(Block):
    """The differentiable scene graph of what was proposed; None in variants without one."""

    def __init__(self, layer: GraphLayer | None, geometry: PairGeometry | None) -> None:
        super().__init__()
        self._layer, self._geometry = layer, geometry

    def call(self, detection: Detection, regions: RegionFeatures) -> GraphFeatures | None:
        if self._layer is None:
            return None
        boxes, valid, nodes = detection.proposals.boxes, detection.proposals.valid, regions.nodes
        geometry = None if self._geometry is None else self._geometry(boxes, nodes.dtype)
        return self._layer(nodes, regions.pairs, regions.pair_index, valid, geometry)
