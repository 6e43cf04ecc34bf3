"""Proposals as the release stores them: what suppression keeps, and which of these pass the score filter."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsg.nets.outputs import Proposals, RpnOutputs
from dsg.nets.rpn import propose


def kept_by_nms(rpn: RpnOutputs, **options: Any) -> np.ndarray:
    """Anchor indices [K] of the first image that suppression keeps, best first; `options` are those of
    `propose`.
    """
    return propose(rpn, **{**options, "min_score": -np.inf}).indices.numpy()[0]


def passing(proposals: Proposals, kept: np.ndarray) -> np.ndarray:
    """Positions within `kept` of the proposals of the first image; -1 for one that is not there."""
    position: dict[int, int] = {int(anchor): number for number, anchor in enumerate(kept)}
    return np.array([position.get(int(anchor), -1) for anchor in proposals.indices.numpy()[0]])
