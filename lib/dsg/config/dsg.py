"""Options of the system DSG: regions, graph, classifiers, losses, and its variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsg.config.option import COUNT, NOT_NEGATIVE, SHARE, Range, option


@dataclass(frozen=True)
class DsgOptions:
    """What gives the answers, and what it sees."""

    variant: str = option(
        "dsg",
        "Full model (dsg); detector and classifier without a graph (no_dsg); scene graph and symbolic "
        "matching (two_step); full model without labels (dsg_sgl); full model with boxes refined without "
        "the graph (dsg_br).",
        ("dsg", "no_dsg", "two_step", "dsg_sgl", "dsg_br"),
    )
    relation_pooling_size: int = option(
        1,
        "Cells per side of a relation's crop; 1: the union box's centre (paper: 7; on a feature pyramid "
        "always 7).",
        within=COUNT,
    )
    refiner_channels: int = option(
        0,
        "Channels through which the box refiner also sees the cells of a box's crop (0: node features only, "
        "as in the release).",
        within=NOT_NEGATIVE,
    )
    refiner_fine: int = option(
        0,
        "Channels through which the box refiner sees a box and its surroundings on the finer map of the "
        "first block (0: not at all, as in the release).",
        within=NOT_NEGATIVE,
    )
    box_source: str = option(
        "dsg",
        "Source of the boxes: the graph, the features, or the detector.",
        ("dsg", "feature", "rpn"),
    )
    rr_source: str = option(
        "dsg",
        "Source of the roles: the classifier on the graph, the classifier on the features, or matching the "
        "labelled graph with the query.",
        ("dsg", "feature", "symbolic"),
    )
    aux_first_stage: bool = option(
        True,
        "Also learn roles from the unrefined features, and labels of the ground-truth boxes (paper: "
        "neither); False overrides LOSS.RR_BASELINE, LOSS.GT_ENTITY and LOSS.GT_PREDICATE.",
    )

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph layer: boxes or roles come from it, or from the labels read off it."""
        return self.box_source == "dsg" or self.rr_source != "feature"


@dataclass(frozen=True)
class NodesConfig:
    """With a feature pyramid (BACKBONE res50_fpn and others): which boxes become the nodes of the graph.

    At most TRAIN.RPN_POST_NMS_TOP_N of an image do.
    """

    source: str = option(
        "proposals",
        "Proposals as the region proposal network gives them, or the detector's own boxes (detections): "
        "proposals refined and scored for each of its classes, and suppressed class by class. Detections "
        "need TRAIN.FREEZE_DETECTOR True.",
        ("proposals", "detections"),
    )
    classes: int = option(
        91,
        "With detections: classes of the detector, the background included (91: torchvision's, trained on "
        "COCO).",
        within=Range(2),
    )
    proposals: int = option(300, "With detections: proposals that are refined.", within=COUNT)
    rpn_nms_thresh: float = option(
        0.7,
        "With detections: IoU above which a better proposal drops another, in place of TRAIN.RPN_NMS_THRESH.",
        within=SHARE,
    )
    min_score: float = option(0.05, "With detections: score that a detection exceeds.", within=SHARE)
    nms_thresh: float = option(
        0.5,
        "With detections: IoU above which a better detection of the same class drops another.",
        within=SHARE,
    )


@dataclass(frozen=True)
class HeadConfig:
    """From crops of the feature map to entity and relation features."""

    dim: int = option(
        512, "Width of entity and relation features without their four coordinates.", within=COUNT
    )
    channels: int = option(256, "Channels inside the heads of the small nets (mini, res18).", within=COUNT)
    relation_channels: int = option(128, "Channels inside the relation head of the small nets.", within=COUNT)
    box_head: str = option(
        "copies",
        "On a feature pyramid, what reads the crops of entities and of pairs before HEAD.DIM: a copy each of "
        "the detector's box head, which starts from its weights and is trained, or the detector's box head "
        "itself (shared), which TRAIN.FREEZE_DETECTOR freezes.",
        ("copies", "shared"),
    )


