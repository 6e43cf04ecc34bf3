"""What each stage of the model returns: named tensors, made once and never written into from afar.

Shapes use the glossary of `dsg.pipeline.batch`. Boxes are x1 y1 x2 y2 in pixels of the network's input.
Entries of proposals that only pad the batch are False in `Proposals.valid`; what stands in the other tensors
there is finite and means nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class TrunkFeatures(NamedTuple):
    """Feature maps of the backbone, coarser and coarser."""

    base: tf.Tensor  # [B, H/4, W/4, C]
    block1: tf.Tensor
    block2: tf.Tensor
    features: tf.Tensor  # [B, h, w, C]: what proposals and crops are made from


class PyramidFeatures(NamedTuple):
    """Feature maps of a backbone with a feature pyramid, C = 256."""

    block1: tf.Tensor  # [B, H/4, W/4, C]: of the body alone
    features: list[tf.Tensor]  # p2 to p6, strides 4 to 64: what proposals and crops are made from


class RpnOutputs(NamedTuple):
    """Region proposal network, one entry an anchor."""

    hidden: tf.Tensor  # [B, h, w, C]
    logits: tf.Tensor  # [B, h, w, A, 2]: background, object
    deltas: tf.Tensor  # [B, h, w, A, 4]
    anchors: tf.Tensor  # [h*w*A, 4]
    boxes: tf.Tensor  # [B, h*w*A, 4]: decoded and clipped to the image
    scores: tf.Tensor  # [B, h*w*A]: probability of an object; -1 for anchors of the padding


class Proposals(NamedTuple):
    """The boxes that become the nodes of the graph."""

    boxes: tf.Tensor  # [B, N, 4]
    scores: tf.Tensor  # [B, N]
    valid: tf.Tensor  # bool [B, N]
    indices: tf.Tensor  # int32 [B, N]: anchor each came from
