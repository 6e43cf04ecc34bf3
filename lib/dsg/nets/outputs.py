"""What each stage of the model returns: named tensors, made once and never written into from afar.

Shapes use the glossary of `dsg.pipeline.batch`. Boxes are x1 y1 x2 y2 in pixels of the network's input.
Entries of proposals that only pad the batch are False in `Proposals.valid`; what stands in the other tensors
there is finite and means nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class TrunkFeatures(NamedTuple):
    """Feature maps of the backbone, coarser and coarser."""

    base: Any  # [B, H/4, W/4, C]
    block1: Any
    block2: Any
    features: Any  # [B, h, w, C]: what proposals and crops are made from


class RpnOutputs(NamedTuple):
    """Region proposal network, one entry an anchor."""

    hidden: Any  # [B, h, w, C]
    logits: Any  # [B, h, w, A, 2]: background, object
    deltas: Any  # [B, h, w, A, 4]
    anchors: Any  # [h*w*A, 4]
    boxes: Any  # [B, h*w*A, 4]: decoded and clipped to the image
    scores: Any  # [B, h*w*A]: probability of an object; -1 for anchors of the padding


class Proposals(NamedTuple):
    """The boxes that become the nodes of the graph."""

    boxes: Any  # [B, N, 4]
    scores: Any  # [B, N]
    valid: Any  # bool [B, N]
    indices: Any  # int32 [B, N]: anchor each came from
