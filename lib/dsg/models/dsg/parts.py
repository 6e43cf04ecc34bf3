"""The model's parts, made with the sizes that the configuration and the vocabulary give."""

from __future__ import annotations

from typing import Any, NamedTuple

from dsg.config import Config
from dsg.models.dsg.classifiers import (
    GraphLabels,
    GroundTruthLabels,
    MatchingHead,
    QueryAttention,
    RoleClassifier,
)
from dsg.models.dsg.geometry import PairGeometry
from dsg.models.dsg.gpi import GraphLayer
from dsg.models.dsg.refiner import BoxRefiner
from dsg.models.dsg.regions import RegionEncoder
from dsg.nets.backbones import BACKBONES
from dsg.nets.layers import Initializer, normal
from dsg.nets.rpn import RegionProposalNetwork
from dsg.runtime import addons

COORDINATES = 4  # x1 y1 x2 y2 behind every entity and relation feature


class Parts(NamedTuple):
    """What `DSG` joins; a part that the variant does without is None."""

    trunk: Any
    rpn: RegionProposalNetwork
    regions: RegionEncoder
    role_baseline: RoleClassifier | None
    box_baseline: BoxRefiner | None
    gpi: GraphLayer | None
    role_classifier: RoleClassifier | None
    box_refiner: BoxRefiner | None
    labels: GraphLabels | None
    gt_labels: GroundTruthLabels | None
    matching: MatchingHead | None
    geometry: PairGeometry | None
    query_attention: QueryAttention | None


def make_parts(config: Config, num_entities: int, num_predicates: int) -> Parts:
    """All parts of the model that `config` describes."""
    small = not BACKBONES[config.backbone].released
    with_graph, wanted = config.has_graph, wanted_parts(config)
    dim = config.head.dim + COORDINATES
    trunk = _trunk(config)
    relation_size = config.relation_pooling_size
    if config.resnet.max_pool and relation_size == 1:
        relation_size = config.pooling_size  # the release takes a single cell only where it does not max-pool
    regions = RegionEncoder(
        _head(config, trunk.channels, config.pooling_size, config.head.channels),
        _head(config, trunk.channels, relation_size, config.head.relation_channels) if with_graph else None,
        stride=config.feature_stride,
        size=config.pooling_size,
        relation_size=relation_size,
        max_pool=config.resnet.max_pool,
    )
    # The release's initial values suit its ImageNet features; nets that learn from random weights need
    # signals of unit size.
    role_init = "glorot_uniform" if small else _normal(config, 0.01)
    box_init = _normal(config, 0.001)

    def role_classifier(node_dim: int) -> RoleClassifier:
        # Beside the matching read-out a quick classifier learned the images by heart (docs/results.md).
        even, hidden = small and "matching" not in wanted, config.rr.hidden
        return RoleClassifier(node_dim, num_entities, num_predicates, hidden, role_init, even=even)

    gpi, options = None, config.gpi
    if with_graph:
        gpi = GraphLayer(
            dim,
            dim,
            aggregation=options.aggregation,
            hidden=options.hidden,
            phi=options.phi,
            alpha=options.alpha,
            rho=options.rho,
            self_edge=options.self_edge,
            rho_neighbours=options.rho_neighbours,
            rho_relation=options.rho_relation,
            unused_gate=options.unused_gate,
            hidden_layers=options.hidden_layers,
            attention_hidden=options.attention_hidden,
            geometry=options.geometry,
            attention=options.attention,
        )
        if options.attention == "sparsemax":
            addons.load("GPI.ATTENTION sparsemax")  # missing, it is missed before anything is computed
    seen = {
        "channels": config.refiner_channels,
        "cin": regions.entity.width,
        "size": config.pooling_size,
        "fine": config.refiner_fine,
        "fine_cin": trunk.fine_channels,
    }
    return Parts(
        trunk=trunk,
        rpn=RegionProposalNetwork(
            trunk.channels,
            config.rpn_channels,
            stride=config.feature_stride,
            scales=config.anchor_scales,
            ratios=config.anchor_ratios,
            init=_normal(config, 0.01),
            exact_boxes=config.exact_boxes,
        ),
        regions=regions,
        role_baseline=role_classifier(dim) if "role_baseline" in wanted else None,
        box_baseline=BoxRefiner(dim, box_init, **(seen if config.box_source == "feature" else {}))
        if "box_baseline" in wanted
        else None,
        gpi=gpi,
        role_classifier=role_classifier(options.rho) if "role_classifier" in wanted else None,
        box_refiner=BoxRefiner(options.rho, box_init, **seen) if "box_refiner" in wanted else None,
        labels=GraphLabels(
            options.rho,
            dim,
            dim,
            options.alpha,
            num_entities,
            num_predicates,
            options.rho_relation,
            options.geometry,
        )
        if "labels" in wanted
        else None,
        gt_labels=GroundTruthLabels(config.head.dim, num_entities, num_predicates)
        if "gt_labels" in wanted
        else None,
        matching=MatchingHead() if "matching" in wanted else None,
        geometry=PairGeometry(options.geometry) if "geometry" in wanted else None,
        query_attention=QueryAttention(
            config.rr.query_attention,
            dim,
            dim,
            options.geometry,
            num_entities,
            num_predicates,
            config.rr.hidden,
        )
        if "query_attention" in wanted
        else None,
    )


def wanted_parts(config: Config) -> set[str]:
    """The heads that something reads: an answer or a loss. Names of fields of `Parts`."""
    loss, graph, roles, boxes = config.loss, config.has_graph, config.rr_source, config.box_source
    uses = {
        "role_baseline": roles == "feature" or loss.rr_baseline,
        # The release always builds its box head on the features: its checkpoint and weight decay hold it.
        "box_baseline": boxes == "feature" or (config.variant == "dsg" and config.aux_first_stage),
        "geometry": graph and config.gpi.geometry,
        "role_classifier": graph and (roles == "dsg" or loss.rr),
        "box_refiner": graph and (boxes == "dsg" or (boxes == "rpn" and loss.box)),
        "gt_labels": graph and (loss.gt_entity or loss.gt_predicate),
    }
    wanted = {name for name, used in uses.items() if used}
    if "role_classifier" in wanted and config.rr.matching:
        wanted.add("matching")
    if "role_classifier" in wanted and config.rr.query_attention:
        wanted.add("query_attention")
    if graph and (roles == "symbolic" or "matching" in wanted or loss.entity or loss.predicate):
        wanted.add("labels")
    return wanted


def _trunk(config: Config) -> Any:
    return BACKBONES[config.backbone].trunk(config.feature_stride, config.resnet.fixed_blocks)


def _head(config: Config, cin: int, size: int, channels: int) -> Any:
    return BACKBONES[config.backbone].head(cin, channels, config.head.dim, size)


def _normal(config: Config, stddev: float) -> Initializer:
    return normal(stddev, config.train.truncated)
