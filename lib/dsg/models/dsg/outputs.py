"""What each stage of the model returns: named tensors, made once and never written into from afar.

Shapes use the glossary of `dsg.pipeline.batch`; D is the width of node features, F that of edge features,
both with their four coordinates. Boxes are x1 y1 x2 y2 in pixels of the network's input. Entries of proposals
that only pad the batch are False in `Proposals.valid`; what stands in the other tensors there is finite and
means nothing. A tensor that was not asked for is None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from dsg.nets.graph_layer import GraphFeatures
from dsg.nets.outputs import Proposals


class Detection(NamedTuple):
    """Feature maps, and the boxes that become the nodes of the graph."""

    image_size: tf.Tensor  # float32 [B, 2]
    trunk: Any  # `TrunkFeatures`, or `PyramidFeatures` of a pyramid
    rpn: Any  # `RpnOutputs`, or `PyramidRpnOutputs` of a pyramid
    proposals: Proposals

    @property
    def padded(self) -> bool:
        """Whether an image may be smaller than the batch: alone, it has no padding."""
        return self.image_size.shape[0] != 1


class RegionFeatures(NamedTuple):
    """Features of a set of boxes and of their pairs."""

    crops: tf.Tensor  # [M, s, s, C]: valid boxes only, packed
    maps: tf.Tensor  # [M, s, s, C']: crops after the head's convolutions
    nodes: tf.Tensor  # [B, N, D]
    row: tf.Tensor  # int32 [B, N]: row of crops and maps that holds box i
    pair_crops: tf.Tensor | None = None  # [P, s, s, C]: pairs i <= j of valid boxes only, packed
    pair_maps: tf.Tensor | None = None
    pairs: tf.Tensor | None = None  # [P, F]: edge features of the packed pairs
    pair_index: tf.Tensor | None = (
        None  # int32 [B, N, N]: row of the packed tensors for pair [i, j] and [j, i]
    )


class Regions(NamedTuple):
    """Features of what was proposed and, in training, of what is there."""

    proposals: RegionFeatures
    ground_truth: RegionFeatures | None  # without coordinates


class LabelLogits(NamedTuple):
    """The labelled scene graph, decoded from features."""

    entities: tf.Tensor  # [B, N, E]
    predicates: tf.Tensor | None  # [B, N, N, R]: [i, j] for subject i and object j


class HeadOutputs(NamedTuple):
    """What is read off the graph, and by the first stage off features that the graph has not refined."""

    labels: LabelLogits | None
    role_logits: tf.Tensor | None  # [B, Q, N, 4] of the graph's classifier
    box_deltas: tf.Tensor | None  # [B, N, 4] of the refiner, in units of TRAIN.BBOX_NORMALIZE_STDS
    first_stage_role_logits: tf.Tensor | None
    first_stage_box_deltas: tf.Tensor | None
    gt_labels: LabelLogits | None  # of the ground-truth boxes, training only


class Outputs(NamedTuple):
    """Everything that the model computes for a batch, stage by stage."""

    detection: Detection
    regions: Regions
    graph: GraphFeatures | None
    heads: HeadOutputs
