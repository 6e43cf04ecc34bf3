"""The second stage: from a detector's maps, boxes, scores and masks to relations and refined masks.

It reads like the paper's figure: masks of all categories, features of boxes and of pairs with their masks,
context, predicates, and residuals for the masks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dsg.models.detector.heads import MASK_SIZE
from dsg.models.grounding.boxes import BoxList
from dsg.models.grounding.contexts import IMP, MOTIF, VCTREE, make_context
from dsg.models.grounding.edge_masks import GAUSSIAN, JOINT, OWN_FRAME, UNION_FRAME, EdgeMasks
from dsg.models.grounding.features import Maps, MaskedRegions
from dsg.models.grounding.mask_transfer import transferred
from dsg.models.grounding.motif import Context, ContextSizes, Known, Pairs
from dsg.models.grounding.nodes import DOUBLE_SOFTMAX
from dsg.models.grounding.pair_features import PairEncoder
from dsg.models.grounding.predicates import PairPredicates, PredicateHead
from dsg.models.grounding.refine import FEATURES, MaskRefiner
from dsg.nets.layers import Block


class StageOptions(NamedTuple):
    """What the paper and the release differ in, and what the paper compares; defaults are the release's."""

    context: str = MOTIF
    edge_mask: str = GAUSSIAN
    gauss_net: str = JOINT
    sigmoid_attention: bool = True
    mask_frame: str = OWN_FRAME
    label_embed: str = DOUBLE_SOFTMAX
    pos_swap: bool = True
    order: str = "right_left"
    decoder_shift: int = 0
    refine_input: str = FEATURES
    refine_at_inference: bool = False
    node_masks: bool = True
    edge_masks: bool = True
    frequency: bool = True


RELEASED = StageOptions()


class StageSizes(NamedTuple):
    """Widths of the second stage."""

    context: ContextSizes = ContextSizes()
    predicates: int = 51  # with the background
    channels: int = 256  # of the maps
    side: int = 28  # cells a side of the crops of boxes and pairs: 28, 14 or 7
    pooling: int = 4096  # of the product of pair and context
    refiner: int = 256
    mask_convs: int = 4


class Grounded(NamedTuple):
    """What the second stage says of a batch."""

    context: Context
    predicate_logits: tf.Tensor  # [P, predicates]
    masks: tf.Tensor | None  # [N, m, m, V] probabilities, of all categories; None where none were given
    nodes: tf.Tensor  # [N, features] of boxes
    edges: tf.Tensor  # [P, features] of pairs
    residual: tf.Tensor | None = None  # [N, m, m, M]: what refinement adds to the mask logits


