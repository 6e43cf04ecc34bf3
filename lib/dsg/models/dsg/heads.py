"""The heads: what is read off the graph and, by the first stage, off features that the graph has not refined.

A head that nothing reads (`dsg.models.dsg.parts`) does not exist; its field of `HeadOutputs` is None.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from dsg.models.dsg.outputs import Detection, HeadOutputs, LabelLogits, RegionFeatures, Regions
from dsg.nets.graph_layer import GraphFeatures
from dsg.nets.layers import Block
from dsg.nets.roi import surroundings


class Heads(Block):
    """Roles, boxes and labels.

    Args:
        parts: the model's, by name.
        classifier_weight: what the role classifier counts in answers beside the matching read-out.
        fine_size: cells a side of the surroundings that box refiners see.
        fine_stride: of the map that these are cropped from.
    """

    def __init__(
        self, parts: Mapping[str, Block], *, classifier_weight: float, fine_size: int, fine_stride: int
    ) -> None:
        super().__init__()
        self._labels, self._gt_labels = parts.get("labels"), parts.get("gt_labels")
        self._role_classifier, self._matching = parts.get("role_classifier"), parts.get("matching")
        self._query_attention = parts.get("query_attention")
        self._box_refiner = parts.get("box_refiner")
        self._first_stage_roles = parts.get("role_baseline")  # as snapshots call it
        self._first_stage_boxes = parts.get("box_baseline")
        self._classifier_weight = classifier_weight
        self._fine_size, self._fine_stride = fine_size, fine_stride

    def call(
        self,
        detection: Detection,
        regions: Regions,
        graph: GraphFeatures | None,
        queries: tf.Tensor,
        training: bool,
    ) -> HeadOutputs:
        found, truth, valid = regions.proposals, regions.ground_truth, detection.proposals.valid
        seen = (found.maps, found.row, self._around(detection))
        labels = role_logits = box_deltas = gt_labels = None
        if graph is not None:
            labels = _read(
                self._labels, *_edges(found), graph.nodes, graph.graph, graph.edges, graph.geometry
            )
            role_logits = self._roles(found, graph, labels, valid, queries, training)
            box_deltas = _read(self._box_refiner, graph.nodes, *seen)
        if truth is not None:
            gt_labels = _read(self._gt_labels, *_edges(truth))
        return HeadOutputs(
            labels=labels,
            role_logits=role_logits,
            box_deltas=box_deltas,
            first_stage_role_logits=_read(self._first_stage_roles, found.nodes, queries),
            first_stage_box_deltas=_read(self._first_stage_boxes, found.nodes, *seen),
            gt_labels=gt_labels,
        )

    def _roles(
        self,
        regions: RegionFeatures,
        graph: GraphFeatures,
        labels: LabelLogits | None,
        valid: tf.Tensor,
        queries: tf.Tensor,
        training: bool,
    ) -> tf.Tensor | None:
        if self._role_classifier is None:
            return None
        logits = self._role_classifier(graph.nodes, queries)
        if self._query_attention is not None:
            logits += self._query_attention(*_edges(regions), graph.geometry, valid, queries)
        if self._matching is not None:
            weight = 1.0 if training else self._classifier_weight
            logits = weight * logits + self._matching(labels, queries, valid)
        return logits

    def _around(self, detection: Detection) -> tf.Tensor | None:
        """What lies in and around each box, on the map that forgot least; None if no refiner sees it."""
        refiners = (self._box_refiner, self._first_stage_boxes)
        if not any(refiner is not None and refiner.with_fine for refiner in refiners):
            return None
        return surroundings(
            detection.trunk.block1,
            detection.proposals.boxes,
            detection.proposals.valid,
            self._fine_size,
            image_size=detection.image_size,
            stride=self._fine_stride,
            padded=detection.padded,
        )


def _read(head: Block | None, *inputs: object) -> tf.Tensor | None:
    """What a head says, None if there is no such head."""
    return None if head is None else head(*inputs)


def _edges(regions: RegionFeatures) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]:
    return regions.nodes, regions.pairs, regions.pair_index
