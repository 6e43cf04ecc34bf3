"""The context encoders by name."""

from __future__ import annotations

from typing import Any, Union

import numpy as np

from dsg.models.grounding.graph_context import GraphContext
from dsg.models.grounding.imp import ImpContext
from dsg.models.grounding.motif import ContextSizes, MotifContext
from dsg.models.grounding.vctree import VCTreeContext

MOTIF, VCTREE, IMP, GRAPH = "motif", "vctree", "imp", "dsg"
AnyContext = Union[MotifContext, VCTreeContext, ImpContext, GraphContext]


def make_context(
    name: str,
    sizes: ContextSizes,
    *,
    label_embed: str,
    pos_swap: bool,
    order: str,
    decoder_shift: int,
    shares: np.ndarray | None,
) -> AnyContext:
    """The encoder of this name; of the other arguments those count that it has.

    Args:
        name: motif, vctree, imp or dsg.
        sizes: widths.
        label_embed: of `NodeInput`.
        pos_swap: its `swapped`.
        order: right_left or left_right, see `boxes.across`.
        decoder_shift: of the decoders.
        shares: of `PredicateHead`.
    """
    node: dict[str, Any] = {"label_embed": label_embed, "swapped": pos_swap}
    if name == MOTIF:
        return MotifContext(sizes, **node, leftwards=order == "right_left", shift=decoder_shift)
    if name == VCTREE:
        together = None if shares is None else shares.sum(-1)
        symmetric = None if together is None else together + together.T
        return VCTreeContext(sizes, **node, shift=decoder_shift, co_occurrence=symmetric)
    if name == IMP:
        return ImpContext(sizes, **node)
    if name == GRAPH:
        return GraphContext(sizes, **node)
    raise ValueError(f"no context {name!r}")