class GraphStage(Block):
    """Maps, boxes, what is known of them, mask logits and pairs -> `Grounded`.

    Args:
        sizes: widths.
        transfer: float32 [M, V], see `mask_transfer.transfer_matrix`; a variable of it may be given.
        options: variants.
        shares: of `PredicateHead`.
    """

    def __init__(
        self,
        sizes: StageSizes,
        transfer: Any,
        options: StageOptions = RELEASED,
        shares: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        context, masks = sizes.context, transfer.shape[0]
        size = {"side": sizes.side, "width": context.features}
        self.node = MaskedRegions(sizes.channels, transfer.shape[1], masks, **size)
        self.edge = MaskedRegions(sizes.channels, transfer.shape[1], None, **size)
        self.edge_mask = EdgeMasks(
            context.labels, options.edge_mask, options.gauss_net, options.sigmoid_attention
        )
        warped = options.mask_frame == UNION_FRAME
        self._pairs = PairEncoder(self.edge, self.edge_mask, sizes.side, warped)
        self.context = make_context(
            *(options.context, context),
            label_embed=options.label_embed,
            pos_swap=options.pos_swap,
            order=options.order,
            decoder_shift=options.decoder_shift,
            shares=shares,
        )
        self.predicate = _predicate(options.context, sizes, shares, options.frequency)
        self.refiner = MaskRefiner(
            *(context.nodes + context.hidden, sizes.channels, masks),
            convs=sizes.mask_convs,
            refine_input=options.refine_input,
            width=sizes.refiner,
        )
        self._transfer, self._options, self._sizes = transfer, options, sizes

    def compose(self) -> None:
        """Make one matrix of each convolution and the dense layer behind it: for many answers, by weights and
        a transfer of masks that do not change any more. See `Composed` for what it costs.
        """
        transfer = tf.convert_to_tensor(self._transfer).numpy()
        groups = np.unique(transfer, axis=1, return_inverse=True)[1].reshape(-1)
        for regions in (self.node, self.edge):
            regions.compose(groups)

    @property
    def sizes(self) -> StageSizes:
        """Its widths."""
        return self._sizes

    def call(
        self,
        maps: Maps,
        boxes: BoxList,
        known: Known,
        mask_logits: tf.Tensor | None,
        pairs: tf.Tensor,
        training: bool = False,
        refined: bool = False,
        **drawn: Any,
    ) -> Grounded:
        """Relations of the graphs' images.

        Args:
            maps: of the batch.
            boxes: N of them.
            known: labels and scores.
            mask_logits: [N, m, m, M] of the detector; None where neither boxes nor pairs show masks.
            pairs: int32 [P, 2], rows of boxes.
            training: follow statistics, drop out.
            refined: also give `Grounded.residual`, which there is in any case where masks are refined in
                answers.
            drawn: of the context's `call`.
        """
        grounded = self._ground(maps, boxes, known, mask_logits, pairs, training, **drawn)
        again = self._options.refine_at_inference and not training
        if not (refined or again) or mask_logits is None:
            return grounded
        crops = maps.crop(boxes.boxes, boxes.image, MASK_SIZE)
        residual = self.refiner(grounded.context.nodes, crops)
        if again:
            grounded = self._ground(maps, boxes, known, mask_logits + residual, pairs, training, **drawn)
        return grounded._replace(residual=residual)

    def refined(
        self, maps: Maps, boxes: BoxList, known: Known, masks: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Residual logits [N, m, m, M] of images of the masks' data set.

        Args:
            maps: of the batch.
            boxes: N of them.
            known: labels and scores, of the masks' categories.
            masks: [N, m, m, M] probabilities of the detector.
            training: follow statistics.
        """
        crops = maps.crop(boxes.boxes, boxes.image, self._sizes.side)
        nodes = self.node(crops, self._shown(masks) if self._options.node_masks else None, of_masks=True)
        if self._sizes.side != MASK_SIZE:
            crops = maps.crop(boxes.boxes, boxes.image, MASK_SIZE)
        return self.refiner(self.context.for_masks(boxes, nodes, known, training), crops)

    def _ground(
        self,
        maps: Maps,
        boxes: BoxList,
        known: Known,
        mask_logits: tf.Tensor | None,
        pairs: tf.Tensor,
        training: bool,
        **drawn: Any,
    ) -> Grounded:
        masks = None if mask_logits is None else transferred(mask_logits, self._transfer)
        crops = maps.crop(boxes.boxes, boxes.image, self._sizes.side)
        shown = None if masks is None else self._shown(masks)
        nodes = self.node(crops, shown if self._options.node_masks else None)
        scores = known.scores
        if scores is None:
            scores = tf.one_hot(known.labels, self._sizes.context.labels)
        seen = shown if self._options.edge_masks else None
        edges = self._pairs(maps, boxes, scores, seen, pairs, training)
        if self.context.reads_pairs:
            drawn["pairs"] = Pairs(pairs, edges)
        context = self.context(boxes, nodes, known, training, **drawn)
        read = edges if context.pairs is None else context.pairs
        logits = self.predicate(context.edges, pairs, read, context.labels)
        return Grounded(context, logits, masks, nodes, edges)

    def _shown(self, masks: tf.Tensor) -> tf.Tensor:
        """Masks [N, m, m, V] in the cells of crops."""
        cells = MASK_SIZE // self._sizes.side
        return masks if cells == 1 else tf.nn.avg_pool2d(masks, cells, cells, "VALID")


def _predicate(name: str, sizes: StageSizes, shares: np.ndarray | None, frequency: bool) -> Block:
    """The classifier that suits the context encoder of this name."""
    context = sizes.context
    if name == IMP:
        return PairPredicates(context.labels, sizes.predicates, context.hidden, shares, frequency)
    return PredicateHead(
        *(context.labels, sizes.predicates),
        hidden=context.hidden,
        features=context.features,
        width=sizes.pooling,
        relu=name == VCTREE,
        shares=shares,
        frequency=frequency,
    )
