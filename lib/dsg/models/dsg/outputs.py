"""What each stage of the model returns: named tensors, made once and never written into from afar.

Shapes use the glossary of `dsg.pipeline.batch`; D is the width of node features, F that of edge features,
both with their four coordinates. Boxes are x1 y1 x2 y2 in pixels of the network's input. Entries of proposals
that only pad the batch are False in `Proposals.valid`; what stands in the other tensors there is finite and
means nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dsg.nets.outputs import Proposals, RpnOutputs, TrunkFeatures


class GraphFeatures(NamedTuple):
    """The graph layer's result and what led to it (paper, equations 1 and 2)."""

    phi: Any  # [B, N, N, P]: [i, j] is what node j says to node i
    phi_logits: Any  # [B, N, N, P or 1] before the softmax over j; None for a plain sum
    phi_weights: Any
    aggregated: Any  # [B, N, P]
    alpha: Any  # [B, N, P']
    alpha_logits: Any
    alpha_weights: Any  # attention of the graph to each node; None for a plain sum
    graph: Any  # [B, P']
    nodes: Any  # [B, N, D']: refined node features
    edges: Any  # [B, N, N, F']: refined edge features, None where RHO_RELATION is off


class LabelLogits(NamedTuple):
    """The labelled scene graph, decoded from features."""

    entities: Any  # [B, N, E]
    predicates: Any  # [B, N, N, R]: [i, j] for subject i and object j; None where it was not asked for


class RegionFeatures(NamedTuple):
    """Features of a set of boxes and of their pairs."""

    crops: Any  # [M, s, s, C]: valid boxes only, packed
    maps: Any  # [M, s, s, C']: crops after the head's convolutions
    nodes: Any  # [B, N, D]
    pair_crops: Any  # [P, s, s, C]: pairs i <= j of valid boxes only, packed; None without a graph
    pair_maps: Any
    pairs: Any  # [P, F]: edge features of the packed pairs
    pair_index: Any  # int32 [B, N, N]: row of the packed tensors that holds pair [i, j] (and [j, i])
    row: Any = None  # int32 [B, N]: row of crops and maps that holds box i


class Outputs(NamedTuple):
    """Everything the model computes for a batch; a branch that was not asked for is None."""

    trunk: TrunkFeatures
    rpn: RpnOutputs
    proposals: Proposals
    regions: RegionFeatures
    graph: GraphFeatures | None
    labels: LabelLogits | None
    role_logits: Any  # [B, Q, N, 4] of the graph's classifier
    box_deltas: Any  # [B, N, 4] of the refiner, in units of TRAIN.BBOX_NORMALIZE_STDS
    baseline_role_logits: Any  # [B, Q, N, 4] of the classifier on unrefined features
    baseline_box_deltas: Any  # [B, N, 4], likewise
    gt_regions: RegionFeatures | None  # of the ground-truth boxes, without coordinates; training only
    gt_labels: LabelLogits | None


class Predictions(NamedTuple):
    """The answer for each image: boxes and the probability of each role for each query."""

    boxes: Any  # [B, N, 4]: refined, clipped to the image (`dsg.boxes.transform.clip`)
    valid: Any  # bool [B, N]
    # [B, Q, N, 4]: background, subject, object, other; None where roles come from the labels (symbolic)
    role_probabilities: Any
    proposals: Any  # [B, N, 4]: before refinement
    entity_probabilities: Any  # [B, N, E]; None without label heads
    predicate_probabilities: Any  # [B, N, N, R]; None without label heads
    node_weights: (
        Any  # [B, N]: attention of the graph to each node, averaged over features; None without attention
    )
