"""Options of the system DSG: regions, graph, classifiers, losses, and its variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsg.config.option import COUNT, NOT_NEGATIVE, option


@dataclass(frozen=True)
class DsgOptions:
    """What answers, and what it sees."""

    variant: str = option(
        "dsg",
        "Full model; detector and classifier without a graph; scene graph and symbolic matching; full model "
        "without labels; full model whose boxes are refined without the graph.",
        ("dsg", "no_dsg", "two_step", "dsg_sgl", "dsg_br"),
    )
    relation_pooling_size: int = option(
        1, "Cells a side of a relation's crop; 1: the union box's centre (paper: 7).", within=COUNT
    )
    refiner_channels: int = option(
        0,
        "Channels through which the box refiner also sees each cell of a box's crop (0: none, it sees node "
        "features only, as in the release).",
        within=NOT_NEGATIVE,
    )
    refiner_fine: int = option(
        0,
        "Channels through which the box refiner sees a box and what is around it on the finer map of the "
        "first block (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    box_source: str = option(
        "dsg",
        "Boxes come from the graph, from the features, or from the detector.",
        ("dsg", "feature", "rpn"),
    )
    rr_source: str = option(
        "dsg",
        "Roles come from the graph's classifier, from that on the features, or from matching the labelled "
        "graph with the query.",
        ("dsg", "feature", "symbolic"),
    )
    aux_first_stage: bool = option(
        True,
        "Besides, learn roles from the unrefined features and labels of the ground-truth boxes (paper: "
        "neither); False beats LOSS.RR_BASELINE, LOSS.GT_ENTITY and LOSS.GT_PREDICATE.",
    )

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph layer: boxes or roles come from it, or from the labels read off it."""
        return self.box_source == "dsg" or self.rr_source != "feature"


@dataclass(frozen=True)
class HeadConfig:
    """From crops of the feature map to entity and relation features."""

    dim: int = option(
        512, "Width of entity and relation features, without their four coordinates.", within=COUNT
    )
    channels: int = option(256, "Channels inside the heads of the small nets (mini, res18).", within=COUNT)
    relation_channels: int = option(128, "Channels inside their relation head.", within=COUNT)


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
        "What makes weights of the attention's logits; sparsemax gives most neighbours none (needs "
        "tensorflow-addons).",
        ("softmax", "sparsemax"),
    )
    geometry: int = option(
        0,
        "Width of an embedding of both boxes' relative place and size that every pair carries besides its "
        "union box (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    hidden: int = option(516, "Width of the hidden layers (paper: 512).", within=COUNT)
    hidden_layers: int = option(
        2,
        "Hidden layers of each network (1 gives the paper's number of weights: two layers with the output).",
        within=COUNT,
    )
    attention_hidden: int = option(
        1024,
        "Width of the hidden layer behind the one weight of neighbour_attention (0: none, it is linear).",
        within=NOT_NEGATIVE,
    )
    phi: int = option(1024, "Width of phi's output (paper: 512).", within=COUNT)
    alpha: int = option(1024, "Width of alpha's output (paper: 512).", within=COUNT)
    rho: int = option(1024, "Width of the refined node features.", within=COUNT)
    self_edge: bool = option(True, "A node is among its own neighbours (paper: it is not).")
    rho_neighbours: bool = option(True, "rho sees the sum over neighbours, too (paper: node and graph only).")
    rho_relation: bool = option(False, "Refine relation features as well (paper: yes).")
    unused_gate: bool = option(
        True,
        "Keep the release's forget gate, which nothing reads: its checkpoint and weight decay hold it.",
    )


@dataclass(frozen=True)
class RrConfig:
    """The referring-relationship classifier."""

    hidden: tuple[int, ...] = option((500,), "Hidden layers (paper: two of 512).", within=COUNT)
    loss: str = option(
        "released",
        "Reweighted and normalised cross-entropy (released), or its plain sum.",
        ("released", "sum"),
    )
    query_attention: int = option(
        0,
        "Width of an attention over a box's neighbours that the query steers; the classifier also reads what "
        "it gathers (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    matching: bool = option(
        False,
        "Add a matching read-out to the role classifier: how well a box, its best partner and their "
        "relation, as the graph labels them, fit the query.",
    )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms; VARIANT sets them, an explicit value wins."""

    rpn_class: float = option(1.0, "Region proposal network: object or not.", within=NOT_NEGATIVE)
    rpn_box: float = option(1.0, "Region proposal network: boxes.", within=NOT_NEGATIVE)
    box: float = option(1.0, "Box refiner.", within=NOT_NEGATIVE)
    rr: float = option(0.1, "Referring-relationship classifier on the graph.", within=NOT_NEGATIVE)
    rr_baseline: float = option(
        0.1,
        "Referring-relationship classifier on the unrefined features (itself halved).",
        within=NOT_NEGATIVE,
    )
    entity: float = option(0.01, "Entity labels of the proposals.", within=NOT_NEGATIVE)
    predicate: float = option(0.01, "Relation labels of pairs of proposals.", within=NOT_NEGATIVE)
    gt_entity: float = option(0.01, "Entity labels of the ground-truth boxes.", within=NOT_NEGATIVE)
    gt_predicate: float = option(0.01, "Relation labels of pairs of ground-truth boxes.", within=NOT_NEGATIVE)
    regularization: float = option(0.01, "Weight decay, on top of TRAIN.WEIGHT_DECAY.", within=NOT_NEGATIVE)
    box_kind: str = option(
        "smooth_l1",
        "Loss of the box refiner: of its deltas, or the generalised IoU of its boxes (needs "
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
