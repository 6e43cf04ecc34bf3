"""The model's parts, in one table: when each is wanted, and how it is made with the sizes that the
configuration and the vocabulary give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from dsg.boxes.transform import BoxCoder
from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.models.detector.heads import POOLED, Predictor, TwoLayerHead
from dsg.models.dsg.classifiers import (
    GraphLabels,
    GroundTruthLabels,
    MatchingHead,
    QueryAttention,
    RoleClassifier,
)
from dsg.models.dsg.pyramid import DETECTOR, DetectorHead
from dsg.models.dsg.refiner import BoxRefiner
from dsg.models.dsg.regions import RegionEncoder
from dsg.nets.backbones import Backbone, backbone_of
from dsg.nets.backbones.fpn import CHANNELS, STRIDES, Pyramid
from dsg.nets.backbones.resnet_body import CHANNELS as BODY_CHANNELS
from dsg.nets.graph_layer import GraphLayer
from dsg.nets.layers import GLOROT, Block, Initializer, normal
from dsg.nets.pair_geometry import PairGeometry
from dsg.nets.pyramid_rpn import PyramidRpn
from dsg.nets.rpn import RegionProposalNetwork
from dsg.runtime import addons

COORDINATES = 4  # x1 y1 x2 y2 behind every entity and relation feature


class Part(NamedTuple):
    """A row of the table."""

    order: int  # of making: initial values follow from it and RNG_SEED. A new part takes the next number.
    wanted: bool  # something reads it: an answer or a loss
    make: Callable[[], Block]


def make_parts(config: Config, num_entities: int, num_predicates: int) -> dict[str, Any]:
    """All parts of the model that `config` describes, by name, in the order of the table."""
    made: dict[str, Any] = {}
    table = part_table(config, num_entities, num_predicates, made)
    for name, part in sorted(table.items(), key=lambda row: row[1].order):
        if part.wanted:
            made[name] = part.make()
    if config.train.freeze_detector:
        for name in set(DETECTOR) & set(made):
            made[name].freeze()
    return {name: made[name] for name in table if name in made}


def part_table(
    config: Config, num_entities: int = 0, num_predicates: int = 0, made: dict[str, Any] | None = None
) -> dict[str, Part]:
    """Every part there is, by its name in snapshots and in their order, which is that of the data flow.

    Args:
        config: the configuration.
        num_entities, num_predicates: of the vocabulary.
        made: receives the parts as they are made; the sizes of some follow from others.
    """
    parts = {} if made is None else made
    initial: dict[str, Initializer] = {}
    options, loss, graph = config.gpi, config.loss, config.has_graph
    dim, words = config.head.dim + COORDINATES, (num_entities, num_predicates)  # dim: of nodes and edges
    small = not _backbone(config).released
    classifies = graph and (config.rr_source == "dsg" or loss.rr > 0)
    matches = classifies and config.rr.matching
    relation_size = config.relation_pooling_size
    pyramid = config.backbone in PYRAMIDS
    detects = pyramid and config.nodes.source == "detections" and not config.train.use_gt
    shares = pyramid and config.head.box_head == "shared"
    if config.resnet.max_pool and relation_size == 1:
        relation_size = config.pooling_size  # the release takes a single cell only if it does not max-pool

    def rpn() -> Block:
        if pyramid:
            return PyramidRpn(CHANNELS)
        return RegionProposalNetwork(
            parts["trunk"].channels,
            config.rpn_channels,
            stride=config.feature_stride,
            scales=config.anchor_scales,
            ratios=config.anchor_ratios,
            init=_normal(config, 0.01),
            coder=BoxCoder(exact=config.exact_boxes),
        )

    def regions() -> Block:
        encoder = pyramid_regions() if pyramid else map_regions()
        # With Keras 3 an initializer draws a seed when it is made. These are made here, before the graph
        # layer, so that a seed gives the weights that it has always given. The release's initial values suit
        # its ImageNet features; nets that learn from random weights need signals of unit size.
        initial["roles"] = GLOROT if small else _normal(config, 0.01)
        initial["boxes"] = _normal(config, 0.001)
        return encoder

    def map_regions() -> RegionEncoder:
        channels, head = parts["trunk"].channels, config.head
        return RegionEncoder(
            _head(config, channels, config.pooling_size, head.channels),
            _head(config, channels, relation_size, head.relation_channels) if graph else None,
            stride=config.feature_stride,
            size=config.pooling_size,
            relation_size=relation_size,
            max_pool=config.resnet.max_pool,
        )

    def pyramid_regions() -> RegionEncoder:
        def head() -> Block:
            return DetectorHead(config.head.dim, parts["box_head"] if shares else None)

        return RegionEncoder(
            head(),
            head() if graph else None,
            stride=STRIDES[0],
            size=POOLED,
            relation_size=POOLED,
            pyramid=True,
        )

    def gpi() -> Block:
        if options.attention == "sparsemax":
            addons.load("GPI.ATTENTION sparsemax")  # missing, it is missed before anything is computed
        return GraphLayer(dim, dim, **asdict(options))

    def roles(node_dim: int) -> Block:
        # Beside the matching read-out a quick classifier learned the images by heart (docs/results.md).
        even = small and not matches
        return RoleClassifier(node_dim, *words, config.rr.hidden, initial["roles"], even=even)

    def boxes(node_dim: int, sees_maps: bool) -> Block:
        init = initial["boxes"]
        if not sees_maps:
            return BoxRefiner(node_dim, init)
        return BoxRefiner(
            node_dim,
            init,
            channels=config.refiner_channels,
            cin=parts["regions"].entity.width,
            size=parts["regions"].size,
            fine=config.refiner_fine,
            fine_cin=parts["trunk"].fine_channels,
        )

    def labels() -> Block:
        return GraphLabels(
            options.rho, dim, dim, options.alpha, *words, options.rho_relation, options.geometry
        )

    def attention() -> Block:
        width = config.rr.query_attention
        return QueryAttention(width, dim, dim, options.geometry, *words, config.rr.hidden)

    labelled = loss.entity or loss.predicate or config.rr_source == "symbolic" or matches
    refines = config.box_source == "dsg" or (config.box_source == "rpn" and loss.box)
    by_features = config.box_source == "feature"
    # The release always builds its box head on the features: its checkpoint and weight decay hold it.
    first_boxes = by_features or (config.variant == "dsg" and config.aux_first_stage)
    first_roles = config.rr_source == "feature" or loss.rr_baseline
    rows = {
        # Those of a pyramid's detector are made first: regions may share its box head.
        "trunk": (0, True, lambda: _trunk(config)),
        "pyramid": (-3, pyramid, lambda: Pyramid(BODY_CHANNELS)),
        "rpn": (3, True, rpn),
        "box_head": (-2, detects or shares, lambda: TwoLayerHead(CHANNELS)),
        "box_predictor": (-1, detects, lambda: Predictor(TwoLayerHead.dim, config.nodes.classes)),
        "regions": (1, True, regions),
        "geometry": (11, graph and options.geometry, lambda: PairGeometry(options.geometry)),
        "gpi": (2, graph, gpi),
        "role_classifier": (6, classifies, lambda: roles(options.rho)),
        "query_attention": (12, classifies and config.rr.query_attention, attention),
        "box_refiner": (7, graph and refines, lambda: boxes(options.rho, True)),
        "labels": (8, graph and labelled, labels),
        "gt_labels": (
            9,
            graph and (loss.gt_entity or loss.gt_predicate),
            lambda: GroundTruthLabels(config.head.dim, *words),
        ),
        "matching": (10, matches, MatchingHead),
        # The first stage's, which read features that the graph has not refined.
        "role_baseline": (4, first_roles, lambda: roles(dim)),
        "box_baseline": (5, first_boxes, lambda: boxes(dim, by_features)),
    }
    return {name: Part(order, bool(wanted), make) for name, (order, wanted, make) in rows.items()}


def _trunk(config: Config) -> Any:
    pyramid = config.backbone in PYRAMIDS  # whose conv1 counts as a block
    fixed = 5 - config.detector.trained_blocks if pyramid else config.resnet.fixed_blocks
    return _backbone(config).trunk(config.feature_stride, fixed)


def _head(config: Config, cin: int, size: int, channels: int) -> Any:
    head = _backbone(config).head
    assert head is not None  # a pyramid's is `DetectorHead`
    return head(cin, channels, config.head.dim, size)


def _backbone(config: Config) -> Backbone:
    return backbone_of(config.backbone, config.resnet.layout)


def _normal(config: Config, stddev: float) -> Initializer:
    return normal(stddev, config.train.truncated)