@dataclass(frozen=True)
class GpiConfig:
    """The graph-permutation-invariant layer (paper, equations 1 and 2)."""

    aggregation: str = option(
        "feature_attention",
        "How neighbours are summed: attention per feature, one weight per neighbour, or a plain sum.",
        ("feature_attention", "neighbour_attention", "sum"),
    )
    attention: str = option(
        "softmax",
        "How attention logits become weights; sparsemax gives most neighbours a weight of zero (needs "
        "tensorflow-addons).",
        ("softmax", "sparsemax"),
    )
    geometry: int = option(
        0,
        "Width of an embedding of the two boxes' relative position and size, which each pair has in "
        "addition to its union box (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    hidden: int = option(516, "Width of the hidden layers (paper: 512).", within=COUNT)
    hidden_layers: int = option(
        2,
        "Hidden layers of each network (1 gives the paper's number of weights: two layers including the "
        "output).",
        within=COUNT,
    )
    attention_hidden: int = option(
        1024,
        "Width of the hidden layer that computes the weight in neighbour_attention (0: none, linear).",
        within=NOT_NEGATIVE,
    )
    phi: int = option(1024, "Width of phi's output (paper: 512).", within=COUNT)
    alpha: int = option(1024, "Width of alpha's output (paper: 512).", within=COUNT)
    rho: int = option(1024, "Width of the refined node features.", within=COUNT)
    self_edge: bool = option(True, "A node is one of its own neighbours (paper: no).")
    rho_neighbours: bool = option(True, "rho also sees the sum over neighbours (paper: node and graph only).")
    rho_relation: bool = option(False, "Also refine relation features (paper: yes).")
    unused_gate: bool = option(
        True,
        "Keep the release's forget gate, which is not used but is in its checkpoint and its weight decay.",
    )


@dataclass(frozen=True)
class RrConfig:
    """The referring-relationship classifier."""

    hidden: tuple[int, ...] = option((500,), "Hidden layers (paper: two of 512).", within=COUNT)
    loss: str = option(
        "released",
        "Reweighted and normalised cross-entropy (released), or a plain sum of cross-entropies.",
        ("released", "sum"),
    )
    query_attention: int = option(
        0,
        "Width of an attention over a box's neighbours that the query steers; its output is another input of "
        "the classifier (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    matching: bool = option(
        False,
        "Add a matching head to the role classifier, which scores how well a box, its best partner and their "
        "relation, as labelled by the graph, match the query.",
    )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms; VARIANT sets some of them, an explicit value wins."""

    rpn_class: float = option(1.0, "Region proposal network: object or not.", within=NOT_NEGATIVE)
    rpn_box: float = option(1.0, "Region proposal network: boxes.", within=NOT_NEGATIVE)
    box: float = option(1.0, "Box refiner; of the detector: boxes of regions.", within=NOT_NEGATIVE)
    region_class: float = option(1.0, "Detector: classes of regions.", within=NOT_NEGATIVE)
    mask: float = option(1.0, "Detector: masks of regions.", within=NOT_NEGATIVE)
    relation: float = option(1.0, "Grounding: predicates of pairs.", within=NOT_NEGATIVE)
    object: float = option(1.0, "Grounding: labels of objects.", within=NOT_NEGATIVE)
    refined: float = option(1.0, "Grounding: refined masks.", within=NOT_NEGATIVE)
    related: float = option(1.0, "Grounding, vctree: are two objects related.", within=NOT_NEGATIVE)
    rr: float = option(0.1, "Referring-relationship classifier on the graph.", within=NOT_NEGATIVE)
    rr_baseline: float = option(
        0.1,
        "Referring-relationship classifier on the unrefined features (whose loss is itself halved).",
        within=NOT_NEGATIVE,
    )
    entity: float = option(0.01, "Entity labels of the proposals.", within=NOT_NEGATIVE)
    predicate: float = option(0.01, "Relation labels of pairs of proposals.", within=NOT_NEGATIVE)
    gt_entity: float = option(0.01, "Entity labels of the ground-truth boxes.", within=NOT_NEGATIVE)
    gt_predicate: float = option(0.01, "Relation labels of pairs of ground-truth boxes.", within=NOT_NEGATIVE)
    regularization: float = option(0.01, "Weight decay, on top of TRAIN.WEIGHT_DECAY.", within=NOT_NEGATIVE)
    box_kind: str = option(
        "smooth_l1",
        "Loss of the box refiner: smooth L1 of its deltas, or generalised IoU of its boxes (needs "
        "tensorflow-addons).",
        ("smooth_l1", "giou"),
    )
    labels: str = option(
        "sum", "Label losses are summed over boxes and pairs (release) or averaged.", ("sum", "mean")
    )


# What a variant sets (rr_source says what answers; a weight of 0 leaves a branch unbuilt).
VARIANTS: dict[str, dict[str, Any]] = {
    "dsg": {},
    "no_dsg": {
        "BOX_SOURCE": "rpn",
        "RR_SOURCE": "feature",
        "LOSS.BOX": 0.0,
        "LOSS.RR": 0.0,
        "LOSS.RR_BASELINE": 0.2,
        "LOSS.ENTITY": 0.0,
        "LOSS.PREDICATE": 0.0,
        "LOSS.GT_ENTITY": 0.0,
        "LOSS.GT_PREDICATE": 0.0,
    },
    "two_step": {
        "RR_SOURCE": "symbolic",
        "RR.MATCHING": False,
        "LOSS.RR": 0.0,
        "LOSS.RR_BASELINE": 0.0,
    },
    "dsg_sgl": {
        "RR.MATCHING": False,
        "LOSS.RR": 0.2,
        "LOSS.RR_BASELINE": 0.2,
        "LOSS.ENTITY": 0.0,
        "LOSS.PREDICATE": 0.0,
        "LOSS.GT_ENTITY": 0.0,
        "LOSS.GT_PREDICATE": 0.0,
    },
    "dsg_br": {"BOX_SOURCE": "feature"},
}
# What AUX_FIRST_STAGE switches off; where the features' own classifier answers, it is no auxiliary.
AUXILIARY = ("LOSS.RR_BASELINE", "LOSS.GT_ENTITY", "LOSS.GT_PREDICATE")
